//! The configuration of a server, and its start.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use liverysync_core::{
    conflict::{Naming, Policy},
    league::{Setting, Updates},
    select::Rules,
    server::{Event, ServerConfig, ServerMachine},
};
use tokio::{net::TcpListener, runtime::Handle};

use super::{
    Machine, Server, ServerError, Shared, allow_list::AllowListFile, control::Control,
    journal::Journal,
};
use crate::{
    DEFAULT_PORT,
    clock::{Clock, seed},
    events::{Broadcaster, Events},
    lifecycle::Lifecycle,
    store::{Store, StoreError},
    throttle::{Limits, Throttles},
};

/// The configuration of a server. [`ServerBuilder::start`] starts one with it.
///
/// Every setting has a default. No limit can be switched off: 0 never means unlimited. Clones are independent, so a
/// program can keep a configuration and start a server with it more than once, one after the other.
#[derive(Clone, Debug)]
#[must_use = "a configuration does nothing until a server is started with it"]
pub struct ServerBuilder {
    host: String,
    port: u16,
    allow_list: Option<PathBuf>,
    data: Option<PathBuf>,
    limits: Limits,
    config: ServerConfig,
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            host: "0.0.0.0".to_owned(),
            port: DEFAULT_PORT,
            allow_list: None,
            data: None,
            limits: Limits::default(),
            config: ServerConfig::default(),
        }
    }

    /// Sets the host name or address to listen at. Default: `0.0.0.0`, every IPv4 address of this machine.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    /// Sets the port to listen at; 0 picks a free one, which [`Server::address`] returns. Default: 9239.
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets a text file with the liveries to distribute, a name per line, in UTF-8 or, with a byte order mark, UTF-16. It
    /// must exist. If it is empty, all liveries are distributed. It is read again when it changes; when it cannot be read,
    /// the last list stays in force ([`ServerEvent::AllowListFault`](crate::ServerEvent::AllowListFault)). Default: no
    /// file.
    pub fn allow_list(mut self, file: impl Into<PathBuf>) -> Self {
        self.allow_list = Some(file.into());
        self
    }

    /// Sets the data folder, which the server makes if it does not exist. It holds the store and the league database:
    /// liveries, their history and their owners survive a restart, and a driver who comes later gets everything,
    /// whoever is connected. It takes up to [`store_bytes_max`](Self::store_bytes_max) of disk space. Default: none;
    /// the store is in a temporary folder, and the league is forgotten at the end.
    pub fn data(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data = Some(folder.into());
        self
    }

    /// Sets the speed limits over all connections together. [`Server::set_limits`] changes them later. Default: no
    /// limit.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the most files of one session. More need fewer round trips, and a broken connection loses more. More than
    /// 1,000 count as 1,000. Default: 50.
    pub const fn files_per_session_max(mut self, files: usize) -> Self {
        self.config.session_files_max = files;
        self
    }

    /// Sets the most sessions at a time in which one client of protocol 2 uploads, and again downloads. A client of
    /// protocol 1 takes part in one. Small sessions may be up to 24 as long as they have no more than 8 MiB together.
    /// Default: 4.
    pub const fn sessions_per_client_max(mut self, sessions: usize) -> Self {
        self.config.client_sessions_max = sessions;
        self
    }

    /// Sets the most sessions at a time of all clients. Each costs memory for the files it is about. Default: 1,024.
    pub const fn sessions_max(mut self, sessions: usize) -> Self {
        self.config.sessions_max = sessions;
        self
    }

    /// Sets the disk space for files kept for later drivers, in bytes; 0 keeps a file only while somebody downloads
    /// it. Default: 8 GiB.
    pub const fn store_bytes_max(mut self, bytes: u64) -> Self {
        self.config.store_bytes_max = bytes;
        self
    }

    /// Sets the disk space for files that are being passed on, in bytes; a single larger file is passed on too. More
    /// lets fast sources run further ahead of slow targets. Default: 1 GiB.
    pub const fn spool_bytes_max(mut self, bytes: u64) -> Self {
        self.config.spool_bytes_max = bytes;
        self
    }

    /// Sets how often a client of protocol 1, which does not report changes, is asked for its files. A short interval
    /// finds its edits sooner and makes that PC walk its folder more often. Default: 15 s.
    pub const fn manifest_stale(mut self, interval: Duration) -> Self {
        self.config.manifest_stale = interval;
        self
    }

    /// Sets how often the scheduler looks for work that no event has announced. Default: 1 s.
    pub const fn scheduler_tick(mut self, interval: Duration) -> Self {
        self.config.scheduler_tick = interval;
        self
    }

    /// Sets how long manifests are gathered before they are merged in one step. A longer window merges the reports of
    /// many drivers who connect at once with less work, and delays each of them. Default: 20 ms.
    pub const fn merge_window(mut self, window: Duration) -> Self {
        self.config.merge_window = window;
        self
    }

    /// Sets how conflict copies are named. Default: [`Naming::default`].
    pub fn naming(mut self, naming: Naming) -> Self {
        self.config.settings.naming = naming;
        self
    }

    /// Names the settings among naming, policy, updates and extensions that the admin asked for. A server with a data
    /// folder keeps the league's own settings; it tells which of the named ones differ
    /// ([`ServerEvent::SettingsDiffer`](crate::ServerEvent::SettingsDiffer)). Default: none.
    pub fn settings_given(mut self, settings: impl IntoIterator<Item = Setting>) -> Self {
        self.config.settings_given = settings.into_iter().collect();
        self
    }

    /// Sets who keeps a name that several contents claim at once. Default: [`Policy::default`].
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.config.settings.policy = policy;
        self
    }

    /// Sets who may update a livery of the league. [`Updates::Owner`] needs a [data folder](Self::data). Default:
    /// [`Updates::Owner`] in a league that begins in a data folder, [`Updates::Anyone`] without one. This counts as
    /// [given](Self::settings_given).
    pub fn updates(mut self, updates: Updates) -> Self {
        self.config.settings.updates = updates;
        self.config.settings_given.insert(Setting::Updates);
        self
    }

    /// Sets which files may join the league, and how many of which size. Default: [`Rules::default`].
    pub fn rules(mut self, rules: Rules) -> Self {
        self.config.rules = rules;
        self
    }

    /// Sets how long a new connection may last before the client introduces itself. Default: 10 s.
    pub const fn hello_timeout(mut self, timeout: Duration) -> Self {
        self.config.timeouts.hello = timeout;
        self
    }

    /// Sets how long a client may be silent before its connection is closed. A short timeout notices a dead
    /// connection sooner, and mistakes a slow one for dead. Default: 90 s.
    pub const fn silence_timeout(mut self, timeout: Duration) -> Self {
        self.config.timeouts.silence = timeout;
        self
    }

    /// Sets how long a client may take until it sends the first file of an upload: an old one looks through its folder
    /// before. Default: 60 s.
    pub const fn first_file_timeout(mut self, timeout: Duration) -> Self {
        self.config.timeouts.first_file = timeout;
        self
    }

    /// Sets how long a session may make no progress before it is given up. Default: 30 s.
    pub const fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.config.timeouts.stall = timeout;
        self
    }

    /// Starts a server: drivers may connect.
    ///
    /// It needs a tokio runtime with I/O and time enabled; the server's tasks run there, and threads of its own read
    /// and write files.
    ///
    /// # Errors
    ///
    /// Fails outside of a tokio runtime. Fails if the server cannot listen, if the data folder cannot be used, if the
    /// allow list cannot be read, and without a data folder where only owners may update.
    ///
    /// # Panics
    ///
    /// Panics if the runtime has I/O or time disabled.
    pub async fn start(self) -> Result<Server, ServerError> {
        Ok(self.start_with_events().await?.0)
    }

    /// Starts a server, and returns its events from the first one on.
    ///
    /// # Errors
    ///
    /// As [`ServerBuilder::start`].
    ///
    /// # Panics
    ///
    /// As [`ServerBuilder::start`].
    pub async fn start_with_events(self) -> Result<(Server, Events<Event>), ServerError> {
        let runtime = Handle::try_current().map_err(|_| ServerError::NoRuntime)?;
        let (broadcaster, throttles) = (Broadcaster::new(), Throttles::new(self.limits));
        let events = broadcaster.subscribe();
        // Folders and files may be on a slow disk, or on a network that does not answer.
        let prepared = runtime.spawn_blocking(move || self.prepare()).await;
        let prepared = match prepared {
            Ok(prepared) => prepared?,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_cancelled) => return Err(ServerError::NoRuntime),
            },
        };
        let Prepared { listener, address, machine, clock, allow_list, store, journal } = prepared;
        let mut control = Control::new(
            machine.clone(),
            clock,
            broadcaster.sender(),
            allow_list,
            store,
            throttles.clone(),
            journal,
        );
        control.check_store().map_err(StoreError::Threads)?;
        control.begin();
        let lifecycle = Lifecycle::spawn(|stop| control.run(listener, stop));
        let shared = Shared { broadcaster, lifecycle, machine, address, throttles };
        Ok((Server(std::sync::Arc::new(shared)), events))
    }

    /// Opens the files and the socket.
    fn prepare(self) -> Result<Prepared, ServerError> {
        let keeps = self.data.is_some();
        let config = self.config.with_storage(keeps).ok_or(ServerError::OwnersNeedData)?;
        let allow_list = AllowListFile::open(self.allow_list)?;
        let data = self.data.as_deref();
        let store = Store::open(data)?;
        let (mut journal, records) = Journal::open(data)?;
        let (listener, address) = listen(&self.host, self.port)?;
        let clock = Clock::start();
        let machine = ServerMachine::new(config, seed(), clock.time());
        // Without a data folder the options count, and nothing is written down.
        let machine = if keeps {
            machine.with_records(&records).with_held_since(journal.held_since()?)
        } else {
            machine
        };
        Ok(Prepared {
            listener,
            address,
            machine: Machine::new(machine),
            clock,
            allow_list,
            store,
            journal,
        })
    }
}

/// Everything that a server needs before its task can begin.
struct Prepared {
    listener: TcpListener,
    address: SocketAddr,
    machine: Machine,
    clock: Clock,
    allow_list: AllowListFile,
    store: Store,
    journal: Journal,
}

/// Listens at `host`, which may be an IPv6 address in brackets.
fn listen(host: &str, port: u16) -> Result<(TcpListener, SocketAddr), ServerError> {
    let listen = || {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let listener = std::net::TcpListener::bind((host, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((TcpListener::from_std(listener)?, address))
    };
    listen().map_err(|source| ServerError::Bind { address: format!("{host}:{port}"), source })
}
