//! The link of one client.

use std::time::Duration;

use tokio::{task::JoinHandle, time::timeout};

use super::uploads::Uploads;
use crate::link::Outbox;

/// The time for a closed link to write the waiting messages.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The link of one client.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) outbox: Outbox,
    pub(super) uploads: Uploads,
    pub(super) read: JoinHandle<()>,
    pub(super) write: JoinHandle<()>,
}

impl Link {
    /// Writes the waiting messages, and closes the link. From this call on, nothing more is read from it.
    pub(super) fn close(self) -> impl Future<Output = ()> + Send + use<> {
        self.read.abort();
        self.outbox.close();
        let mut write = self.write;
        async move {
            if timeout(CLOSE_TIMEOUT, &mut write).await.is_err() {
                write.abort();
            }
        }
    }
}
