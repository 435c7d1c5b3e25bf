//! Where the link hands in the bytes of files: past the machine, straight to the thread that writes
//! them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as threads},
};

use liverysync_core::{
    client::{DiskRequest, OpId, StageId},
    wire::data::{Data, TransferId},
};

use crate::credit::Credit;

/// What a thread that writes staged files has to do.
#[derive(Debug)]
pub(super) enum StageJob {
    Request(OpId, DiskRequest),
    /// A piece of the file that this stage takes in.
    Piece(StageId, Data, Credit),
}

/// The way to the threads that write staged files. Clones are the same way.
#[derive(Clone, Debug)]
pub(crate) struct StageQueue(Arc<Mutex<Routes>>);

#[derive(Debug)]
struct Routes {
    lanes: Vec<threads::Sender<StageJob>>,
    /// What is expected. The numbers are the peer's, so they are only looked up.
    transfers: HashMap<TransferId, StageId>,
}

impl StageQueue {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Routes { lanes: Vec::new(), transfers: HashMap::new() })))
    }

    pub(super) fn add_lane(&self, lane: threads::Sender<StageJob>) {
        self.routes().lanes.push(lane);
    }

    /// Takes a piece of a file. One that nobody waits for, or waits for any more, is dropped. Returns
    /// whether more of the file is waited for.
    pub(crate) fn take(&self, data: Data, credit: Credit) -> bool {
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

    /// Hands in what is to be done about a staged file. When this returns, pieces of a file that is to be
    /// received are expected.
    pub(super) fn hand_in(&self, stage: StageId, job: StageJob) {
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

    /// Expects nothing more for this stage.
    pub(super) fn forget(&self, stage: StageId) {
        self.routes().forget(stage);
    }

    /// Lets the threads end, whoever still holds the way to them.
    pub(super) fn close(&self) {
        let mut routes = self.routes();
        routes.lanes.clear();
        routes.transfers.clear();
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        // Every change to the routes is whole in itself, whatever else panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Routes {
    /// Everything about one stage goes to one thread, in order.
    fn send(&self, stage: StageId, job: StageJob) {
        let lane = usize::try_from(stage.0 % self.lanes.len().max(1) as u64).unwrap_or(0);
        if let Some(lane) = self.lanes.get(lane) {
            // The threads end only with this queue.
            let _running = lane.send(job);
        }
    }

    fn forget(&mut self, stage: StageId) {
        self.transfers.retain(|_, expected| *expected != stage);
    }
}
