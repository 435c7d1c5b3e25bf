//! One module per command, and what several of them need.

mod backups;
mod client;
mod completions;
mod demo;
mod ignore;
mod league;
mod reload;
mod scan;
mod server;
mod status;
mod verify;
mod view;

use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};

use crate::{
    cli::{Cli, Command},
    exit::{Exit, Failure},
};

/// How long to wait for more of the same before what was gathered is said.
const GATHER_PAUSE: Duration = Duration::from_millis(200);

/// Does what the command line asks for.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Server(args) => server::run(&args),
        Command::League(command) => league::run(&command),
        Command::Client(args) => client::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Backups(command) => backups::run(&command),
        Command::Ignore(command) => ignore::run(&command),
        Command::Demo(args) => demo::run(&args),
        Command::Completions { shell } => completions::run(shell),
    }
}

/// Where a server's tasks run: its links are served on all cores.
fn runtime() -> Result<Runtime, Failure> {
    Ok(Runtime::new().context("cannot start the threads that do the work")?)
}

/// Where a client's tasks run: one thread moves messages and bytes, and those that hash and write are others.
/// Waking one another, tasks on several threads would cost more than they gain.
fn client_runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("cannot start the thread that does the work")?)
}

/// The liveries folder that was asked for, or the game's.
fn liveries_folder(given: Option<&Path>, how_to_say: &str) -> Result<PathBuf, Failure> {
    match given {
        Some(folder) => Ok(folder.to_owned()),
        None => liverysync::liveries_folder()
            .map_err(|error| Failure::of(Exit::Failed, error).hint(how_to_say)),
    }
}

/// Requests to stop, from the keyboard or from the system.
struct Interrupts {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
    #[cfg(windows)]
    signals: (
        tokio::signal::windows::CtrlC,
        tokio::signal::windows::CtrlBreak,
        tokio::signal::windows::CtrlClose,
        tokio::signal::windows::CtrlShutdown,
    ),
}

impl Interrupts {
    /// From here on such a request no longer ends the program by itself.
    #[cfg(unix)]
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { signals: [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?] })
    }

    /// Waits for the next request.
    #[cfg(unix)]
    async fn next(&mut self) {
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }

    /// From here on such a request no longer ends the program by itself.
    #[cfg(windows)]
    fn new() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
        Ok(Self { signals: (ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_shutdown()?) })
    }

    /// Waits for the next request.
    #[cfg(windows)]
    async fn next(&mut self) {
        let (c, pause, close, shutdown) = &mut self.signals;
        tokio::select! {
            _ = c.recv() => {}
            _ = pause.recv() => {}
            _ = close.recv() => {}
            _ = shutdown.recv() => {}
        }
    }

    /// Lets something come to its end, unless a further request says that nobody wants to wait.
    async fn unless_again(&mut self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        tokio::select! {
            () = stop => Ok(()),
            () = self.next() => Err(Failure::new(Exit::Failed, "stopped at once")
                .hint("what was on its way is cleaned up at the next start")),
        }
    }
}
