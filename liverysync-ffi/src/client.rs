//! A driver's client.

use std::{
    cell::RefCell,
    ffi::{CString, c_char, c_void},
    mem::offset_of,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use livery::{ClientBuilder, ClientError, ClientEvent, Events, Limits, SyncError};

use crate::{
    error::Failure,
    event::{Event, EventCallback, NO_LIMIT},
    guard,
    host::Host,
    ptr::{self, Out},
    result::ResultCode,
    rules::ScanOptions,
    sized::{self, Given, Growing, OutSized},
    text,
    union::naming,
};

/// A driver's client. Any thread may call it, several at once.
#[derive(Debug)]
pub struct Client {
    builder: ClientBuilder,
    limits: Mutex<Limits>,
    /// There is none before the start.
    client: OnceLock<livery::Client>,
    host: Host<Events<ClientEvent>>,
}

thread_local! {
    /// The last report of this thread, of whichever client.
    static REPORT: RefCell<CString> = RefCell::default();
}

/// What a client needs to know. Zero and NULL mean the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// sizeof(liverysync_client_options).
    pub size: usize,
    /// Host name or address of the server. There is no default.
    pub host: *const c_char,
    /// The liveries folder, which must be there. Default: the game's, as liverysync_liveries_folder() finds it.
    pub liveries: *const c_char,
    /// A folder in which it is kept what the files hold, so that the next start reads only those that have changed, and
    /// the key by which the league knows this client again. Default: nothing is kept, and the client is nobody in
    /// particular, who owns no livery.
    pub state: *const c_char,
    /// What others call this PC: 1 to 64 characters, without the blanks around them. Default: the host name, or
    /// `unnamed` if that cannot be one.
    pub name: *const c_char,
    /// A label that the server shows, never a credential. Default: `UNKNOWN`.
    pub steam_id: *const c_char,
    /// The file extensions that are shared, as in liverysync_scan_options.
    pub extensions: *const c_char,
    /// What stands between a name and the digits of a conflict name, where the server does not say. Default:
    /// `__CONFLICT__`.
    pub conflict_suffix: *const c_char,
    /// Largest number of files. Default: 50,000.
    pub max_entries: u64,
    /// Largest file, in bytes. Default: 1 TiB.
    pub max_file_size: u64,
    /// Port of the server, 1 to 65535. Default: 9239.
    pub port: u32,
    /// Not 0: the game's own caches of pictures are shared too.
    pub derived_dds: u32,
    /// Not 0: what the game leaves of a livery that this PC does not have is shared too.
    pub placeholders: u32,
    /// Not 0: find out what would happen, and change nothing.
    pub dry_run: u32,
    /// How long a file must have kept still before it is shared, in milliseconds; the rest of its livery waits for it, for
    /// at most 10 s. Default: 300.
    pub settle_ms: u32,
    /// How often the folder is walked even if nothing seems to have changed, in milliseconds. Default: 60,000.
    pub rescan_ms: u32,
    /// First wait before connecting again, in milliseconds; it is doubled each time. Default: 1,000.
    pub retry_first_ms: u32,
    /// Longest wait before connecting again, in milliseconds. Default: 30,000.
    pub retry_max_ms: u32,
    /// How long the server may be silent, in milliseconds. Default: 90,000.
    pub silence_timeout_ms: u32,
    /// How long to wait for a file from a server of protocol 1, in milliseconds; one of ours knows itself who is slow.
    /// Default: 60,000.
    pub stall_timeout_ms: u32,
    /// How fast files may leave, in bytes per second; less than 50,000 counts as 50,000. Default: no limit.
    pub limit_up: u64,
    /// How fast files may come in, as limit_up.
    pub limit_down: u64,
}

// SAFETY: `repr(C)`, begins with its size; its first version ended before the limits.
unsafe impl Growing for ClientOptions {
    const NAME: &'static str = "liverysync_client_options";
    const SIZE_MIN: usize = offset_of!(Self, limit_up);
}

// SAFETY: it holds only integers and pointers.
unsafe impl Given for ClientOptions {}

