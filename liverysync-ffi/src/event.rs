//! Events as C sees them: the fields that most hosts want, and the whole event as JSON.
//!
//! The flat fields are taken from the event's JSON form, which `docs/json.md` describes: one description serves all
//! languages, and a field with the same name means the same everywhere.

use std::{
    ffi::{CString, c_char, c_void},
    mem::offset_of,
    ptr::null,
};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{error::Failure, messages, result::ResultCode, sized::Growing, text};

/// The time limit that never ends.
pub const NO_LIMIT: u32 = u32::MAX;

/// The kind of an event. A number never changes its meaning and is never reused; new ones may be added.
///
/// docs/json.md describes each event under the same word. The lists here name the fields of liverysync_event that
/// are set beside `kind` and `json`; all others are NULL or 0.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// An event that has no number yet; see its `json`.
    Other = 0,
    /// The reader was too slow, and events are missing here: `events`.
    Missed = 1,

    /// Client: the server answered: `word` (`liverysync`, or `protocol-1` for an old server).
    Connected = 2,
    /// Client: the connection was lost, or an attempt failed: `reason`, `retry_in_ms`.
    Disconnected = 3,
    /// Client: the liveries folder cannot be scanned: `reason`.
    FolderUnreadable = 4,
    /// Client: the folder was scanned for the first time, or the shared files have changed: `liveries`, `files`, `bytes`.
    Scanned = 5,
    /// Client: something in the folder is not shared: `path`, `word` (the kind, such as `link`), `reason`.
    Skipped = 6,
    /// Client: a session has begun: `sync_id`, `word` (`source` or `target`), `files`, `bytes`; the last two if
    /// the server says.
    SessionBegan = 7,
    /// Client: a file has begun to arrive: `sync_id`, `path`, `bytes`.
    Receiving = 8,
    /// Client: a piece of a file has arrived: `sync_id`, `bytes`.
    Received = 9,
    /// Client: a piece of a file was sent: `sync_id`, `bytes`.
    Sent = 10,
    /// Client: a whole file was sent: `sync_id`, `path`, `bytes`.
    FileSent = 11,
    /// Client: a file was installed: `sync_id`, `path`, `bytes`, `copied`; `backup` (the path of the replaced file) and
    /// `other_path` (the conflict name under which the replaced file is kept), if there are any.
    Installed = 12,
    /// Client: a file could not be sent: `sync_id`, `path`, `reason`.
    SendFailed = 13,
    /// Client: a file did not arrive or could not be installed: `sync_id`, `path`, `reason`, `for_good`.
    ReceiveFailed = 14,
    /// Client: a session has ended: `sync_id`.
    SessionEnded = 15,
    /// Client: the server reports an error: `reason`.
    ServerError = 16,
    /// Client: the sync status of this PC: `missing`, `missing_bytes`, `needed_by_others`, `withheld`.
    SyncStatus = 17,
    /// Client: this PC is in sync: `liveries`, `files`, `bytes`, `withheld`, `certain`.
    InSync = 18,
    /// Client: the plan of a dry run; see its `json`.
    Plan = 19,
    /// Client: liverysync_client_sync() began; later events cover every file that is in the folder now: `connected`.
    SyncBegan = 20,
    /// Client: a file was retired: `path`, `backup` (its path now).
    Retired = 21,
    /// Client: a file could not be retired and is still here: `path`, `reason`.
    RetireFailed = 22,
    /// Client: a file of this PC is in conflict and lost its name: `path`, `other_path` (its conflict name), `name` (the
    /// driver whose file keeps the name; NULL if unknown).
    Conflict = 23,
    /// Client: the list of ignored liveries cannot be read any more, and the last one stays in force: `reason`.
    IgnoreListFault = 24,
    /// Client: a livery that was deleted here is downloaded again, because the league still has it: `path` (its folder).
    LiveryReturns = 25,
    /// Client: something is probably wrong with a livery that this PC brings: `path` (the file, or the livery), `word` (the
    /// kind, such as `no-picture`), `reason`. Its `json` has what to do about it.
    Finding = 26,
    /// Client: other drivers do not get a livery as it is here for now: `path` (its folder), `word` (the cause, as in
    /// docs/json.md), `reason` (for the cause lint: the rule of the league); when a freeze ends by itself is in its `json`.
    Held = 27,
    /// Client: somebody did something to a livery of this PC's driver: `path` (its folder), `word` (conflict, changed, owned or
    /// disowned), `name` (who did it; NULL for an admin or if it is unknown).
    OwnerNews = 28,
    /// Client: this PC has more than 10 liveries that the league does not have, and its driver has not chosen what to share,
    /// so none of them is shared: `liveries`, `files`, `bytes`; the names are in its `json`.
    ShareNeeded = 29,
    /// Client: globs of a list match no livery: `word` (ignore or share); the globs are in its `json`.
    GlobsUnmatched = 30,
    /// Client: the league cannot take a file of this PC: `path`, `reason`.
    Refused = 31,

    /// Server: a client joined: `peer`, `name`, `address`, `word` (its program).
    ServerJoined = 100,
    /// Server: a client left: `peer`, `name`, `reason`.
    ServerLeft = 101,
    /// Server: a client reported its files, which have changed: `name`, `liveries`, `files`, `bytes`.
    ServerManifest = 102,
    /// Server: a client's file is in conflict: `name`, `path`, `other_path` (its conflict name).
    ServerConflict = 103,
    /// Server: a file cannot join the union: `name`, `path`, `reason`.
    ServerRefused = 104,
    /// Server: a session has begun: `sync_id`, `name` (who gets the files; NULL if they go into the store), `source` (who
    /// sends them; NULL if nobody does), `files`, `bytes`.
    ServerSessionBegan = 105,
    /// Server: a session has ended: `sync_id`, `name`, `source`, `files` (how many arrived), `failed`.
    ServerSessionEnded = 106,
    /// Server: a source did not send a file as it should: `name`, `path`, `reason`.
    ServerSourceFault = 107,
    /// Server: a source stopped responding: `name`, `files` (those that it has not sent).
    ServerSourceSilent = 108,
    /// Server: a target did not take a file: `name`, `path`, `reason`, `for_good`.
    ServerTargetFault = 109,
    /// Server: a file of the union is not offered to this client: `name`, `path`, `reason`.
    ServerWithheld = 110,
    /// Server: every client is in sync: `clients`, `liveries`, `files`.
    ServerInSync = 111,
    /// Server: the store could not keep a content, or lost it: `reason`.
    ServerStoreFault = 112,
    /// Server: the league database cannot be written or read: `reason`.
    ServerDatabaseFault = 113,
    /// Server: the options differ from the league's own settings, which count; see its `json`.
    ServerSettingsDiffer = 114,
    /// Server: the allow list cannot be read any more, and the last one stays in force: `reason`.
    ServerAllowListFault = 115,
    /// Server: names of the allow list are of no livery that the league has; see its `json`.
    ServerAllowListUnmatched = 116,
    /// Server: a livery has got its first owner or has none any more: `path` (its folder), `name` (the member whose files are
    /// the reason; the new owner, if there is one); see its `json`.
    ServerOwnerChanged = 117,
    /// Server: a member has changed liveries of their own: `name`, `word` (`withdraw`, `rename` or `replace`); see its `json`.
    ServerOwnerActed = 118,
    /// Server: a driver has changed a livery, and the others do not get that yet: `path` (its folder), `name` (NULL for a
    /// driver without a key), `files`.
    ServerHeld = 119,
    /// Server: a file is damaged: `path`, `name` (NULL for a driver without a key), `reason`; its `json` tells whether the
    /// league has it.
    ServerDamaged = 120,
    /// Server: a livery breaks a rule of the league: `path` (the file, or the livery's folder), `word` (the kind of the finding),
    /// `name` (NULL for a driver without a key), `reason`; its `json` has the fix, and tells whether the league has it.
    ServerFinding = 121,
}

