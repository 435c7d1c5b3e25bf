//! The configuration of a client, and its start.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use liverysync_core::{
    client::{ClientConfig, Event, LiveryGlobs, Role},
    conflict::Naming,
    league::MemberKey,
    lint::LintRules,
    select::Rules,
    text::InvalidText,
};
use tokio::{runtime::Handle, sync::Notify};

use super::{Client, ClientError, Driver, Lock, Names, Shared, driver::Wiring};
use crate::{
    DEFAULT_PORT,
    disk::{FolderState, check_writable},
    events::{Broadcaster, Events},
    identity::IdentityFile,
    lifecycle::Lifecycle,
    livery_list::LiveryList,
    places::{self, is_to_be_made},
    throttle::{Limits, Throttles},
};

/// The configuration of a client. [`ClientBuilder::start`] starts one with it.
///
/// Every setting has a default but the host of the server. Clones are independent, so a program can keep a
/// configuration and start a client with it more than once, one after the other.
#[derive(Clone, Debug)]
#[must_use = "a configuration does nothing until a client is started with it"]
pub struct ClientBuilder {
    pub(super) host: String,
    pub(super) port: u16,
    liveries: Option<PathBuf>,
    state: Option<PathBuf>,
    identity: Option<IdentityFile>,
    limits: Limits,
    as_before: bool,
    pub(super) config: ClientConfig,
}

impl ClientBuilder {
    pub(super) fn new(host: String) -> Self {
        let mut config = ClientConfig::default();
        config.name = host_name();
        let limits = Limits::default();
        let (port, liveries, state, identity) = (DEFAULT_PORT, None, None, None);
        Self { host, port, liveries, state, identity, limits, as_before: false, config }
    }

    /// Sets the server's port. Default: 9239.
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the liveries folder, which must exist; only in the game's own folder
    /// (`Assetto Corsa Competizione/Customs/Liveries`) the start makes what is missing. Default: the game's, as
    /// [`liveries_folder`](crate::liveries_folder) finds it.
    pub fn liveries(mut self, folder: impl Into<PathBuf>) -> Self {
        self.liveries = Some(folder.into());
        self
    }

    /// Sets the state folder, which the client makes if it does not exist. Default: none;
    /// [`state_folder`](crate::state_folder) suggests one.
    ///
    /// The client keeps there, for each liveries folder:
    ///
    /// - a cache of what the files hold. With it a start reads only files that have changed; without it a start reads
    ///   all of them, as fast as the disk allows.
    /// - the list of ignored liveries, which replaces [`ignored`](Self::ignored); see [`LiveryList`]. It is read again
    ///   when it changes.
    /// - for each league, the list of liveries that are [shared](Self::share) with it, which is read again as well.
    ///
    /// They belong to the folder, not to its path: another spelling finds them, and so does a folder that was moved,
    /// as long as most of its files are as they were.
    pub fn state(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state = Some(folder.into());
        self
    }

    /// Sets the file with the driver's member key, by which leagues recognize them in whatever folder. The first start
    /// makes it, and takes over the member keys that an earlier version has left in the [state folder](Self::state).
    /// Default: that of the user, [`IdentityFile::of_user`], if there is a state folder. Without both and a
    /// [`member_key`](Self::member_key) the driver is anonymous and owns nothing.
    ///
    /// A program that runs clients of several drivers has to give each of them a file of its own.
    pub fn identity(mut self, file: impl Into<PathBuf>) -> Self {
        self.identity = Some(IdentityFile::new(file));
        self
    }