impl ClientOptions {
    /// # Safety
    ///
    /// Its pointers are NULL or text.
    unsafe fn read(&self) -> Result<(ClientBuilder, Limits), Failure> {
        let scan = ScanOptions {
            size: size_of::<ScanOptions>(),
            extensions: self.extensions,
            derived_dds: self.derived_dds,
            placeholders: self.placeholders,
            max_entries: self.max_entries,
            max_file_size: self.max_file_size,
        };
        let port = match self.port {
            0 => livery::DEFAULT_PORT,
            port => u16::try_from(port)
                .map_err(|_| Failure::argument(format_args!("{port} is no port")))?,
        };
        // SAFETY: as the caller of this function promises.
        let (host, liveries, state, name, steam_id, rules, naming) = unsafe {
            (
                ptr::text(self.host, "host")?,
                ptr::optional_text(self.liveries, "liveries")?,
                ptr::optional_text(self.state, "state")?,
                ptr::optional_text(self.name, "name")?,
                ptr::optional_text(self.steam_id, "steam_id")?,
                scan.rules()?,
                naming(self.conflict_suffix, self.extensions)?,
            )
        };
        if host.is_empty() {
            return Err(Failure::argument("host is empty"));
        }
        let mut builder = livery::Client::builder(host)
            .port(port)
            .rules(rules)
            .naming(naming)
            .dry_run(self.dry_run != 0);
        builder = match liveries {
            Some(folder) => builder.liveries(folder),
            None => builder.liveries(
                livery::liveries_folder()
                    .map_err(|error| Failure::new(ResultCode::NotFound, error))?,
            ),
        };
        if let Some(folder) = state {
            builder = builder.state(folder);
        }
        if let Some(name) = name {
            builder = builder.name(ClientBuilder::check_name(name).map_err(Failure::argument)?);
        }
        if let Some(steam_id) = steam_id {
            builder = builder.steam_id(steam_id);
        }
        let spans: [(u32, fn(ClientBuilder, Duration) -> ClientBuilder); 6] = [
            (self.settle_ms, ClientBuilder::settle),
            (self.rescan_ms, ClientBuilder::rescan),
            (self.retry_first_ms, ClientBuilder::retry_first),
            (self.retry_max_ms, ClientBuilder::retry_max),
            (self.silence_timeout_ms, ClientBuilder::silence_timeout),
            (self.stall_timeout_ms, ClientBuilder::stall_timeout),
        ];
        for (milliseconds, set) in spans {
            if milliseconds > 0 {
                builder = set(builder, Duration::from_millis(milliseconds.into()));
            }
        }
        Ok((builder, limits(self.limit_up, self.limit_down)))
    }
}

/// Limits in bytes per second, of which zero is none.
pub(crate) fn limits(up: u64, down: u64) -> Limits {
    let limit = |bytes_per_second: u64| (bytes_per_second > 0).then_some(bytes_per_second);
    Limits { up: limit(up), down: limit(down) }
}

/// What a sync has come to.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SyncReport {
    /// sizeof(liverysync_sync_report).
    pub size: usize,
    /// The report as a JSON object, as docs/json.md describes it: with the paths of `conflicts`. It stays valid until
    /// this thread calls liverysync_client_sync() again, on any client, or ends.
    pub json: *const c_char,
    /// Number of files that this PC shares and holds.
    pub files: u64,
    /// Sum of their sizes in bytes.
    pub bytes: u64,
    /// Number of files that came, but for those that were copied on this PC.
    pub received_files: u64,
    /// Sum of their sizes in bytes.
    pub received_bytes: u64,
    /// Number of times that a file left for another PC.
    pub sent_files: u64,
    /// Sum of their sizes in bytes.
    pub sent_bytes: u64,
    /// Number of files of this PC that have a conflict name.
    pub conflicts: u64,
    /// Files of the union that will not come as things are.
    pub withheld: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// 0: a server of the old kind has only been seen to be quiet. 1: this PC holds the union for certain.
    pub certain: u32,
    /// Leave it alone.
    pub reserved: u32,
    /// Number of liveries that this PC shares and holds.
    pub liveries: u64,
}

// SAFETY: `repr(C)`, begins with its size; what came later is at the end.
unsafe impl Growing for SyncReport {
    const NAME: &'static str = "liverysync_sync_report";
    const SIZE_MIN: usize = offset_of!(Self, liveries);
}

impl Client {
    async fn start(&self) -> Result<Events<ClientEvent>, Failure> {
        let builder = self.builder.clone().limits(self.limits());
        let started = builder.start_with_events().await.map_err(|error| {
            let code = match &error {
                ClientError::Folder { .. } => ResultCode::Folder,
                ClientError::Busy { .. } => ResultCode::Busy,
                ClientError::System(_) => ResultCode::System,
                _ => ResultCode::Failed,
            };
            Failure::of(code, &error)
        });
        let (client, events) = started?;
        // The host starts it once. Another thread may have changed the limits meanwhile.
        self.client.get_or_init(|| client).set_limits(self.limits());
        Ok(events)
    }

