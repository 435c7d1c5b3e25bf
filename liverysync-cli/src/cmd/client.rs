//! `liverysync client`: keeps this PC in sync with the league, for good or once.

use liverysync::{
    ClientBuilder, ClientError, ClientEvent as Event, Events, FileErrors, SyncError, SyncStep,
    Syncing, Unfinished,
};
use tokio::time::sleep;

use super::{GATHER_PAUSE, Interrupts, reload::Reload, view::View};
use crate::{
    cli::client::ClientArgs,
    exit::{Exit, Failure},
    units,
};

pub(super) fn run(args: &ClientArgs) -> Result<(), Failure> {
    let how_to_say = "say where the folder is: liverysync client --liveries DIR";
    let liveries = super::liveries_folder(args.liveries.folder(), how_to_say)?;
    let mut builder = args.builder().liveries(liveries);
    if let Some(folder) = args.state.folder() {
        builder = builder.state(folder);
    }
    if let Some(steam_id) = liverysync::steam_id() {
        builder = builder.steam_id(steam_id);
    }
    super::client_runtime()?.block_on(sync(args, builder))
}

async fn sync(args: &ClientArgs, builder: ClientBuilder) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new()?;
    let mut view = View::new(&args.address.text(), args.output.json, args.dry_run);
    let mut reload = Reload::new(args.speed.limits());
    let (client, events) = builder.start_with_events().await.map_err(explain)?;
    let mut errand = if args.once || args.dry_run {
        let sync = match args.timeout {
            Some(timeout) => client.sync().timeout(timeout),
            None => client.sync(),
        };
        SyncWatch::Once(Box::new(sync.steps_of(events)))
    } else {
        // In the config file or a variable a timeout may stand for good; it means nothing to a client that stays.
        SyncWatch::Stay(events)
    };
    let outcome = tokio::select! {
        outcome = watch(&mut errand, &mut view, &mut interrupts) => outcome,
        () = async { loop { client.set_limits(reload.next().await) } } => Ok(()),
    };
    view.close();
    interrupts.unless_again(client.stop()).await?;
    outcome
}

/// What the client was started for.
enum SyncWatch {
    Once(Box<Syncing>),
    Stay(Events<Event>),
}

impl SyncWatch {
    /// What comes next; `None` if the client has stopped by itself.
    async fn next(&mut self) -> Option<SyncStep> {
        match self {
            Self::Once(syncing) => syncing.next().await,
            Self::Stay(events) => events.next().await.map(SyncStep::Event),
        }
    }

    fn has_failed(&self) -> bool {
        matches!(self, Self::Once(syncing) if syncing.has_failed())
    }

    fn interrupted(&self) -> Result<(), Failure> {
        match self {
            Self::Once(_) => Err(Failure::new(Exit::Failed, "interrupted before it was done")
                .hint("nothing is lost; start it again to go on")),
            Self::Stay(_) => Ok(()),
        }
    }
}

pub(super) fn explain(error: ClientError) -> Failure {
    let hint = match &error {
        ClientError::Folder { .. } => {
            "check --liveries: the folder must be there, and you must be allowed to write to it"
        }
        ClientError::Busy { .. } => "stop the other client first",
        ClientError::MemberKey { .. } => {
            "put it back from a backup; or remove it to begin as a new member, whom the league \
             does not know as the owner of his liveries"
        }
        _ => return Failure::of(Exit::Failed, error),
    };
    Failure::of(Exit::Failed, error).hint(hint)
}

async fn watch(
    errand: &mut SyncWatch,
    view: &mut View,
    interrupts: &mut Interrupts,
) -> Result<(), Failure> {
    loop {
        tokio::select! {
            () = interrupts.next() => return errand.interrupted(),
            step = errand.next() => match step {
                // What ends the program is said once to people, as its error.
                Some(SyncStep::Event(_)) if errand.has_failed() && !view.is_json() => {}
                Some(SyncStep::Event(event)) => view.event(&event)?,
                Some(SyncStep::Done(_)) => return Ok(view.flush()?),
                Some(SyncStep::Failed(error)) => {
                    view.flush()?;
                    return Err(failed(error));
                }
                Some(_) => {}
                None => return Err(failed(SyncError::Stopped)),
            },
            () = sleep(GATHER_PAUSE), if view.has_gathered() => view.flush()?,
        }
    }
}

/// Words why the client did not do what it was started for.
pub(super) fn failed(error: SyncError) -> Failure {
    let failure = Failure::of(Exit::Failed, error.clone());
    match &error {
        // A server that answered is there; what it said is all there is to say.
        SyncError::Unreachable { reason, .. } if reason.starts_with("cannot reach") => failure
            .hint(
                "is the server running? check --host and --port; with --timeout SECONDS it is \
                 tried again until then",
            ),
        SyncError::ConnectionLost { .. } => {
            failure.hint("the server's output may say more about it")
        }
        SyncError::Folder { .. } => failure.hint("check --liveries and its permissions"),
        SyncError::TimedOut { after, unfinished, troubles } => {
            let (after, left) = (units::duration(*after), still_to_do(unfinished));
            let what = format!("timed out after {after}: {left}{}", FileErrors(troubles));
            Failure::new(Exit::TimedOut, what)
                .hint("what has arrived stays; start it again to go on, or give it more time")
        }
        _ => failure,
    }
}

/// What this PC and the others still lack, in words.
fn still_to_do(unfinished: &Unfinished) -> String {
    let &Unfinished::Behind { missing, missing_bytes, needed_by_others } = unfinished else {
        return unfinished.to_string();
    };
    let come = format!("{} still to come", units::files(missing, missing_bytes));
    let go = format!("others still need {} from this PC", units::count(needed_by_others, "file"));
    match (missing, needed_by_others) {
        (_, 0) => come,
        (0, _) => go,
        _ => format!("{come}, {go}"),
    }
}
