//! Waiting until this PC is in sync.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use liverysync_core::client::{
    Event,
    sync_watch::{SyncError, SyncReport, SyncWatch, WaitPolicy},
};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Client, Names};
use crate::events::Events;

/// A wait for this PC to be in sync, which [`Client::sync`] makes. Await it for the report, or ask for its
/// [steps](SyncRequest::steps).
///
/// # Errors
///
/// The future returns a [`SyncError`] as soon as waiting longer is useless. What has arrived by then stays, and the
/// client goes on.
///
/// # Example
///
/// ```no_run
/// # async fn example(client: liverysync::Client) -> Result<(), liverysync::SyncError> {
/// use std::time::Duration;
///
/// let report = client.sync().timeout(Duration::from_secs(600)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a sync does nothing unless it is awaited"]
pub struct SyncRequest {
    client: Client,
    timeout: Option<Duration>,
    patient: Option<bool>,
}

impl SyncRequest {
    pub(super) const fn new(client: Client) -> Self {
        Self { client, timeout: None, patient: None }
    }

    /// Fails with [`SyncError::TimedOut`] after this time, counted from the first poll. Default: no timeout.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Chooses what happens while the server cannot be reached or the folder cannot be read: a patient request waits
    /// until that has changed, another one fails at once. Default: patient if there is a timeout.
    pub const fn patient(mut self, patient: bool) -> Self {
        self.patient = Some(patient);
        self
    }

    /// Starts to wait, and returns everything that happens on the way as a stream.
    pub fn steps(self) -> Syncing {
        let events = self.client.events();
        self.steps_of(events)
    }

    /// Does the same with a stream of events of this client that exists already, such as that of
    /// [`ClientBuilder::start_with_events`](crate::ClientBuilder::start_with_events): what waits in it comes first.
    pub fn steps_of(self, events: Events<Event>) -> Syncing {
        let Names { server, folder, dry_run } = &self.client.0.names;
        let mut policy = WaitPolicy::default();
        policy.server.clone_from(server);
        policy.folder.clone_from(folder);
        policy.dry_run = *dry_run;
        policy.patient = self.patient.unwrap_or(self.timeout.is_some());
        self.client.0.sync_wanted.notify_one();
        Syncing {
            client: self.client,
            events,
            watch: SyncWatch::new(policy),
            began: Instant::now(),
            timeout: self.timeout,
            sleep: None,
            end: None,
            has_ended: false,
        }
    }
}

impl IntoFuture for SyncRequest {
    type Output = Result<SyncReport, SyncError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut steps = self.steps();
            loop {
                match steps.next().await {
                    Some(SyncStep::Event(_)) => {}
                    Some(SyncStep::Done(report)) => return Ok(report),
                    Some(SyncStep::Failed(error)) => return Err(error),
                    None => return Err(SyncError::Stopped),
                }
            }
        })
    }
}

/// A step of a sync.
#[derive(Debug)]
#[non_exhaustive]
pub enum SyncStep {
    /// An event of the client.
    Event(Event),
    /// The end: this PC is in sync, or the dry run has its plan.
    Done(SyncReport),
    /// The end: waiting longer is useless.
    Failed(SyncError),
}

/// The steps of a sync, as a stream: events, then [`SyncStep::Done`] or [`SyncStep::Failed`], then the end.
///
/// It holds a handle of the client.
#[derive(Debug)]
#[must_use = "a sync does nothing unless its steps are read"]
pub struct Syncing {
    client: Client,
    events: Events<Event>,
    watch: SyncWatch,
    began: Instant,
    timeout: Option<Duration>,
    /// Made by the first poll that has to wait.
    sleep: Option<Pin<Box<Sleep>>>,
    /// The last step, once an event has decided it.
    end: Option<SyncStep>,
    has_ended: bool,
}

impl Syncing {
    /// Returns the next step, or `None` after the last one. No step is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<SyncStep> {
        poll_fn(|context| self.poll(context)).await
    }

    /// Returns `true` if the event that came last made the sync fail, so that the next step is its error.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        matches!(self.end, Some(SyncStep::Failed(_)))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<SyncStep>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if let Some(end) = self.end.take() {
            return self.finish(end);
        }
        if !self.client.0.lifecycle.is_running() {
            return self.finish(SyncStep::Failed(SyncError::Stopped));
        }
        // An event that has come in time counts, even if the time is up when it is read.
        match self.events.poll(context) {
            Poll::Ready(Some(event)) => Poll::Ready(Some(self.judge(event))),
            Poll::Ready(None) => self.finish(SyncStep::Failed(SyncError::Stopped)),
            Poll::Pending => {
                let Some(timeout) = self.timeout else { return Poll::Pending };
                if self.poll_timeout(context, timeout).is_pending() {
                    return Poll::Pending;
                }
                let error = self.watch.timed_out(timeout);
                self.finish(SyncStep::Failed(error))
            }
        }
    }

    fn finish(&mut self, end: SyncStep) -> Poll<Option<SyncStep>> {
        self.has_ended = true;
        Poll::Ready(Some(end))
    }

    fn judge(&mut self, event: Event) -> SyncStep {
        match self.watch.handle_event(&event, self.began.elapsed()) {
            None => {}
            Some(Ok(report)) => self.end = Some(SyncStep::Done(report)),
            Some(Err(error)) => self.end = Some(SyncStep::Failed(error)),
        }
        SyncStep::Event(event)
    }

    fn poll_timeout(&mut self, context: &mut Context<'_>, timeout: Duration) -> Poll<()> {
        if self.sleep.is_none() {
            // A deadline that the clock cannot express never comes.
            let Some(deadline) = self.began.checked_add(timeout) else { return Poll::Pending };
            // The caller may poll this outside of a tokio runtime.
            let _inside = self.client.0.runtime.enter();
            self.sleep = Some(Box::pin(sleep_until(deadline)));
        }
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

impl Stream for Syncing {
    type Item = SyncStep;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<SyncStep>> {
        self.get_mut().poll(context)
    }
}