/// An event. Texts may come from other people: escape them before you show them.
///
/// Its strings stay valid until the next call of the function that gave it, or, in a callback, until that returns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// sizeof(liverysync_event).
    pub size: usize,
    /// The whole event as a JSON object, as docs/json.md describes it. Never NULL.
    pub json: *const c_char,
    /// The session that it belongs to.
    pub sync_id: *const c_char,
    /// The file, below the liveries folder.
    pub path: *const c_char,
    /// A second name of the file.
    pub other_path: *const c_char,
    /// The path of the replaced or retired file in the backup, below the liveries folder.
    pub backup: *const c_char,
    /// The name of the client that it is about.
    pub name: *const c_char,
    /// The client that sends the files.
    pub source: *const c_char,
    /// The address of a client.
    pub address: *const c_char,
    /// One of a few words, which the description of the kind lists.
    pub word: *const c_char,
    /// The reason, for people. Do not parse it.
    pub reason: *const c_char,
    /// The number of a connection, which no later one gets while the server runs.
    pub peer: u64,
    /// A number of files.
    pub files: u64,
    /// A number of bytes.
    pub bytes: u64,
    /// Number of files that this PC is missing.
    pub missing: u64,
    /// Sum of their sizes in bytes.
    pub missing_bytes: u64,
    /// Number of files that others need from this PC.
    pub needed_by_others: u64,
    /// Number of files of the union that this PC will not get as things are.
    pub withheld: u64,
    /// Number of files that did not arrive.
    pub failed: u64,
    /// A number of clients.
    pub clients: u64,
    /// A number of events.
    pub events: u64,
    /// Milliseconds until the next attempt.
    pub retry_in_ms: u64,
    /// The kind of the event.
    pub kind: EventKind,
    /// 1: the file was copied on this PC and not downloaded.
    pub copied: u32,
    /// 1: the file is refused and not tried again.
    pub for_good: u32,
    /// 1: this PC is in sync for certain. 0: the server speaks protocol 1 and was only quiet.
    pub certain: u32,
    /// 1: there is a connection.
    pub connected: u32,
    /// Reserved; always 0.
    pub reserved: u32,
    /// A number of liveries.
    pub liveries: u64,
}

