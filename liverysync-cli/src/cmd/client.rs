//! `liverysync client`: keeps this PC in step with the league, for good or once.

use std::{collections::BTreeMap, time::Duration};

use liverysync::{
    client::{Client, ClientError, ClientOptions},
    places,
};
use liverysync_core::{client::Event, text::escape};
use tokio::time::{Instant, sleep, sleep_until};

use super::{GATHER_PAUSE, Interrupts, view::View};
use crate::{
    cli::ClientArgs,
    exit::{Exit, Failure},
    units,
};

/// A connection that is lost so often without anything having been moved is a failure for `--once`.
const LOSSES_MAX: u32 = 3;

/// So many files that did not come or go are named when time is up.
const TROUBLES_SHOWN: usize = 5;

pub(super) fn run(args: &ClientArgs) -> Result<(), Failure> {
    let how_to_say = "say where the folder is: liverysync client --liveries DIR";
    let liveries = super::liveries_folder(args.liveries.as_ref(), how_to_say)?;
    let mut options = ClientOptions::new(args.host.clone(), args.port, liveries);
    options.core = args.core();
    if let Some(steam_id) = places::steam_id() {
        options.core.steam_id = steam_id;
    }
    super::runtime()?.block_on(sync(args, options))
}

async fn sync(args: &ClientArgs, options: ClientOptions) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new()?;
    let folder = options.liveries.display().to_string();
    let mut client = Client::start(options).map_err(|error| explain(&error))?;
    let mut errand = Errand::new(args, folder);
    let mut view = View::new(&errand.server, args.json, args.dry_run);
    let outcome = watch(&mut client, &mut errand, &mut view, &mut interrupts).await;
    view.close();
    interrupts.unless_again(client.stop()).await?;
    outcome
}

fn explain(error: &ClientError) -> Failure {
    let failure = Failure::new(Exit::Failed, error);
    match error {
        ClientError::Folder { .. } => failure.hint(
            "check --liveries: the folder must be there, and you must be allowed to write to it",
        ),
        ClientError::Busy { .. } => failure.hint("stop the other client first"),
        _ => failure,
    }
}

async fn watch(
    client: &mut Client,
    errand: &mut Errand,
    view: &mut View,
    interrupts: &mut Interrupts,
) -> Result<(), Failure> {
    let began = Instant::now();
    let deadline = errand.timeout.map(|timeout| began + timeout);
    loop {
        tokio::select! {
            () = interrupts.next() => return errand.interrupted(),
            event = client.next_event() => {
                let Some(event) = event else { return Err(errand.folder_lost()) };
                let verdict = errand.judge(&event);
                // What ends the program is said once, as its error.
                if view.is_json() || !matches!(verdict, Verdict::Failed(_)) {
                    view.event(&event)?;
                }
                if !matches!(verdict, Verdict::GoOn) {
                    view.flush()?;
                }
                match verdict {
                    Verdict::GoOn => {}
                    Verdict::Done => return Ok(()),
                    Verdict::Failed(failure) => return Err(failure),
                }
            }
            () = sleep(GATHER_PAUSE), if view.has_gathered() => view.flush()?,
            () = sleep_until(deadline.unwrap_or(began)), if deadline.is_some() => {
                view.flush()?;
                return Err(errand.timed_out());
            }
        }
    }
}

/// What the client was started for, and what is known about how it goes.
struct Errand {
    server: String,
    folder: String,
    /// Whether it ends by itself.
    ends: bool,
    dry_run: bool,
    timeout: Option<Duration>,
    connected: bool,
    losses: u32,
    /// Why there is no connection.
    unreachable: Option<String>,
    standing: Option<String>,
    /// What did not come or go, with the reason.
    troubles: BTreeMap<String, String>,
}

enum Verdict {
    GoOn,
    Done,
    Failed(Failure),
}

impl Errand {
    fn new(args: &ClientArgs, folder: String) -> Self {
        let ends = args.once || args.dry_run;
        let host = &args.host;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        Self {
            server: format!("{host}:{}", args.port),
            folder,
            ends,
            dry_run: args.dry_run,
            // In the config file or a variable it may stand for good; it means nothing to a client that stays.
            timeout: args.timeout.filter(|_| ends),
            connected: false,
            losses: 0,
            unreachable: None,
            standing: None,
            troubles: BTreeMap::new(),
        }
    }

