//! A league's server.

use std::{
    ffi::{c_char, c_void},
    mem::offset_of,
    sync::{Mutex, OnceLock, PoisonError},
};

use livery::{Events, Limits, ServerBuilder, ServerError, ServerEvent, StoreError, Updates};

use crate::{
    client::limits,
    error::Failure,
    event::{Event, EventCallback},
    guard,
    host::Host,
    ptr::{self, Out},
    result::ResultCode,
    rules::ScanOptions,
    sized::{self, Given, Growing, OutSized},
    text,
    union::{naming, policy, scope},
};

/// A league's server. Any thread may call it, several at once.
#[derive(Debug)]
pub struct Server {
    builder: ServerBuilder,
    limits: Mutex<Limits>,
    /// There is none before the start.
    server: OnceLock<livery::Server>,
    host: Host<Events<ServerEvent>>,
}

/// What a server needs to know. Zero and NULL mean the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ServerOptions {
    /// sizeof(liverysync_server_options).
    pub size: usize,
    /// Address to listen at. Default: `0.0.0.0`, which is every address of this PC.
    pub host: *const c_char,
    /// A file with the liveries that are distributed, one folder name per line. Default: all liveries are.
    pub allow_list: *const c_char,
    /// A folder in which the server keeps the files that it has got, also for its next start. It is made. Default: a
    /// temporary one, which goes with the server.
    pub data: *const c_char,
    /// The file extensions that may join, as in liverysync_scan_options.
    pub extensions: *const c_char,
    /// What stands between a name and the digits of a conflict name. Default: `__CONFLICT__`.
    pub conflict_suffix: *const c_char,
    /// Largest number of files of one client. Default: 50,000.
    pub max_entries: u64,
    /// Largest file, in bytes. Default: 1 TiB.
    pub max_file_size: u64,
    /// Port to listen at, up to 65535. Default: any free one, which liverysync_server_port() tells: 0 is what zeroed
    /// options hold. The program's default, which clients take too, is 9239.
    pub port: u32,
    /// A liverysync_policy: who keeps a name. Default: LIVERYSYNC_POLICY_ESTABLISHED, which is the first to come.
    pub conflict_policy: u32,
    /// How fast files may leave, over all connections together, in bytes per second; less than 50,000 counts as 50,000.
    /// Default: no limit.
    pub limit_up: u64,
    /// How fast files may come in, as limit_up.
    pub limit_down: u64,
    /// How many bytes may be kept for those who come later. Default: 8 GiB.
    pub store_size: u64,
    /// How many bytes may lie in the data folder in any case, on their way from one driver to the others. Default:
    /// 1 GiB.
    pub spool_size: u64,
    /// Not 0: nothing is kept longer than somebody waits for it, whatever store_size says.
    pub relay_only: u32,
    /// A liverysync_scope: what becomes a conflict copy. Default: LIVERYSYNC_SCOPE_FILE.
    pub conflict_scope: u32,
    /// A liverysync_updates: who may change a livery that is established. Default: LIVERYSYNC_UPDATES_ANYONE. The other rule
    /// needs a data folder.
    pub updates: u32,
    /// Leave it 0.
    pub reserved: u32,
}

/// Who may change a livery that is established.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdatesBy {
    /// Anyone who edits what he had in sync. This is the default.
    Anyone = 0,
    /// Of these only its owners; what others make of it, or add to it, is a rival.
    Owner = 1,
}

fn updates(number: u32) -> Result<Updates, Failure> {
    match number {
        n if n == UpdatesBy::Anyone as u32 => Ok(Updates::Anyone),
        n if n == UpdatesBy::Owner as u32 => Ok(Updates::Owner),
        other => Err(Failure::argument(format_args!("there is no rule for updates {other}"))),
    }
}

// SAFETY: `repr(C)`, begins with its size; its first version ended before the limits.
unsafe impl Growing for ServerOptions {
    const NAME: &'static str = "liverysync_server_options";
    const SIZE_MIN: usize = offset_of!(Self, limit_up);
}

// SAFETY: it holds only integers and pointers.
unsafe impl Given for ServerOptions {}

impl ServerOptions {
    /// # Safety
    ///
    /// Its pointers are NULL or text.
    unsafe fn read(&self) -> Result<(ServerBuilder, Limits), Failure> {
        let scan = ScanOptions {
            size: size_of::<ScanOptions>(),
            extensions: self.extensions,
            derived_dds: 0,
            placeholders: 0,
            max_entries: self.max_entries,
            max_file_size: self.max_file_size,
        };
        if self.reserved != 0 {
            return Err(Failure::argument("reserved is not 0"));
        }
        let port = u16::try_from(self.port)
            .map_err(|_| Failure::argument(format_args!("{} is no port", self.port)))?;
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
            .updates(updates(self.updates)?);
        if let Some(host) = host {
            builder = builder.host(host);
        }
        if let Some(file) = allow_list {
            builder = builder.allow_list(file);
        }
        if let Some(folder) = data {
            builder = builder.data(folder);
        }
        builder = match (self.relay_only, self.store_size) {
            (0, 0) => builder,
            (0, size) => builder.store_bytes_max(size),
            _ => builder.store_bytes_max(0),
        };
        if self.spool_size > 0 {
            builder = builder.spool_bytes_max(self.spool_size);
        }
        Ok((builder, limits(self.limit_up, self.limit_down)))
    }
}

