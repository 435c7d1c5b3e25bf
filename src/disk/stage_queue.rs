//! The queue in front of the threads that write staged files. The task that reads the link sends the bytes of downloads
//! here, past the machine.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as threads},
};

use liverysync_core::{
    client::{DiskRequest, OpId, StageId},
    wire::data::{Data, TransferId},
};

use crate::credit::Credit;

/// A job of a thread that writes staged files.
#[derive(Debug)]
pub(super) enum StageJob {
    Request(OpId, DiskRequest),
    /// A piece of the download with this stage.
    Piece(StageId, Data, Credit),
}

/// The queue in front of the stage workers. Clones are the same queue.
#[derive(Clone, Debug)]
pub(crate) struct StageQueue(Arc<Mutex<Routes>>);

#[derive(Debug)]
struct Routes {
    workers: Vec<threads::Sender<StageJob>>,
    /// The downloads that are expected. Their numbers are the peer's choice, so the map is never iterated in a way that
    /// shows.
    transfers: HashMap<TransferId, StageId>,
}

impl StageQueue {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Routes { workers: Vec::new(), transfers: HashMap::new() })))
    }

    pub(super) fn add_worker(&self, worker: threads::Sender<StageJob>) {
        self.routes().workers.push(worker);
    }

    /// Sends a piece of a download to its worker, or drops it if nobody waits for it. Returns `true` if more of the
    /// download is expected.
    pub(crate) fn send_piece(&self, data: Data, credit: Credit) -> bool {
        let mut routes = self.routes();
        let expected = if data.last {
            routes.transfers.remove(&data.transfer)
        } else {
            routes.transfers.get(&data.transfer).copied()
        };
        let more = expected.is_some() && !data.last;
        if let Some(stage) = expected {
            routes.send(stage, StageJob::Piece(stage, data, credit));
        }
        more
    }

    /// Sends a request about a staged file to its worker. When this returns, the pieces of a new download are expected.
    pub(super) fn send(&self, stage: StageId, job: StageJob) {
        let mut routes = self.routes();
        match &job {
            StageJob::Request(_, DiskRequest::Receive { transfer, .. }) => {
                routes.transfers.insert(*transfer, stage);
            }
            StageJob::Request(_, DiskRequest::Park(_) | DiskRequest::Discard(_)) => {
                routes.forget(stage);
            }
            _ => {}
        }
        routes.send(stage, job);
    }

    /// Drops all further pieces for this stage.
    pub(super) fn forget(&self, stage: StageId) {
        self.routes().forget(stage);
    }

    /// Closes the queue, so that the workers end although clones of it still exist.
    pub(super) fn close(&self) {
        let mut routes = self.routes();
        routes.workers.clear();
        routes.transfers.clear();
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        // Each change is a single step, so the routes are sound after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Routes {
    /// Sends a job to the worker of its stage, so that jobs of one stage stay in order.
    fn send(&self, stage: StageId, job: StageJob) {
        let worker = usize::try_from(stage.0 % self.workers.len().max(1) as u64).unwrap_or(0);
        if let Some(worker) = self.workers.get(worker) {
            // The threads end only with this queue.
            let _running = worker.send(job);
        }
    }

    fn forget(&mut self, stage: StageId) {
        self.transfers.retain(|_, expected| *expected != stage);
    }
}
