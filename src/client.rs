//! A driver's client on tokio: it carries out the decisions of [`ClientMachine`](liverysync_core::client::ClientMachine).

mod act;
mod builder;
mod connect;
mod driver;
mod link;
mod lock;
mod sync;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use liverysync_core::{client::Event, league::ActError};
use tokio::{runtime::Handle, sync::Notify};

pub(crate) use self::builder::server_name;
pub use self::{
    builder::ClientBuilder,
    sync::{SyncRequest, SyncStep, Syncing},
};
use self::{driver::Driver, lock::Lock};
use crate::{
    events::{Broadcaster, Events},
    lifecycle::Lifecycle,
    livery_list::LiveryListError,
    places::{FolderNotFound, is_to_be_made},
    throttle::{Limits, Throttles},
};

/// Returns `true` if a client on this PC syncs this liveries folder.
///
/// # Errors
///
/// Fails if the folder does not exist or the system does not tell.
#[doc(hidden)]
pub fn is_client_running(liveries: &Path) -> io::Result<bool> {
    // A client makes the folder before anything else.
    if is_to_be_made(liveries) { Ok(false) } else { Lock::is_taken(liveries) }
}

/// The reason why a client cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// There is no tokio runtime here, or it is shutting down.
    #[error("a client can only be started inside a tokio runtime")]
    NoRuntime,
    /// The builder names no liveries folder, and the game's was not found.
    #[error(transparent)]
    FolderNotFound(#[from] FolderNotFound),
    /// The liveries folder does not exist, or cannot be read or written.
    #[error("cannot use the liveries folder {path}", path = .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another client syncs this folder.
    #[error("another liverysync client already syncs {path}", path = .path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The identity cannot be read, or not be made. With another one leagues would take this client for a new member, so
    /// it does not start without.
    #[error("cannot use the identity file {path}", path = .path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// The system's error; of the kind [`InvalidData`](io::ErrorKind::InvalidData) if the file is damaged.
        source: io::Error,
    },
    /// The files about the liveries folder in the state folder cannot be taken over.
    #[error("cannot use the state folder {path}", path = .path.display())]
    State {
        /// The state folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The list of ignored or of shared liveries cannot be read or written.
    #[error(transparent)]
    List(#[from] LiveryListError),
    /// The server refuses to [act](ClientBuilder::act). Nothing has changed.
    #[error(transparent)]
    Refused(ActError),
    /// The server cannot be reached, or does not answer.
    #[error("cannot ask the server {server}")]
    Server {
        /// Its host and port.
        server: String,
        /// The reason.
        source: io::Error,
    },
    /// The system gives no threads or no lock.
    #[error("cannot start the client")]
    System(#[from] io::Error),
}

/// A running client of a driver.
///
/// [`Client::builder`] configures and starts one. It walks the folder, connects, and goes on by itself: it connects
/// again, downloads what is new, and shares what changes in the folder.
///
/// This is a handle: clones of it are the same client. [`Client::stop`] stops it and waits. Dropping the last handle
/// stops it as well, without waiting: the client finishes the file it is installing and removes what it was
/// downloading, in the background. Until that is done, another client cannot start on the same folder. A runtime that
/// shuts down meanwhile cuts this short; the next start cleans up.
///
/// # Example
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use liverysync::Client;
///
/// let client = Client::builder("192.168.1.50").liveries("Liveries").start().await?;
/// let report = client.sync().await?;
/// println!("this PC has all {} files", report.files);
/// client.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    broadcaster: Broadcaster<Event>,
    lifecycle: Lifecycle,
    /// Notified when the host waits to be in sync.
    sync_wanted: Arc<Notify>,
    throttles: Throttles,
    names: Names,
    /// The runtime of the client's tasks, which timers of a sync use wherever that is awaited.
    runtime: Handle,
}

/// The names for errors of a sync, and whether the client is a dry run.
#[derive(Debug)]
struct Names {
    /// The server's host and port.
    server: String,
    folder: String,
    dry_run: bool,
}

impl Client {
    /// Returns a configuration for a client of the server at `host`, a host name or an address.
    pub fn builder(host: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(host.into())
    }

    /// Returns the events from now on. [`ClientBuilder::start_with_events`] misses none since the start.
    pub fn events(&self) -> Events<Event> {
        self.0.broadcaster.subscribe()
    }

    /// Changes the speed limits from now on, also for files that are on their way.
    pub fn set_limits(&self, limits: Limits) {
        self.0.throttles.set(limits);
    }

    /// Waits until this PC is in sync: it holds every livery that the league can give it, and nobody needs a file of
    /// this PC. Every file that is in the folder by now takes part.
    ///
    /// Await the request itself, or set a [timeout](SyncRequest::timeout) before. The client goes on afterwards, and
    /// also if the wait fails or its future is dropped.
    ///
    /// A [dry run](ClientBuilder::dry_run) ends with its plan.
    pub fn sync(&self) -> SyncRequest {
        SyncRequest::new(self.clone())
    }

    /// Stops the client and waits for its end: it finishes the file it is installing and removes what it was
    /// downloading. It stops even if this future is dropped. Stopping twice is fine.
    pub async fn stop(&self) {
        self.0.lifecycle.stop().await;
    }
}