    fn judge(&mut self, event: &Event) -> Verdict {
        match event {
            Event::Connected { .. } => {
                self.connected = true;
                self.unreachable = None;
            }
            Event::Disconnected { reason, .. } => return self.disconnected(reason),
            Event::FolderUnreadable(reason) if self.ends && self.timeout.is_none() => {
                let what = format!("cannot read the folder {}: {}", self.folder, escape(reason));
                return Verdict::Failed(
                    Failure::new(Exit::Failed, what).hint("check --liveries and its permissions"),
                );
            }
            Event::Standing { missing, missing_bytes, wanted, .. } => {
                self.standing = still_to_do(*missing, *missing_bytes, *wanted);
            }
            Event::Installed { path, .. } | Event::FileSent { path, .. } => {
                self.losses = 0;
                self.troubles.remove(path.as_str());
            }
            Event::SendFailed { path, reason, .. } | Event::ReceiveFailed { path, reason, .. } => {
                self.troubles.insert(path.clone(), reason.clone());
            }
            Event::ServerError(reason) => {
                self.troubles.insert("the server".to_owned(), reason.clone());
            }
            Event::InStep { .. } if self.ends && !self.dry_run => return Verdict::Done,
            Event::Plan(_) => return Verdict::Done,
            _ => {}
        }
        Verdict::GoOn
    }

    fn disconnected(&mut self, reason: &str) -> Verdict {
        let reason = escape(reason).into_owned();
        let was_connected = std::mem::replace(&mut self.connected, false);
        self.standing = None;
        self.unreachable = Some(reason.clone());
        if !self.ends || self.timeout.is_some() {
            return Verdict::GoOn;
        }
        if !was_connected {
            let failure = Failure::new(Exit::Failed, self.no_connection(&reason));
            // A server that answered is there; what it said is all there is to say.
            return Verdict::Failed(if reason.starts_with("cannot reach") {
                failure.hint(
                    "is the server running? check --host and --port; with --timeout SECONDS it is \
                     tried again until then",
                )
            } else {
                failure
            });
        }
        self.losses += 1;
        if self.losses < LOSSES_MAX {
            return Verdict::GoOn;
        }
        let what = format!("the connection to {} breaks again and again: {reason}", self.server);
        Verdict::Failed(
            Failure::new(Exit::Failed, what).hint("the server's output may say more about it"),
        )
    }

    /// A reason may name the server or not.
    fn no_connection(&self, reason: &str) -> String {
        if reason.contains(&self.server) {
            reason.to_owned()
        } else {
            format!("no connection to {}: {reason}", self.server)
        }
    }

    fn interrupted(&self) -> Result<(), Failure> {
        if self.ends {
            Err(Failure::new(Exit::Failed, "interrupted before it was done")
                .hint("nothing is lost; start it again to go on"))
        } else {
            Ok(())
        }
    }

    fn folder_lost(&self) -> Failure {
        let what = format!("the liveries folder {} is gone", self.folder);
        Failure::new(Exit::Failed, what).hint("check --liveries, and start the client again")
    }

    fn timed_out(&self) -> Failure {
        let timeout = units::duration(self.timeout.unwrap_or_default());
        let why = match (&self.unreachable, &self.standing) {
            (Some(reason), _) => self.no_connection(reason),
            (None, _) if !self.connected => format!("no connection to {} yet", self.server),
            (None, Some(standing)) => standing.clone(),
            (None, None) => format!("{} has not said yet how this PC stands", self.server),
        };
        let mut what = format!("timed out after {timeout}: {why}");
        for (path, reason) in self.troubles.iter().take(TROUBLES_SHOWN) {
            what += &format!("\n  {}: {}", escape(path), escape(reason));
        }
        if self.troubles.len() > TROUBLES_SHOWN {
            what += &format!("\n  and {} more", self.troubles.len() - TROUBLES_SHOWN);
        }
        Failure::new(Exit::TimedOut, what)
            .hint("what has arrived stays; start it again to go on, or give it more time")
    }
}

/// What this PC and the others still lack, in words; `None` if nothing.
fn still_to_do(missing: u64, missing_bytes: u64, wanted: u64) -> Option<String> {
    let come = format!("{} still to come", units::files(missing, missing_bytes));
    let go = format!("others still need {} from this PC", units::count(wanted, "file"));
    match (missing, wanted) {
        (0, 0) => None,
        (_, 0) => Some(come),
        (0, _) => Some(go),
        _ => Some(format!("{come}, {go}")),
    }
}