impl Server {
    async fn start(&self) -> Result<Events<ServerEvent>, Failure> {
        let builder = self.builder.clone().limits(self.limits());
        let started = builder.start_with_events().await.map_err(|error| {
            let code = match &error {
                ServerError::Bind { .. } => ResultCode::System,
                ServerError::Store(StoreError::Folder { .. } | StoreError::Busy { .. })
                | ServerError::AllowList { .. } => ResultCode::Folder,
                ServerError::Store(_) => ResultCode::System,
                ServerError::OwnersNeedData => ResultCode::InvalidArgument,
                _ => ResultCode::Failed,
            };
            Failure::of(code, &error)
        });
        let (server, events) = started?;
        // The host starts it once. Another thread may have changed the limits meanwhile.
        self.server.get_or_init(|| server).set_limits(self.limits());
        Ok(events)
    }

    async fn stop(&self) {
        if let Some(server) = self.server.get() {
            server.stop().await;
        }
    }

    fn limits(&self) -> Limits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_limits(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
        if let Some(server) = self.server.get() {
            server.set_limits(limits);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.host.end();
    }
}

/// Makes a server that does nothing yet. It keeps copies of the options, which may be NULL: all defaults. Free it with
/// liverysync_server_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_new(
    options: *const ServerOptions,
    server_out: *mut *mut Server,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: NULL or options with their size, and room for a pointer.
        let (options, out) = unsafe {
            let out = Out::new(server_out, "server_out")?;
            (sized::read_optional(options)?, out)
        };
        let (builder, limits) = match options {
            // SAFETY: the contract: what is not NULL in it is text.
            Some(options) => unsafe { options.read() }?,
            None => (livery::Server::builder().port(0), Limits::default()),
        };
        let host = Host::new("server", None)?;
        let (limits, server) = (Mutex::new(limits), OnceLock::new());
        out.hand_over(Server { builder, limits, server, host });
        Ok(())
    })
}

/// As liverysync_client_set_callback().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_set_callback(
    server: *mut Server,
    callback: EventCallback,
    userdata: *mut c_void,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a server.
        let server = unsafe { ptr::get(server, "server") }?;
        // SAFETY: the contract: the callback may be called on another thread until the server is stopped.
        server.host.guard(|| unsafe { server.host.set_callback(callback, userdata) })
    })
}

/// Starts the server: drivers may connect. A server runs once.
///
/// Fails with LIVERYSYNC_RESULT_SYSTEM if it cannot listen there, and with LIVERYSYNC_RESULT_FOLDER if the data folder
/// cannot be made or the allow list not be read; it can be started again then. Fails with LIVERYSYNC_RESULT_STARTED or
/// LIVERYSYNC_RESULT_STOPPED if it was started or stopped before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_start(server: *mut Server) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a server.
        let server = unsafe { ptr::get(server, "server") }?;
        server.host.guard(|| server.host.start(server.start()))
    })
}

/// The port at which the server listens, or listened; 0 before it was started, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_port(server: *const Server) -> u32 {
    guard::value(0, || {
        // SAFETY: the contract: NULL or a server.
        let server = unsafe { server.as_ref() }?.server.get()?;
        Some(server.address().port().into())
    })
}

/// How the league stands, as a JSON object: who is there, and what each of them lacks. docs/json.md describes it. Free it with
/// liverysync_string_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_status(
    server: *const Server,
    json_out: *mut *mut c_char,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a server, and room for a pointer.
        let (Server { server, host, .. }, out) =
            unsafe { (ptr::get(server, "server")?, Out::new(json_out, "json_out")?) };
        host.guard(|| {
            let status = server.get().map(livery::Server::status).unwrap_or_default();
            let json = serde_json::to_string(&status)
                .map_err(|error| Failure::new(ResultCode::Failed, error))?;
            out.set(text::owned(&json).into_raw());
            Ok(())
        })
    })
}

/// Changes how fast files may leave and come in, as liverysync_client_set_limits().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_set_limits(
    server: *const Server,
    limit_up: u64,
    limit_down: u64,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a server.
        let server = unsafe { ptr::get(server, "server") }?;
        server.host.guard(|| {
            server.set_limits(limits(limit_up, limit_down));
            Ok(())
        })
    })
}

/// As liverysync_client_next_event().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_next_event(
    server: *mut Server,
    wait_ms: u32,
    event_out: *mut Event,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a server, and room for an event with its size.
        let (server, out) = unsafe { (ptr::get(server, "server")?, OutSized::new(event_out)?) };
        server.host.guard(|| server.host.next_event(wait_ms, out))
    })
}

/// Stops the server, closes every connection and waits for its end. Stopping twice is fine.
///
/// Refused with LIVERYSYNC_RESULT_IN_CALLBACK from the server's own callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_stop(server: *mut Server) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a server.
        let server = unsafe { ptr::get(server, "server") }?;
        server.host.guard(|| server.host.stop(server.stop()))
    })
}

/// Stops a server if it runs, and frees it. As liverysync_client_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_server_free(server: *mut Server) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: NULL or a server.
        let Some(inner) = (unsafe { server.as_ref() }) else { return Ok(()) };
        inner.host.refuse_in_callback()?;
        let stopped = guard::caught(|| inner.host.stop(inner.stop()));
        // SAFETY: the contract: it is not used again.
        unsafe { ptr::free(server) };
        stopped
    })
}
