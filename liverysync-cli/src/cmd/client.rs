//! `liverysync client`: keeps this PC in sync with the league, until it is stopped or once.

use liverysync::{ClientBuilder, ClientEvent as Event, Events, SyncError, SyncStep, Syncing};
use tokio::time::sleep;

use super::{GATHER_PAUSE, Interrupts, question::Question, reload::Reload, view::View};
use crate::{
    cli::client::ClientArgs,
    exit::{Exit, Failure},
    text::error,
};

pub(super) fn run(args: &ClientArgs) -> Result<(), Failure> {
    let liveries = super::liveries_folder(args.liveries.folder(), "client --liveries DIR")?;
    let builder = args.builder().lint_rules(args.rules.read()?);
    let mut builder = args.identity.apply(builder.liveries(&liveries));
    let mut question = None;
    if let Some(folder) = args.state.folder() {
        question = Question::of(args, &folder, &liveries);
        builder = builder.state(folder);
    }
    if let Some(steam_id) = liverysync::steam_id() {
        builder = builder.steam_id(steam_id);
    }
    super::client_runtime()?.block_on(sync(args, builder, question))
}

async fn sync(
    args: &ClientArgs,
    builder: ClientBuilder,
    mut question: Option<Question>,
) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new()?;
    let mut view = View::new(args);
    if question.is_some() {
        view.ask();
    }
    let mut reload = Reload::new(args.speed.limits());
    let started = builder.start_with_events().await;
    let (client, events) = started.map_err(|error| error::client(&error))?;
    let mut run = if args.once || args.dry_run {
        let sync = match args.timeout {
            Some(timeout) => client.sync().timeout(timeout),
            None => client.sync(),
        };
        Run::Once(Box::new(sync.steps_of(events)))
    } else {
        // The config file or a variable may set a timeout for good; a client that stays ignores it.
        Run::Stay(events)
    };
    let outcome = tokio::select! {
        outcome = watch(&mut run, &mut view, &mut interrupts, &mut question) => outcome,
        () = async { loop { client.set_limits(reload.next().await) } } => Ok(()),
    };
    view.close();
    interrupts.unless_again(client.stop()).await?;
    outcome
}

/// The end of a run.
enum Run {
    /// Until this PC is in sync, or the plan of a dry run is there.
    Once(Box<Syncing>),
    /// Until it is stopped.
    Stay(Events<Event>),
}

impl Run {
    /// Waits for the next step; `None` if the client has stopped by itself.
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
            Self::Once(_) => Err(error::interrupted().into()),
            Self::Stay(_) => Ok(()),
        }
    }
}

async fn watch(
    run: &mut Run,
    view: &mut View,
    interrupts: &mut Interrupts,
    question: &mut Option<Question>,
) -> Result<(), Failure> {
    loop {
        tokio::select! {
            fault = async { question.as_mut()?.next_fault().await }, if question.is_some() => {
                if let Some(fault) = fault {
                    view.answer_fault(&fault);
                }
            }
            () = interrupts.next() => return run.interrupted(),
            step = run.next() => match step {
                // People read why the program ends once, as its error.
                Some(SyncStep::Event(_)) if run.has_failed() && !view.is_json() => {}
                Some(SyncStep::Event(event)) => {
                    view.event(&event)?;
                    if let (Event::ShareNeeded { .. }, Some(question)) = (&event, question.as_mut()) {
                        question.ask();
                    }
                }
                Some(SyncStep::Done(report)) => {
                    view.flush()?;
                    // A dry run only says what would be left.
                    let is_left = report.plan.is_none() && !report.outstanding.is_empty();
                    return if is_left { Err(Failure::Outstanding) } else { Ok(()) };
                }
                Some(SyncStep::Failed(error)) => {
                    view.flush()?;
                    return Err(failed(&error));
                }
                Some(_) => {}
                None => return Err(failed(&SyncError::Stopped)),
            },
            () = sleep(GATHER_PAUSE), if view.has_gathered() => view.flush()?,
        }
    }
}

pub(super) fn failed(error: &SyncError) -> Failure {
    let exit = match error {
        SyncError::TimedOut { .. } => Exit::TimedOut,
        _ => Exit::Failed,
    };
    Failure::new(exit, error::sync(error))
}