// SAFETY: `repr(C)`, begins with its size; what came later is at the end.
unsafe impl Growing for Event {
    const NAME: &'static str = "liverysync_event";
    const SIZE_MIN: usize = offset_of!(Self, liveries);
}

/// A function that gets events. `event` and its strings are valid until it returns. It must not throw.
pub type EventCallback = Option<unsafe extern "C" fn(userdata: *mut c_void, event: *const Event)>;

/// The events of a client.
pub(crate) const CLIENT: &[(&str, EventKind)] = &[
    ("connected", EventKind::Connected),
    ("disconnected", EventKind::Disconnected),
    ("folder_unreadable", EventKind::FolderUnreadable),
    ("scanned", EventKind::Scanned),
    ("skipped", EventKind::Skipped),
    ("session_began", EventKind::SessionBegan),
    ("receiving", EventKind::Receiving),
    ("received", EventKind::Received),
    ("sent", EventKind::Sent),
    ("file_sent", EventKind::FileSent),
    ("installed", EventKind::Installed),
    ("send_failed", EventKind::SendFailed),
    ("receive_failed", EventKind::ReceiveFailed),
    ("session_ended", EventKind::SessionEnded),
    ("server_error", EventKind::ServerError),
    ("sync_status", EventKind::SyncStatus),
    ("in_sync", EventKind::InSync),
    ("plan", EventKind::Plan),
    ("sync_began", EventKind::SyncBegan),
    ("retired", EventKind::Retired),
    ("retire_failed", EventKind::RetireFailed),
    ("conflict", EventKind::Conflict),
    ("ignore_list_fault", EventKind::IgnoreListFault),
    ("livery_returns", EventKind::LiveryReturns),
    ("finding", EventKind::Finding),
    ("held", EventKind::Held),
    ("owner_news", EventKind::OwnerNews),
    ("share_needed", EventKind::ShareNeeded),
    ("globs_unmatched", EventKind::GlobsUnmatched),
    ("refused", EventKind::Refused),
    ("missed", EventKind::Missed),
];

/// The events of a server.
pub(crate) const SERVER: &[(&str, EventKind)] = &[
    ("joined", EventKind::ServerJoined),
    ("left", EventKind::ServerLeft),
    ("manifest", EventKind::ServerManifest),
    ("conflict", EventKind::ServerConflict),
    ("refused", EventKind::ServerRefused),
    ("session_began", EventKind::ServerSessionBegan),
    ("session_ended", EventKind::ServerSessionEnded),
    ("source_fault", EventKind::ServerSourceFault),
    ("source_silent", EventKind::ServerSourceSilent),
    ("target_fault", EventKind::ServerTargetFault),
    ("withheld", EventKind::ServerWithheld),
    ("in_sync", EventKind::ServerInSync),
    ("store_fault", EventKind::ServerStoreFault),
    ("database_fault", EventKind::ServerDatabaseFault),
    ("settings_differ", EventKind::ServerSettingsDiffer),
    ("allow_list_fault", EventKind::ServerAllowListFault),
    ("allow_list_unmatched", EventKind::ServerAllowListUnmatched),
    ("owner_changed", EventKind::ServerOwnerChanged),
    ("owner_acted", EventKind::ServerOwnerActed),
    ("held", EventKind::ServerHeld),
    ("damaged", EventKind::ServerDamaged),
    ("finding", EventKind::ServerFinding),
    ("missed", EventKind::Missed),
];