    /// Sets the speed limits. [`Client::set_limits`] changes them later. Default: no limit.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the name that others see; see [`check_name`](Self::check_name). Default: the PC's host name, or `unnamed`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = name.into();
        self
    }

    /// Checks the name of a driver or PC: 1 to 64 characters, not counting blanks around them. Returns it without
    /// those. A client uses the first 64 characters of a longer name.
    ///
    /// # Errors
    ///
    /// Refuses a name that is empty or longer.
    pub fn check_name(name: &str) -> Result<&str, InvalidText> {
        ClientConfig::check_name(name)
    }

    /// Sets the driver's Steam id, a label that the server shows and never a credential; [`steam_id`](crate::steam_id)
    /// finds it. Default: `UNKNOWN`.
    pub fn steam_id(mut self, steam_id: impl Into<String>) -> Self {
        self.config.steam_id = steam_id.into();
        self
    }

    /// Sets the key by which the league recognizes this PC's driver. It is a secret: whoever has it can change the
    /// driver's liveries. Default: the one of the [identity](Self::identity).
    pub fn member_key(mut self, key: MemberKey) -> Self {
        self.config.keys.member = Some(key);
        self
    }

    /// Sets which files are shared, and how many of which size. Default: [`Rules::default`].
    pub fn rules(mut self, rules: Rules) -> Self {
        self.config.rules = rules;
        self
    }

    /// Sets the liveries that this PC neither shares nor downloads. A list in the [state folder](Self::state) replaces
    /// it. Default: none.
    pub fn ignored(mut self, ignored: LiveryGlobs) -> Self {
        self.config.ignored = ignored;
        self
    }

    /// Sets the liveries that this PC shares although the league does not have them. Those that the league has sync both
    /// ways in any case. With a [state folder](Self::state), the list is kept there for this league, and a later start
    /// without one uses it.
    ///
    /// Default: the list that is kept. If there is none, the PC shares everything, unless it has more than 10 liveries
    /// that the league does not have. Then it shares none of them, and [`ClientEvent::ShareNeeded`](Event::ShareNeeded)
    /// says so, until [`LiveryList::shared`] lists some. A PC that an earlier version has synced shares everything.
    pub fn share(mut self, liveries: LiveryGlobs) -> Self {
        self.config.share = Some(liveries);
        self
    }

    /// Sets the only role that this PC takes. A [target](Role::Target) publishes nothing of its own: what its driver adds
    /// stays on this PC, and what they change of the league's stays until the league changes it, too. A
    /// [source](Role::Source) publishes what it shares and downloads nothing. Default: both.
    pub const fn only(mut self, role: Role) -> Self {
        self.config.only = Some(role);
        self
    }

    /// Has a dry run look at what the last client of this folder did, if it took only one role.
    #[doc(hidden)]
    pub const fn as_before(mut self) -> Self {
        self.as_before = true;
        self
    }

    /// Sets the league's rules by which the liveries of this PC are judged for [`ClientEvent::Finding`](Event::Finding).
    /// Default: [`LintRules::default`], which is what the game needs.
    pub fn lint_rules(mut self, rules: LintRules) -> Self {
        self.config.lint_rules = rules;
        self
    }

    /// Sets how conflict copies are named where the server does not say, as servers of protocol 1 do not. Default:
    /// [`Naming::default`].
    pub fn naming(mut self, naming: Naming) -> Self {
        self.config.naming = naming;
        self
    }

    /// Sets how long a file must be unchanged before it is shared; the other files of its livery wait for it, at most
    /// 10 s. A longer time shares fewer half-saved liveries and delays all others. Default: 300 ms.
    pub const fn settle(mut self, time: Duration) -> Self {
        self.config.settle = time;
        self
    }

    /// Sets how often the folder is walked even if the system reports no change. A walk looks at every file and reads
    /// none that is unchanged. Default: 60 s.
    pub const fn rescan(mut self, interval: Duration) -> Self {
        self.config.rescan = interval;
        self
    }

    /// Sets the first wait before connecting again. Each further wait is twice as long. Default: 1 s.
    pub const fn retry_first(mut self, wait: Duration) -> Self {
        self.config.retry_first = wait;
        self
    }

    /// Sets the longest wait before connecting again; one below [`retry_first`](Self::retry_first) counts as that.
    /// A short one finds a server that is back sooner and costs an attempt each time. Default: 30 s.
    pub const fn retry_max(mut self, wait: Duration) -> Self {
        self.config.retry_cap = wait;
        self
    }

    /// Sets how often the client asks the server for a sign of life; more than a third of the
    /// [silence timeout](Self::silence_timeout) counts as that. Each costs a few bytes. Default: 30 s.
    pub const fn ping(mut self, interval: Duration) -> Self {
        self.config.ping = interval;
        self
    }

    /// Sets how long the server may be silent before the client connects again. A short timeout notices a dead
    /// connection sooner, and mistakes a slow one for dead. Default: 90 s.
    pub const fn silence_timeout(mut self, timeout: Duration) -> Self {
        self.config.silence_timeout = timeout;
        self
    }

    /// Sets how long to wait for a file from a server of protocol 1. A server of protocol 2 watches the other clients
    /// itself. Default: 60 s.
    pub const fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.config.stall_timeout = timeout;
        self
    }

    /// Sets whether the client only finds out what would happen. It changes nothing on any disk then, takes no lock,
    /// and reads an identity but makes none. Default: `false`.
    pub const fn dry_run(mut self, dry_run: bool) -> Self {
        self.config.dry_run = dry_run;
        self
    }

    /// Starts a client.
    ///
    /// It needs a tokio runtime with I/O and time enabled; the client's tasks run there, and threads of its own read
    /// and write files.
    ///
    /// # Errors
    ///
    /// Fails outside of a tokio runtime. Fails if the liveries folder does not exist, cannot be read or (but for a dry
    /// run) written, or is synced by another client on this PC, and if the identity, the state folder or the list of
    /// ignored liveries cannot be used.
    ///
    /// # Panics
    ///
    /// Panics if the runtime has I/O or time disabled.
    pub async fn start(self) -> Result<Client, ClientError> {
        Ok(self.start_with_events().await?.0)
    }

    /// Starts a client, and returns its events from the first one on.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::start`].
    ///
    /// # Panics
    ///
    /// As [`ClientBuilder::start`].
    pub async fn start_with_events(self) -> Result<(Client, Events<Event>), ClientError> {
        let runtime = Handle::try_current().map_err(|_| ClientError::NoRuntime)?;
        let (broadcaster, throttles) = (Broadcaster::new(), Throttles::new(self.limits));
        let events = broadcaster.subscribe();
        let sync_wanted = Arc::<Notify>::default();
        let wiring = Wiring {
            address: (self.host.clone(), self.port),
            events: broadcaster.sender(),
            sync_wanted: Arc::clone(&sync_wanted),
            throttles: throttles.clone(),
        };
        // Folders and files may be on a slow disk, or on a network that does not answer.
        let prepared = runtime.spawn_blocking(move || self.prepare(wiring)).await;
        let (driver, names) = match prepared {
            Ok(prepared) => prepared?,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_cancelled) => return Err(ClientError::NoRuntime),
            },
        };
        let lifecycle = Lifecycle::spawn(|stop| driver.run(stop));
        let shared = Shared { broadcaster, lifecycle, sync_wanted, throttles, names, runtime };
        Ok((Client(Arc::new(shared)), events))
    }

    /// Checks and locks the folders, and reads what the client needs of them.
    fn prepare(self, wiring: Wiring) -> Result<(Driver, Names), ClientError> {
        let liveries = match &self.liveries {
            Some(folder) => folder.clone(),
            None => places::liveries_folder()?,
        };
        let names = Names {
            server: server_name(&self.host, self.port),
            folder: liveries.display().to_string(),
            dry_run: self.config.dry_run,
        };
        if !self.config.dry_run {
            places::complete(&liveries)
                .map_err(|source| ClientError::Folder { path: liveries.clone(), source })?;
        }
        let root = folder(&liveries)?;
        let lock = if self.config.dry_run {
            None
        } else {
            let lock = Lock::take(&root)?;
            check_writable(&root)
                .map_err(|source| ClientError::Folder { path: liveries, source })?;
            Some(lock)
        };
        let state = self.folder_state(&root)?;
        let (server, as_before) = (names.server.clone(), self.as_before);
        let (mut config, identity) = self.identified()?;
        let lists = state.as_ref().map(|state| Lists {
            ignored: LiveryList::ignored_in(state),
            shared: LiveryList::shared_in(state, server.clone()),
        });
        if let (Some(lists), Some(state)) = (&lists, &state) {
            lists.read(state, &mut config)?;
            if as_before && config.only.is_none() {
                let mut leagues = state.leagues().into_iter();
                config.only = leagues.find(|(one, _)| *one == server).and_then(|(_, only)| only);
            }
        }
        let cache = state.map(|state| state.cache());
        let driver = Driver::new(wiring, config, root, cache, lock, lists, identity)?;
        Ok((driver, names))
    }

    /// Finds what the state folder has about the liveries folder.
    fn folder_state(&self, root: &Path) -> Result<Option<FolderState>, ClientError> {
        let Some(state) = &self.state else { return Ok(None) };
        let found = FolderState::find(state, root).and_then(|mut found| {
            if !self.config.dry_run {
                found.claim()?;
                found.note_league(&server_name(&self.host, self.port), self.config.only)?;
            }
            Ok(found)
        });
        found.map(Some).map_err(|source| ClientError::State { path: state.clone(), source })
    }

    /// Returns the configuration with the keys of the driver, and their file.
    pub(super) fn identified(self) -> Result<(ClientConfig, Option<IdentityFile>), ClientError> {
        let (mut config, state) = (self.config, self.state.as_deref());
        let in_state = || state.map(|state| IdentityFile::new(state.join("identity.json")));
        let of_user = || state.and_then(|_| IdentityFile::of_user()).or_else(in_state);
        let file = self.identity.or_else(of_user).filter(|_| config.keys.member.is_none());
        let Some(file) = file else { return Ok((config, None)) };
        let identity = match config.dry_run {
            // It tells a dry run which liveries are its driver's.
            true => file.look(state),
            false => file.read_or_make(state).map(Some),
        };
        let path = file.path().to_owned();
        let identity = identity.map_err(|source| ClientError::Identity { path, source })?;
        if let Some(identity) = identity {
            config.keys.former = identity.untold(&server_name(&self.host, self.port));
            config.keys.member = Some(identity.member_key().clone());
        }
        Ok((config, Some(file)))
    }
}

