//! A league's server.

use std::{
    ffi::{c_char, c_void},
    mem::offset_of,
};

use livery::{
    Events, Limits, ServerBuilder, ServerError, ServerEvent, StoreError, Updates, league::Setting,
};

use crate::{
    error::Failure,
    event::{Event, EventCallback},
    guard,
    handle::{self, Handle},
    host::{Callback, Host, Service},
    messages,
    ptr::{self, Out},
    result::ResultCode,
    rules::ScanOptions,
    sized::{self, Given, Growing},
    text,
    union::{naming, policy, scope},
};

/// A running server of a league. Any thread may call it, several at once.
#[derive(Debug)]
pub struct Server(Host<livery::Server>);

impl Handle for Server {
    type Service = livery::Server;

    fn new(host: Host<livery::Server>) -> Self {
        Self(host)
    }

    fn host(&self) -> &Host<livery::Server> {
        &self.0
    }
}

impl Service for livery::Server {
    const NAME: &'static str = "server";
    const WORKERS: Option<usize> = None;
    type Builder = ServerBuilder;
    type Events = Events<ServerEvent>;

    async fn start(builder: ServerBuilder) -> Result<(Self, Self::Events), Failure> {
        builder.start_with_events().await.map_err(|error| {
            let code = match &error {
                ServerError::Bind { .. } => ResultCode::System,
                ServerError::Store(StoreError::Folder { .. } | StoreError::Busy { .. })
                | ServerError::AllowList { .. } => ResultCode::Folder,
                ServerError::Store(_) => ResultCode::System,
                ServerError::OwnersNeedData => ResultCode::InvalidArgument,
                _ => ResultCode::Failed,
            };
            Failure::of(code, &error)
        })
    }

    async fn stop(&self) {
        Self::stop(self).await;
    }

    fn set_limits(&self, limits: Limits) {
        Self::set_limits(self, limits);
    }
}

/// The configuration of a server. Zero and NULL mean the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ServerOptions {
    /// sizeof(liverysync_server_options).
    pub size: usize,
    /// Address to listen on. Default: `0.0.0.0`, which is every address of this PC.
    pub host: *const c_char,
    /// A file with the liveries to distribute, one folder name per line. Default: all liveries are distributed.
    pub allow_list: *const c_char,
    /// A folder for the store and the league database, which the next start finds again. The server creates it. Default:
    /// none; the store is in a temporary folder, and the league is forgotten when the server stops.
    pub data: *const c_char,
    /// The file extensions that may join, as in liverysync_scan_options.
    pub extensions: *const c_char,
    /// The text between a name and the digits of a conflict name. Default: `__CONFLICT__`.
    pub conflict_suffix: *const c_char,
    /// Largest number of files of one client. Default: 50,000.
    pub max_entries: u64,
    /// Largest file, in bytes. Default: 256 MiB.
    pub max_file_size: u64,
    /// Port to listen on, up to 65535. Default: any free one, which liverysync_server_port() returns. The default of
    /// clients, and of the program, is 9239.
    pub port: u32,
    /// A liverysync_policy: who keeps a name. Default: LIVERYSYNC_POLICY_ESTABLISHED, which is the first to come.
    pub conflict_policy: u32,
    /// Upload limit over all connections together, in bytes per second; less than 50,000 counts as 50,000. Default: no
    /// limit.
    pub limit_up: u64,
    /// Download limit, as limit_up.
    pub limit_down: u64,
    /// Disk space for files kept for later drivers, in bytes. Default: 8 GiB.
    pub store_size: u64,
    /// Disk space for files on their way from one driver to the others, in bytes. Default: 1 GiB.
    pub spool_size: u64,
    /// Not 0: keep a file only while somebody downloads it, whatever store_size says.
    pub keep_nothing: u32,
    /// A liverysync_scope: the part of a livery that becomes a conflict copy. Default: LIVERYSYNC_SCOPE_FILE.
    pub conflict_scope: u32,
    /// A liverysync_updates: the members who may update a livery of the league. Default:
    /// LIVERYSYNC_UPDATES_DEFAULT.
    pub updates: u32,
    /// Leave it 0.
    pub reserved: u32,
    /// Called for each event on a thread of the library, one at a time, in order; liverysync_server_next_event() cannot
    /// be used then. Default: none.
    pub on_event: EventCallback,
    /// Passed through to on_event.
    pub userdata: *mut c_void,
}

/// The members who may update a livery of the league.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdatesBy {
    /// Only its owners in a league that begins in a data folder, anyone without one. This is the default.
    Default = 0,
    /// Anyone who edits what they had in sync.
    Anyone = 1,
    /// Only its owners; an edit or addition by anyone else becomes a conflict copy. It needs a data folder.
    Owner = 2,
}

fn updates(number: u32) -> Result<Updates, Failure> {
    match number {
        n if n == UpdatesBy::Default as u32 || n == UpdatesBy::Anyone as u32 => Ok(Updates::Anyone),
        n if n == UpdatesBy::Owner as u32 => Ok(Updates::Owner),
        other => Err(Failure::argument(messages::unknown_choice("rule for updates", other))),
    }
}

// SAFETY: `repr(C)`, begins with its size; its first version ended before the limits.
unsafe impl Growing for ServerOptions {
    const NAME: &'static str = "liverysync_server_options";
    const SIZE_MIN: usize = offset_of!(Self, limit_up);
}

// SAFETY: it holds only integers and pointers, and a function that may be NULL.
unsafe impl Given for ServerOptions {}