/// An event with its texts.
#[derive(Debug)]
pub(crate) struct OwnedEvent {
    event: Event,
    _texts: Vec<CString>,
}

// SAFETY: the pointers in `event` point into `_texts`, which never changes and moves with them.
unsafe impl Send for OwnedEvent {}

impl OwnedEvent {
    /// Returns the struct for C. Its pointers are valid as long as this exists.
    pub(crate) const fn event(&self) -> &Event {
        &self.event
    }

    /// Converts an event, whose kind is in the list.
    pub(crate) fn new(
        kinds: &[(&str, EventKind)],
        event: &impl Serialize,
    ) -> Result<Self, Failure> {
        let failed = |error: serde_json::Error| {
            Failure::new(ResultCode::Failed, messages::event_failed(error))
        };
        let json = serde_json::to_string(event).map_err(failed)?;
        let object = match serde_json::to_value(event).map_err(failed)? {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        Ok(Self::from_json(kinds, &json, &object))
    }

    fn from_json(kinds: &[(&str, EventKind)], json: &str, object: &Map<String, Value>) -> Self {
        let mut texts = Vec::new();
        let mut keep = |text: &str| {
            let text = text::owned(text);
            // Moving a CString does not move its bytes.
            let pointer = text.as_ptr();
            texts.push(text);
            pointer
        };
        let mut text = |keys: &[&str]| {
            let found = keys.iter().find_map(|key| object.get(*key)?.as_str());
            found.map_or(null(), &mut keep)
        };
        let number = |keys: &[&str]| {
            keys.iter().find_map(|key| object.get(*key)?.as_u64()).unwrap_or_default()
        };
        let flag = |keys: &[&str]| {
            u32::from(keys.iter().any(|key| object.get(*key).is_some_and(|flag| *flag == true)))
        };
        let word = object.get("event").and_then(Value::as_str).unwrap_or_default();
        let kind = kinds.iter().find(|(known, _)| *known == word);
        let seconds = object.get("retry_in_seconds").and_then(Value::as_f64).unwrap_or_default();
        let event = Event {
            size: size_of::<Event>(),
            kind: kind.map_or(EventKind::Other, |(_, kind)| *kind),
            sync_id: text(&["sync_id"]),
            path: text(&["path", "livery"]),
            other_path: text(&["kept_as", "conflict_path"]),
            backup: text(&["backup"]),
            name: text(&["name", "target", "keeper", "by"]),
            source: text(&["source"]),
            address: text(&["address"]),
            word: text(&[
                "server", "role", "kind", "program", "act", "cause", "news", "list", "only",
            ]),
            reason: text(&["reason", "finding"]),
            json: keep(json),
            peer: number(&["peer"]),
            files: number(&["files", "installed"]),
            bytes: number(&["bytes"]),
            missing: number(&["missing"]),
            missing_bytes: number(&["missing_bytes"]),
            needed_by_others: number(&["needed_by_others"]),
            withheld: number(&["withheld"]),
            failed: number(&["failed"]),
            clients: number(&["clients"]),
            events: number(&["events"]),
            // A cast of a float stays within the range of the number.
            retry_in_ms: (seconds * 1000.0).round() as u64,
            copied: flag(&["copied"]),
            for_good: flag(&["declined", "for_good"]),
            certain: flag(&["certain"]),
            connected: flag(&["connected"]),
            reserved: 0,
            liveries: number(&["liveries"]),
        };
        Self { event, _texts: texts }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    const DOCUMENTATION: &str = include_str!("../../docs/json.md");

    /// The rows of the table of events below `heading`: the event's word and its fields.
    fn rows(heading: &str) -> Vec<(&'static str, Vec<&'static str>)> {
        let section = DOCUMENTATION.split("\n## ").find(|part| part.starts_with(heading)).unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        rows.map(|row| {
            let cells: Vec<_> = row.split('|').collect();
            let words = |cell: &'static str| cell.split('`').skip(1).step_by(2).collect::<Vec<_>>();
            (words(cells[1])[0], words(cells[2]))
        })
        .collect()
    }

    #[test]
    fn every_documented_event_has_a_number() {
        for (heading, kinds) in [("Client\n", CLIENT), ("Server\n", SERVER)] {
            let mut documented: Vec<_> = rows(heading).into_iter().map(|(word, _)| word).collect();
            // Only the program prints it, as its first line.
            documented.retain(|word| *word != "listening");
            documented.sort_unstable();
            let mut numbered: Vec<_> = kinds.iter().map(|(word, _)| *word).collect();
            numbered.sort_unstable();
            assert_eq!(numbered, documented);
        }
    }

    #[test]
    fn every_documented_field_is_flat_unless_it_is_a_list() {
        // Lists, digests, dates, numbers of what an owner did, and a second text.
        const ONLY_IN_JSON: [&str; 25] = [
            "damaged",
            "published",
            "globs",
            "unshared",
            "owner",
            "placed",
            "retired",
            "until",
            "limit",
            "held",
            "fix",
            "left_out",
            "conflicts",
            "outstanding",
            "receive",
            "send",
            "refuse",
            "retire",
            "unavailable",
            "undistributed",
            "open_conflicts",
            "settings",
            "names",
            "union_hash",
            "content",
        ];
        for (heading, kinds) in [("Client\n", CLIENT), ("Server\n", SERVER)] {
            for (word, fields) in rows(heading) {
                let empty = object(word, &[]);
                for field in fields.into_iter().filter(|field| !ONLY_IN_JSON.contains(field)) {
                    let values = [Value::from("x"), Value::from(7), Value::from(true)];
                    let differs = values.into_iter().any(|value| {
                        let event = owned(kinds, &object(word, &[(field, value)]));
                        flat(event.event()) != flat(owned(kinds, &empty).event())
                    });
                    assert!(differs || word == "listening", "{word}: {field} is in no flat field");
                }
            }
        }
    }

    #[test]
    fn fields_are_what_the_event_says() {
        let event = livery::ClientEvent::Disconnected {
            reason: "gone\0".to_owned(),
            retry_in: std::time::Duration::from_millis(1500),
        };
        let owned = OwnedEvent::new(CLIENT, &event).unwrap();
        let event = owned.event();
        assert_eq!(event.kind, EventKind::Disconnected);
        assert_eq!(event.retry_in_ms, 1500);
        assert!(event.path.is_null());
        // SAFETY: the event is there.
        let (reason, json) = unsafe { (CStr::from_ptr(event.reason), CStr::from_ptr(event.json)) };
        assert_eq!(reason.to_str(), Ok("gone\u{fffd}"));
        assert_eq!(
            json.to_str(),
            Ok(r#"{"event":"disconnected","reason":"gone\u0000","retry_in_seconds":1.5}"#)
        );
    }

    #[test]
    fn an_unknown_event_has_its_json() {
        let owned = owned(CLIENT, &object("eclipse", &[("path", Value::from("a.png"))]));
        assert_eq!(owned.event().kind, EventKind::Other);
        assert!(!owned.event().json.is_null());
        assert!(!owned.event().path.is_null());
    }

    fn object(word: &str, fields: &[(&str, Value)]) -> Map<String, Value> {
        let mut object = Map::from_iter([("event".to_owned(), Value::from(word))]);
        object.extend(fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        object
    }

    fn owned(kinds: &[(&str, EventKind)], object: &Map<String, Value>) -> OwnedEvent {
        OwnedEvent::from_json(kinds, "{}", object)
    }

    /// Returns the part of an event that does not depend on addresses.
    fn flat(event: &Event) -> String {
        let texts = [
            event.sync_id,
            event.path,
            event.other_path,
            event.backup,
            event.name,
            event.source,
            event.address,
            event.word,
            event.reason,
        ]
        .map(<*const c_char>::is_null);
        let numbers = [
            event.peer,
            event.liveries,
            event.files,
            event.bytes,
            event.missing,
            event.missing_bytes,
            event.needed_by_others,
            event.withheld,
            event.failed,
            event.clients,
            event.events,
            event.retry_in_ms,
        ];
        let flags = [event.copied, event.for_good, event.certain, event.connected];
        format!("{texts:?} {numbers:?} {flags:?}")
    }
}