    fn limits(&self) -> Limits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn stop(&self) {
        if let Some(client) = self.client.get() {
            client.stop().await;
        }
    }

    fn set_limits(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
        if let Some(client) = self.client.get() {
            client.set_limits(limits);
        }
    }

    fn sync(&self, timeout_ms: u32, out: OutSized<SyncReport>) -> Result<(), Failure> {
        self.host.refuse_in_callback()?;
        self.host.refuse_unless_running()?;
        let timeout = (timeout_ms != NO_LIMIT).then(|| Duration::from_millis(timeout_ms.into()));
        let Some(client) = self.client.get() else {
            return Err(Failure::new(ResultCode::NotStarted, "the client was not started"));
        };
        let sync = match timeout {
            Some(timeout) => client.sync().timeout(timeout),
            None => client.sync(),
        };
        let report = self.host.runtime()?.block_on(sync.into_future()).map_err(|error| {
            let code = match &error {
                SyncError::Stopped => ResultCode::Stopped,
                SyncError::Unreachable { .. } => ResultCode::Unreachable,
                SyncError::ConnectionLost { .. } => ResultCode::Lost,
                SyncError::Folder { .. } => ResultCode::Folder,
                SyncError::TimedOut { .. } => ResultCode::TimedOut,
                _ => ResultCode::Failed,
            };
            Failure::of(code, &error)
        })?;
        if !out.is_wanted() {
            return Ok(());
        }
        let json = serde_json::to_string(&report)
            .map_err(|error| Failure::new(ResultCode::Failed, error))?;
        let keep = |last: &RefCell<CString>| {
            *last.borrow_mut() = text::owned(&json);
            last.borrow().as_ptr()
        };
        let json = REPORT.try_with(keep).map_err(|_| {
            Failure::new(ResultCode::Failed, "this thread is ending and can keep no report")
        })?;
        out.set(&SyncReport {
            size: size_of::<SyncReport>(),
            json,
            files: report.files as u64,
            bytes: report.bytes,
            received_files: report.received_files,
            received_bytes: report.received_bytes,
            sent_files: report.sent_files,
            sent_bytes: report.sent_bytes,
            conflicts: report.conflicts.len() as u64,
            withheld: report.withheld,
            took_ms: u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
            certain: report.certain.into(),
            reserved: 0,
            liveries: report.liveries as u64,
        });
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.host.end();
    }
}

/// Makes a client that does nothing yet. It keeps copies of the options. Free it with liverysync_client_free().
///
/// Fails with LIVERYSYNC_RESULT_NOT_FOUND if no liveries folder is named and the game's is not found.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_client_new(
    options: *const ClientOptions,
    client_out: *mut *mut Client,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: options with their size whose pointers are NULL or text, and room for a pointer.
        let ((builder, limits), out) = unsafe {
            let out = Out::new(client_out, "client_out")?;
            (sized::read(options)?.read()?, out)
        };
        // The shell's tasks wait most of the time; files are read and written by threads of their own.
        let host = Host::new("client", Some(2))?;
        let (limits, client) = (Mutex::new(limits), OnceLock::new());
        out.hand_over(Client { builder, limits, client, host });
        Ok(())
    })
}

/// Has `callback` called for each event, on a thread of the library, one at a time, in order. `callback` NULL: not any
/// more. To be set before liverysync_client_start(); liverysync_client_next_event() cannot be used then.
///
/// No call is under way or comes later once liverysync_client_stop() or liverysync_client_free() has returned.
/// `userdata` is handed to the callback as it is.
///
/// Fails with LIVERYSYNC_RESULT_STARTED once the client was started.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_client_set_callback(
    client: *mut Client,
    callback: EventCallback,
    userdata: *mut c_void,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a client.
        let client = unsafe { ptr::get(client, "client") }?;
        // SAFETY: the contract: the callback may be called on another thread until the client is stopped.
        client.host.guard(|| unsafe { client.host.set_callback(callback, userdata) })
    })
}

