//! A driver's client.

use std::{
    cell::RefCell,
    ffi::{CString, c_char, c_void},
    mem::offset_of,
    time::Duration,
};

use livery::{
    ClientBuilder, ClientError, ClientEvent, Events, Limits, LiveryGlobs, Role, SyncError,
};

use crate::{
    error::Failure,
    event::{Event, EventCallback, NO_LIMIT},
    guard,
    handle::{self, Handle},
    host::{Callback, Host, Service},
    messages,
    ptr::{self, Out},
    result::ResultCode,
    rules::{ScanOptions, lint_rules},
    sized::{self, Given, Growing, OutSized},
    text,
    union::naming,
};

/// A running client of a driver. Any thread may call it, several at once.
#[derive(Debug)]
pub struct Client(Host<livery::Client>);

impl Handle for Client {
    type Service = livery::Client;

    fn new(host: Host<livery::Client>) -> Self {
        Self(host)
    }

    fn host(&self) -> &Host<livery::Client> {
        &self.0
    }
}

impl Service for livery::Client {
    const NAME: &'static str = "client";
    // The tasks wait most of the time; files are read and written by threads of their own.
    const WORKERS: Option<usize> = Some(2);
    type Builder = ClientBuilder;
    type Events = Events<ClientEvent>;

    async fn start(builder: ClientBuilder) -> Result<(Self, Self::Events), Failure> {
        builder.start_with_events().await.map_err(|error| {
            let code = match &error {
                ClientError::Folder { .. } => ResultCode::Folder,
                ClientError::Busy { .. } => ResultCode::Busy,
                ClientError::System(_) => ResultCode::System,
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

thread_local! {
    /// The last report of this thread, of any client.
    static REPORT: RefCell<CString> = RefCell::default();
}

/// The configuration of a client. Zero and NULL mean the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// sizeof(liverysync_client_options).
    pub size: usize,
    /// Host name or address of the server. There is no default.
    pub host: *const c_char,
    /// The liveries folder, which must exist. Default: the game's, as liverysync_liveries_folder() finds it.
    pub liveries: *const c_char,
    /// A folder for the client's state: the hashes of the files, so that the next start reads only changed ones, and the
    /// list of ignored liveries. Default: none. Without it and an identity the driver is anonymous and owns nothing.
    pub state: *const c_char,
    /// The name of this PC for other drivers: 1 to 64 characters; blanks around them are cut off. Default: the host
    /// name, or `unnamed` if that cannot be one.
    pub name: *const c_char,
    /// A label that the server shows, never a credential. Default: `UNKNOWN`.
    pub steam_id: *const c_char,
    /// The file extensions that are shared, as in liverysync_scan_options.
    pub extensions: *const c_char,
    /// The text between a name and the digits of a conflict name, if the server names none. Default: `__CONFLICT__`.
    pub conflict_suffix: *const c_char,
    /// Largest number of files. Default: 50,000.
    pub max_entries: u64,
    /// Largest file, in bytes. Default: 256 MiB.
    pub max_file_size: u64,
    /// Port of the server, 1 to 65535. Default: 9239.
    pub port: u32,
    /// Not 0: share the game's own texture caches too.
    pub derived_dds: u32,
    /// Not 0: share placeholders too, which the game leaves for liveries that this PC does not have.
    pub placeholders: u32,
    /// Not 0: only find out what would happen, and change nothing.
    pub dry_run: u32,
    /// Time that a file must be unchanged before it is shared, in milliseconds; the rest of its livery waits for it, for
    /// at most 10 s. Default: 300.
    pub settle_ms: u32,
    /// Interval between two scans of the folder if nothing seems to change, in milliseconds. Default: 60,000.
    pub rescan_ms: u32,
    /// First wait before connecting again, in milliseconds; it is doubled each time. Default: 1,000.
    pub retry_first_ms: u32,
    /// Longest wait before connecting again, in milliseconds. Default: 30,000.
    pub retry_max_ms: u32,
    /// Longest silence of the server before the client connects again, in milliseconds. Default: 90,000.
    pub silence_timeout_ms: u32,
    /// Longest wait for a file from a server of protocol 1, in milliseconds; a server of protocol 2 watches the other
    /// clients itself. Default: 60,000.
    pub stall_timeout_ms: u32,
    /// Upload limit in bytes per second; less than 50,000 counts as 50,000. Default: no limit.
    pub limit_up: u64,
    /// Download limit, as limit_up.
    pub limit_down: u64,
    /// Called for each event on a thread of the library, one at a time, in order; liverysync_client_next_event() cannot
    /// be used then. Default: none.
    pub on_event: EventCallback,
    /// Passed through to on_event.
    pub userdata: *mut c_void,
    /// The file with the driver's member key, by which leagues recognize them in whatever folder; it is made if it is
    /// missing. Give each driver of one program a file of their own. Default: that of the user, if there is a state
    /// folder: `liverysync/identity.json` in their config folder.
    pub identity: *const c_char,
    /// The liveries that this PC shares although the league does not have them: globs, one on each line, as in a list of
    /// ignored liveries. `*` shares all, an empty text none. Default: what was chosen before, which the state folder keeps;
    /// without a choice all, unless they are more than 10: then none, and LIVERYSYNC_EVENT_SHARE_NEEDED says so.
    pub share: *const c_char,
    /// 0: this PC sends and receives. 1: it only sends. 2: it only receives.
    pub only: u32,
    /// Must be 0.
    pub reserved: u32,
    /// The league's rules by which LIVERYSYNC_EVENT_KIND_FINDING judges this PC's liveries: the path of a TOML file, as in
    /// liverysync_lint(). Default: only what the game needs is checked.
    pub lint_rules: *const c_char,
}

// SAFETY: `repr(C)`, begins with its size; its first version ended before the limits.
unsafe impl Growing for ClientOptions {
    const NAME: &'static str = "liverysync_client_options";
    const SIZE_MIN: usize = offset_of!(Self, limit_up);
}

// SAFETY: it holds only integers and pointers, and a function that may be NULL.
unsafe impl Given for ClientOptions {}

type Setter = fn(ClientBuilder, Duration) -> ClientBuilder;

impl ClientOptions {
    /// # Safety
    ///
    /// Its pointers are NULL or text.
    pub(crate) unsafe fn read(&self) -> Result<ClientBuilder, Failure> {
        // SAFETY: as the caller of this function promises.
        let (builder, liveries) =
            unsafe { (self.read_for_act()?, ptr::optional_text(self.liveries, "liveries")?) };
        Ok(match liveries {
            Some(folder) => builder.liveries(folder),
            None => builder.liveries(
                livery::liveries_folder()
                    .map_err(|error| Failure::new(ResultCode::NotFound, error))?,
            ),
        })
    }

    /// Reads everything but the liveries folder.
    ///
    /// # Safety
    ///
    /// As for [`Self::read`].
    pub(crate) unsafe fn read_for_act(&self) -> Result<ClientBuilder, Failure> {
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
            port => u16::try_from(port).map_err(|_| Failure::argument(messages::no_port(port)))?,
        };
        // SAFETY: as the caller of this function promises.
        let (host, state, identity, share, name, steam_id, rules, lint, naming) = unsafe {
            (
                ptr::text(self.host, "host")?,
                ptr::optional_text(self.state, "state")?,
                ptr::optional_text(self.identity, "identity")?,
                ptr::optional_text(self.share, "share")?,
                ptr::optional_text(self.name, "name")?,
                ptr::optional_text(self.steam_id, "steam_id")?,
                scan.rules()?,
                lint_rules(self.lint_rules, "lint_rules")?,
                naming(self.conflict_suffix, self.extensions)?,
            )
        };
        if host.is_empty() {
            return Err(Failure::argument(messages::EMPTY_HOST));
        }
        let mut builder = livery::Client::builder(host)
            .port(port)
            .rules(rules)
            .naming(naming)
            .dry_run(self.dry_run != 0);
        if let Some(folder) = state {
            builder = builder.state(folder);
        }
        if let Some(file) = identity {
            builder = builder.identity(file);
        }
        if let Some(rules) = lint {
            builder = builder.lint_rules(rules);
        }
        if let Some(globs) = share {
            builder = builder.share(LiveryGlobs::parse(globs));
        }
        if self.reserved != 0 {
            return Err(Failure::argument(messages::RESERVED));
        }
        builder = match self.only {
            0 => builder,
            1 => builder.only(Role::Source),
            2 => builder.only(Role::Target),
            other => return Err(Failure::argument(messages::unknown_choice("role", other))),
        };
        if let Some(name) = name {
            builder = builder.name(ClientBuilder::check_name(name).map_err(Failure::argument)?);
        }
        if let Some(steam_id) = steam_id {
            builder = builder.steam_id(steam_id);
        }
        let spans: [(u32, Setter); 6] = [
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
        Ok(builder.limits(handle::limits(self.limit_up, self.limit_down)))
    }
}

/// The report of a sync.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SyncReport {
    /// sizeof(liverysync_sync_report).
    pub size: usize,
    /// The report as a JSON object, as docs/json.md describes it: with the paths of `conflicts`. It stays valid until
    /// this thread calls liverysync_client_sync() again, on any client, or ends.
    pub json: *const c_char,
    /// Number of files that this PC shares.
    pub files: u64,
    /// Sum of their sizes in bytes.
    pub bytes: u64,
    /// Number of downloaded files, without those that were copied on this PC.
    pub received_files: u64,
    /// Sum of their sizes in bytes.
    pub received_bytes: u64,
    /// Number of uploads, each of one file.
    pub sent_files: u64,
    /// Sum of their sizes in bytes.
    pub sent_bytes: u64,
    /// Number of files of this PC that have a conflict name.
    pub conflicts: u64,
    /// Number of files of the union that this PC will not get as things are.
    pub withheld: u64,
    /// Duration in milliseconds.
    pub took_ms: u64,
    /// 1: this PC has the union for certain. 0: the server speaks protocol 1 and was only quiet.
    pub certain: u32,
    /// Reserved; always 0.
    pub reserved: u32,
    /// Number of liveries that this PC shares.
    pub liveries: u64,
    /// Number of things that this PC lacks until somebody has done something about them. `json` lists them with reasons.
    pub outstanding: u64,
}

// SAFETY: `repr(C)`, begins with its size; what came later is at the end.
unsafe impl Growing for SyncReport {
    const NAME: &'static str = "liverysync_sync_report";
    const SIZE_MIN: usize = offset_of!(Self, liveries);
}

fn sync(
    host: &Host<livery::Client>,
    timeout_ms: u32,
    out: OutSized<SyncReport>,
) -> Result<(), Failure> {
    let sync = host.service().sync();
    let sync = match timeout_ms {
        NO_LIMIT => sync,
        milliseconds => sync.timeout(Duration::from_millis(milliseconds.into())),
    };
    let report = host.block_on(sync.into_future())?.map_err(|error| {
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
    let json =
        serde_json::to_string(&report).map_err(|error| Failure::new(ResultCode::Failed, error))?;
    let keep = |last: &RefCell<CString>| {
        *last.borrow_mut() = text::owned(&json);
        last.borrow().as_ptr()
    };
    let json =
        REPORT.try_with(keep).map_err(|_| Failure::new(ResultCode::Failed, messages::NO_REPORT))?;
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
        outstanding: report.outstanding.len() as u64,
    });
    Ok(())
}

/// Starts a client. It scans the folder, connects, and runs until it is stopped: it reconnects, downloads what is
/// new, and shares what changes in the folder. It keeps copies of the options. Free it with liverysync_client_free().
///
/// `client_out` is set before the callback of the options is called for the first time. No event is missed.
///
/// Fails with LIVERYSYNC_RESULT_NOT_FOUND if the options name no liveries folder and the game's is not found, and with
/// LIVERYSYNC_RESULT_FOLDER or LIVERYSYNC_RESULT_BUSY if the folder cannot be used, or another client syncs it. Nothing
/// runs then, and there is nothing to free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_client_start(
    options: *const ClientOptions,
    client_out: *mut *mut Client,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: options with their size whose pointers are NULL or text, and room for a pointer.
        let (builder, options, out) = unsafe {
            let out = Out::new(client_out, "client_out")?;
            let options = sized::read(options)?;
            (options.read()?, options, out)
        };
        // SAFETY: the contract: the callback may be called on another thread until the client is stopped.
        let callback = unsafe { Callback::new(options.on_event, options.userdata) };
        handle::start(builder, callback, out)
    })
}

