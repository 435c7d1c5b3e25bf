//! A league's server on tokio: it carries out the decisions of [`ServerMachine`].
//!
//! For each link, one task reads and passes file data to the store, which has threads of its own, and one task writes
//! and sends files from the store. One more task runs the control machine. File data never passes through it.

mod addresses;
mod allow_list;
mod builder;
mod control;
mod error;
mod journal;
mod link;
mod uploads;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use liverysync_core::server::{Event, ServerMachine, Status};

pub use self::{builder::ServerBuilder, error::ServerError};
use crate::{
    events::{Broadcaster, Events},
    lifecycle::Lifecycle,
    throttle::{Limits, Throttles},
};

/// A running server of a league.
///
/// [`Server::builder`] configures and starts one.
///
/// This is a handle: clones of it are the same server. [`Server::stop`] stops it and waits. Dropping the last handle
/// stops it as well, without waiting: the connections are closed in the background, and the address and the data
/// folder are free again once that is done.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liverysync::Server;
///
/// let server = Server::builder().host("127.0.0.1").port(0).start().await?;
/// println!("drivers may connect to {}", server.address());
/// server.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Server(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    broadcaster: Broadcaster<Event>,
    lifecycle: Lifecycle,
    machine: Machine,
    address: SocketAddr,
    throttles: Throttles,
}

/// The control machine, which its own task drives and the handles ask.
#[derive(Clone, Debug)]
struct Machine(Arc<Mutex<ServerMachine>>);

impl Machine {
    fn new(machine: ServerMachine) -> Self {
        Self(Arc::new(Mutex::new(machine)))
    }

    fn lock(&self) -> MutexGuard<'_, ServerMachine> {
        // A panic of its task ends the server; its last state can still be asked for.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Returns a configuration for a server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// Returns the events from now on. [`ServerBuilder::start_with_events`] misses none since the start.
    pub fn events(&self) -> Events<Event> {
        self.0.broadcaster.subscribe()
    }

    /// Returns the address at which the server listens, or listened before it stopped.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Changes the speed limits from now on, also for files that are on their way.
    pub fn set_limits(&self, limits: Limits) {
        self.0.throttles.set(limits);
    }

    /// Returns the state of the league: the connected clients, and the files that each of them is missing.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.machine.lock().status()
    }

    /// Stops the server, closes every connection and waits for the end. It stops even if this future is dropped.
    /// Stopping twice is fine.
    pub async fn stop(&self) {
        self.0.lifecycle.stop().await;
    }
}