/// Starts the client. It walks the folder, connects, and goes on by itself until it is stopped: it connects again, takes
/// what is new, and shares what changes in the folder. A client runs once.
///
/// Fails with LIVERYSYNC_RESULT_FOLDER or LIVERYSYNC_RESULT_BUSY if the folder cannot be used, or is synced by another
/// client; it can be started again then. Fails with LIVERYSYNC_RESULT_STARTED or LIVERYSYNC_RESULT_STOPPED if it was
/// started or stopped before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_client_start(client: *mut Client) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a client.
        let client = unsafe { ptr::get(client, "client") }?;
        client.host.guard(|| client.host.start(client.start()))
    })
}

/// Waits until this PC holds the union and nobody needs anything more from it. What lies in the folder by now takes
/// part. The client goes on afterwards.
///
/// `timeout_ms` is how long to wait at most. With LIVERYSYNC_NO_LIMIT, a server that cannot be reached is a failure at
/// once; with a limit it is tried until then. A dry run ends with its plan, which is an event. `report_out` may be NULL.
///
/// Other threads may read events, sync or stop meanwhile.
///
/// Fails with LIVERYSYNC_RESULT_NOT_STARTED, LIVERYSYNC_RESULT_STOPPED (also if it is stopped meanwhile),
/// LIVERYSYNC_RESULT_TIMED_OUT, LIVERYSYNC_RESULT_UNREACHABLE, LIVERYSYNC_RESULT_LOST or LIVERYSYNC_RESULT_FOLDER. What
/// has arrived by then stays. Refused with LIVERYSYNC_RESULT_IN_CALLBACK from the client's own callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_client_sync(
    client: *mut Client,
    timeout_ms: u32,
    report_out: *mut SyncReport,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a client, and NULL or room for a report with its size.
        let (client, out) = unsafe {
            let client = ptr::get(client, "client")?;
            (client, OutSized::optional(report_out)?)
        };
        client.host.guard(|| client.sync(timeout_ms, out))
    })
}

/// Changes how fast files may leave and come in, in bytes per second, from now on; 0 is no limit, and less than 50,000
/// counts as 50,000. The client may run or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_client_set_limits(
    client: *const Client,
    limit_up: u64,
    limit_down: u64,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a client.
        let client = unsafe { ptr::get(client, "client") }?;
        client.host.guard(|| {
            client.set_limits(limits(limit_up, limit_down));
            Ok(())
        })
    })
}

/// Copies the next event into `event_out`, waiting at most `wait_ms` milliseconds. 0: do not wait; LIVERYSYNC_NO_LIMIT:
/// wait for ever.
///
/// Events are kept from liverysync_client_new() on. A host that does not read them misses those that only show progress
/// first, and later others, which LIVERYSYNC_EVENT_KIND_MISSED tells. The strings of the event stay valid until the next
/// call of this function on `client`, or until that is freed.
///
/// LIVERYSYNC_RESULT_NO_EVENT: none came. LIVERYSYNC_RESULT_STOPPED: there will be none any more.
/// LIVERYSYNC_RESULT_NOT_STARTED: there are none before it was started. LIVERYSYNC_RESULT_EVENTS_TAKEN: events go to a
/// callback, or another thread waits for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_client_next_event(
    client: *mut Client,
    wait_ms: u32,
    event_out: *mut Event,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a client, and room for an event with its size.
        let (client, out) = unsafe { (ptr::get(client, "client")?, OutSized::new(event_out)?) };
        client.host.guard(|| client.host.next_event(wait_ms, out))
    })
}

/// Stops the client and waits for its end. What it was receiving is removed; what it was putting in place is finished.
/// Calls of other threads that wait for this client return. Stopping twice is fine.
///
/// Refused with LIVERYSYNC_RESULT_IN_CALLBACK from the client's own callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_client_stop(client: *mut Client) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a client.
        let client = unsafe { ptr::get(client, "client") }?;
        client.host.guard(|| client.host.stop(client.stop()))
    })
}

/// Stops a client if it runs, and frees it. NULL is fine. No other call on it may be under way or come later.
///
/// Refused with LIVERYSYNC_RESULT_IN_CALLBACK from the client's own callback: it is not freed then. Whatever else comes
/// out, it is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_client_free(client: *mut Client) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: NULL or a client.
        let Some(inner) = (unsafe { client.as_ref() }) else { return Ok(()) };
        inner.host.refuse_in_callback()?;
        let stopped = guard::caught(|| inner.host.stop(inner.stop()));
        // SAFETY: the contract: it is not used again.
        unsafe { ptr::free(client) };
        stopped
    })
}