/// Waits until this PC has the union and nobody needs another file from it. All files that are in the folder by now
/// take part. The client keeps running afterwards.
///
/// `timeout_ms` is the longest wait. With LIVERYSYNC_NO_LIMIT, an unreachable server is a failure at once; with a limit
/// the client tries until then. A dry run ends with its plan, which is an event. `report_out` may be NULL.
///
/// Other threads may read events, sync or stop meanwhile.
///
/// Fails with LIVERYSYNC_RESULT_STOPPED (also if the client is stopped meanwhile), LIVERYSYNC_RESULT_TIMED_OUT,
/// LIVERYSYNC_RESULT_UNREACHABLE, LIVERYSYNC_RESULT_LOST or LIVERYSYNC_RESULT_FOLDER. Files that have arrived by then
/// stay. Refused with LIVERYSYNC_RESULT_IN_CALLBACK from the client's own callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_client_sync(
    client: *mut Client,
    timeout_ms: u32,
    report_out: *mut SyncReport,
) -> ResultCode {
    let sync = |host: &Host<livery::Client>| {
        // SAFETY: the contract: NULL, or room for a report with its size.
        let out = unsafe { OutSized::optional(report_out) }?;
        sync(host, timeout_ms, out)
    };
    // SAFETY: the contract: a client.
    unsafe { handle::call(client, sync) }
}