/// The lists of a client, which people edit while it runs.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) ignored: LiveryList,
    pub(super) shared: LiveryList,
}

impl Lists {
    /// Reads the lists at a start, and keeps a list that was set.
    fn read(&self, state: &FolderState, config: &mut ClientConfig) -> Result<(), ClientError> {
        config.ignored = self.ignored.read()?;
        match &config.share {
            Some(_) if config.dry_run => {}
            Some(share) => self.shared.replace(share)?,
            None => config.share = self.shared.chosen()?,
        }
        // A start writes it down before it reads the list. A dry run writes nothing.
        if config.share.is_none() && state.was_synced_before() {
            config.share = Some(LiveryGlobs::all());
        }
        Ok(())
    }
}

/// Returns the absolute path of a folder that can be listed, or that a client would make.
fn folder(path: &Path) -> Result<PathBuf, ClientError> {
    // Only a dry run finds such a folder: any other client has made it.
    let list =
        |root: &Path| if is_to_be_made(root) { Ok(()) } else { fs::read_dir(root).map(drop) };
    let listed = std::path::absolute(path).and_then(|root| list(&root).map(|()| root));
    listed.map_err(|source| ClientError::Folder { path: path.to_owned(), source })
}

/// Returns the server's name for errors: an IPv6 address is in brackets.
pub(crate) fn server_name(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Returns the PC's host name, or `unnamed` if it cannot be a driver's name.
fn host_name() -> String {
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    ClientConfig::check_name(&name).unwrap_or("unnamed").to_owned()
}
