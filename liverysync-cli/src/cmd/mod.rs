//! One module per command, and the parts that several of them share.

mod backups;
mod client;
mod completions;
mod demo;
mod identity;
mod ignore;
mod league;
mod lint;
mod owner;
mod question;
mod reload;
mod scan;
mod server;
mod share;
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
    exit::Failure,
    text::error,
};

/// Longest wait for more files before the gathered ones are shown.
const GATHER_PAUSE: Duration = Duration::from_millis(200);

/// Runs the command.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Server(args) => server::run(&args),
        Command::League(command) => league::run(&command),
        Command::Client(args) => client::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Lint(args) => lint::run(&args),
        Command::Backups(command) => backups::run(&command),
        Command::Ignore(command) => ignore::run(&command),
        Command::Share(command) => share::run(&command),
        Command::Withdraw(args) => owner::run(&args.act(), &args.common),
        Command::Rename(args) => owner::run(&args.act(), &args.common),
        Command::Replace(args) => owner::run(&args.act(), &args.common),
        Command::Identity(command) => identity::run(&command),
        Command::Demo(args) => demo::run(&args),
        Command::Completions { shell } => completions::run(shell),
    }
}

/// Starts the threads of a server, whose connections are served on all cores.
fn runtime() -> Result<Runtime, Failure> {
    Ok(Runtime::new().context(error::THREADS)?)
}

/// Starts the thread of a client. It moves messages and bytes; hashing and writing have threads of their own. Tasks on
/// several threads would lose more by waking each other than they gain.
fn client_runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    Ok(runtime.context(error::THREADS)?)
}

/// Returns the liveries folder that was given, or the game's. `command` is named in a hint.
fn liveries_folder(given: Option<&Path>, command: &str) -> Result<PathBuf, Failure> {
    match given {
        Some(folder) => Ok(folder.to_owned()),
        None => {
            liverysync::liveries_folder().map_err(|error| error::no_game(&error, command).into())
        }
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
    /// Takes over such requests: they no longer end the program by themselves.
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

    /// Takes over such requests: they no longer end the program by themselves.
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

    /// Waits for the end of something, unless another request says not to.
    async fn unless_again(&mut self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        tokio::select! {
            () = stop => Ok(()),
            () = self.next() => Err(error::stopped_at_once().into()),
        }
    }
}