/// Changes the speed limits from now on, in bytes per second; 0 is no limit, and less than 50,000 counts as 50,000.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_client_set_limits(
    client: *const Client,
    limit_up: u64,
    limit_down: u64,
) -> ResultCode {
    // SAFETY: the contract: a client.
    unsafe { handle::set_limits(client, limit_up, limit_down) }
}

/// Copies the next event into `event_out`, waiting at most `wait_ms` milliseconds. 0: do not wait; LIVERYSYNC_NO_LIMIT:
/// wait for ever.
///
/// Events are kept from the start on. A program that does not read them misses progress first and other events later;
/// LIVERYSYNC_EVENT_KIND_MISSED says so. The strings of the event stay valid until the next call of this function on
/// `client`, or until that is freed.
///
/// LIVERYSYNC_RESULT_NO_EVENT: none came. LIVERYSYNC_RESULT_STOPPED: there are no more.
/// LIVERYSYNC_RESULT_EVENTS_TAKEN: events go to a callback, or another thread waits for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_client_next_event(
    client: *mut Client,
    wait_ms: u32,
    event_out: *mut Event,
) -> ResultCode {
    // SAFETY: the contract: a client, and room for an event with its size.
    unsafe { handle::next_event(client, wait_ms, event_out) }
}

/// Stops the client and waits for its end. It finishes the file that it is installing, and removes what it was
/// downloading. Calls of other threads that wait for this client return. Stopping twice is fine.
///
/// No call of the callback is running or follows once this has returned.
///
/// Refused with LIVERYSYNC_RESULT_IN_CALLBACK from the client's own callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_client_stop(client: *mut Client) -> ResultCode {
    // SAFETY: the contract: a client.
    unsafe { handle::stop(client) }
}

/// Stops a client, waits for its end as liverysync_client_stop() does, and frees it. NULL is fine. No other call on it
/// may be running or follow.
///
/// Refused with LIVERYSYNC_RESULT_IN_CALLBACK from the client's own callback: it is not freed then. With every other
/// result it is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_client_free(client: *mut Client) -> ResultCode {
    // SAFETY: the contract: NULL or a client.
    unsafe { handle::free(client) }
}