impl ServerOptions {
    /// Returns the league's settings that are not left at their default.
    fn settings_given(&self) -> impl Iterator<Item = Setting> {
        let given = [
            (Setting::ConflictSuffix, !self.conflict_suffix.is_null()),
            (Setting::ConflictScope, self.conflict_scope != 0),
            (Setting::ConflictPolicy, self.conflict_policy != 0),
            (Setting::Extensions, !self.extensions.is_null()),
            (Setting::Updates, self.updates != 0),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(setting, _)| setting)
    }

    /// # Safety
    ///
    /// Its pointers are NULL or text.
    unsafe fn read(&self) -> Result<ServerBuilder, Failure> {
        let scan = ScanOptions {
            size: size_of::<ScanOptions>(),
            extensions: self.extensions,
            derived_dds: 0,
            placeholders: 0,
            max_entries: self.max_entries,
            max_file_size: self.max_file_size,
        };
        if self.reserved != 0 {
            return Err(Failure::argument(messages::RESERVED));
        }
        let port = u16::try_from(self.port)
            .map_err(|_| Failure::argument(messages::no_port(self.port)))?;
        // SAFETY: as the caller of this function promises.
        let (host, allow_list, data, rules, naming) = unsafe {
            (
                ptr::optional_text(self.host, "host")?,
                ptr::optional_text(self.allow_list, "allow_list")?,
                ptr::optional_text(self.data, "data")?,
                scan.rules()?,
                naming(self.conflict_suffix, self.extensions)?,
            )
        };
        let mut builder = livery::Server::builder()
            .port(port)
            .rules(rules)
            .naming(naming.with_scope(scope(self.conflict_scope)?))
            .policy(policy(self.conflict_policy)?)
            .updates(updates(self.updates)?)
            .settings_given(self.settings_given());
        if let Some(host) = host {
            builder = builder.host(host);
        }
        if let Some(file) = allow_list {
            builder = builder.allow_list(file);
        }
        if let Some(folder) = data {
            builder = builder.data(folder);
        }
        builder = match (self.keep_nothing, self.store_size) {
            (0, 0) => builder,
            (0, size) => builder.store_bytes_max(size),
            _ => builder.store_bytes_max(0),
        };
        if self.spool_size > 0 {
            builder = builder.spool_bytes_max(self.spool_size);
        }
        Ok(builder.limits(handle::limits(self.limit_up, self.limit_down)))
    }
}

/// Starts a server: drivers may connect. It keeps copies of the options, which may be NULL: all defaults. Free it with
/// liverysync_server_free().
///
/// `server_out` is set before the callback of the options is called for the first time. No event is missed.
///
/// Fails with LIVERYSYNC_RESULT_SYSTEM if it cannot listen there, with LIVERYSYNC_RESULT_FOLDER if the data folder
/// cannot be made or the allow list cannot be read, and with LIVERYSYNC_RESULT_INVALID_ARGUMENT if only owners may update
/// and there is no data folder. Nothing runs then, and there is nothing to free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_start(
    options: *const ServerOptions,
    server_out: *mut *mut Server,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: NULL or options with their size, and room for a pointer.
        let (options, out) = unsafe {
            let out = Out::new(server_out, "server_out")?;
            (sized::read_optional(options)?, out)
        };
        let Some(options) = options else {
            return handle::start(livery::Server::builder().port(0), None, out);
        };
        // SAFETY: the contract: each pointer in it is NULL or text, and the callback may be called on another thread
        // until the server is stopped.
        let (builder, callback) =
            unsafe { (options.read()?, Callback::new(options.on_event, options.userdata)) };
        handle::start(builder, callback, out)
    })
}

/// Returns the port on which the server listens, or listened until it was stopped; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_port(server: *const Server) -> u32 {
    guard::value(0, || {
        // SAFETY: the contract: NULL or a server.
        let server = unsafe { server.as_ref() }?;
        Some(server.0.service().address().port().into())
    })
}

/// Makes the league's status as a JSON object: the connected clients, and the files that each of them is missing.
/// docs/json.md describes it. Free it with liverysync_string_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_status(
    server: *const Server,
    json_out: *mut *mut c_char,
) -> ResultCode {
    let status = |host: &Host<livery::Server>| {
        // SAFETY: the contract: room for a pointer.
        let out = unsafe { Out::new(json_out, "json_out") }?;
        let json = serde_json::to_string(&host.service().status())
            .map_err(|error| Failure::new(ResultCode::Failed, error))?;
        out.set(text::owned(&json).into_raw());
        Ok(())
    };
    // SAFETY: the contract: a server.
    unsafe { handle::call(server, status) }
}

/// Changes the speed limits, as liverysync_client_set_limits() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_set_limits(
    server: *const Server,
    limit_up: u64,
    limit_down: u64,
) -> ResultCode {
    // SAFETY: the contract: a server.
    unsafe { handle::set_limits(server, limit_up, limit_down) }
}

/// Copies the next event into `event_out`, as liverysync_client_next_event() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_next_event(
    server: *mut Server,
    wait_ms: u32,
    event_out: *mut Event,
) -> ResultCode {
    // SAFETY: the contract: a server, and room for an event with its size.
    unsafe { handle::next_event(server, wait_ms, event_out) }
}

/// Stops the server, closes every connection and waits for its end. Stopping twice is fine.
///
/// No call of the callback is running or follows once this has returned.
///
/// Refused with LIVERYSYNC_RESULT_IN_CALLBACK from the server's own callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_stop(server: *mut Server) -> ResultCode {
    // SAFETY: the contract: a server.
    unsafe { handle::stop(server) }
}

/// Stops a server and frees it, as liverysync_client_free() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_free(server: *mut Server) -> ResultCode {
    // SAFETY: the contract: NULL or a server.
    unsafe { handle::free(server) }
}
