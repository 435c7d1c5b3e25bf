//! Events as JSON, one object per line: `docs/json.md` describes them.
//!
//! Names are stable; a new event or a new field may come, none goes. Paths and names are as they are,
//! with JSON's own escapes only: a program has to find the file.

use std::net::SocketAddr;

use liverysync::scan::Scan;
use liverysync_core::{
    client,
    manifest::Entry,
    path::RelPath,
    select::{Reason, Skipped},
    server::{self, Generation},
    time::UnixTime,
    wire::v1::{Role, SyncId},
};
use serde::Serialize;

/// A JSON object that keeps the order of its fields.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self(String::from("{"))
    }

    fn event(name: &str) -> Self {
        Self::new().with("event", name)
    }

    fn with<T: Serialize + ?Sized>(self, key: &str, value: &T) -> Self {
        // Strings, numbers and lists of them have a JSON form.
        self.raw(key, &serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()))
    }

    fn list(self, key: &str, items: impl Iterator<Item = Self>) -> Self {
        let items: Vec<_> = items.map(Self::end).collect();
        self.raw(key, &format!("[{}]", items.join(",")))
    }

    fn session(self, sync_id: &SyncId) -> Self {
        self.with("sync_id", &sync_id.to_string())
    }

    fn path(self, key: &str, path: &RelPath) -> Self {
        self.with(key, path.as_str())
    }

    fn raw(mut self, key: &str, value: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0 += &format!("\"{key}\":{value}");
        self
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// The server listens.
pub(crate) fn listening(address: SocketAddr) -> String {
    Object::event("listening")
        .with("address", &address.ip().to_string())
        .with("port", &address.port())
        .end()
}

/// What happened at the server; `None` for what has no JSON form yet.
pub(crate) fn server(event: &server::Event) -> Option<String> {
    use server::Event;
    let object = match event {
        Event::Joined { member, name, address, generation } => Object::event("joined")
            .with("member", &member.0)
            .with("name", name)
            .with("address", address)
            .with("program", program(*generation)),
        Event::Left { member, name, reason } => Object::event("left")
            .with("member", &member.0)
            .with("name", name)
            .with("reason", reason),
        Event::Manifest { name, files, bytes, left_out } => Object::event("manifest")
            .with("name", name)
            .with("files", files)
            .with("bytes", bytes)
            .list("left_out", left_out.iter().map(skipped)),
        Event::Conflict { name, path, conflict_path } => Object::event("conflict")
            .with("name", name)
            .path("path", path)
            .path("conflict_path", conflict_path),
        Event::Refused { name, path, reason } => Object::event("refused")
            .with("name", name)
            .path("path", path)
            .with("reason", &reason.to_string()),
        Event::SessionBegan { sync_id, source, target, files, bytes } => {
            Object::event("session_began")
                .session(sync_id)
                .with("source", source)
                .with("target", target)
                .with("files", files)
                .with("bytes", bytes)
        }
        Event::SessionEnded { sync_id, source, target, installed, failed } => {
            Object::event("session_ended")
                .session(sync_id)
                .with("source", source)
                .with("target", target)
                .with("installed", installed)
                .with("failed", failed)
        }
        Event::SourceFault { name, path, fault } => Object::event("source_fault")
            .with("name", name)
            .with("path", path)
            .with("reason", &fault.to_string()),
        Event::SourceSilent { name, files } => {
            Object::event("source_silent").with("name", name).with("files", files)
        }
        Event::TargetFault { name, path, message, for_good } => Object::event("target_fault")
            .with("name", name)
            .path("path", path)
            .with("reason", message)
            .with("for_good", for_good),
        Event::Withheld { name, path, reason } => Object::event("withheld")
            .with("name", name)
            .path("path", path)
            .with("reason", &reason.to_string()),
        Event::InStep { clients, files, union_hash } => Object::event("in_step")
            .with("clients", clients)
            .with("files", files)
            .with("union_hash", &union_hash.to_string()),
        _ => return None,
    };
    Some(object.end())
}

/// What happened at the client; `None` for what has no JSON form yet.
pub(crate) fn client(event: &client::Event) -> Option<String> {
    use client::Event;
    let object = match event {
        Event::Connected { ours } => Object::event("connected")
            .with("server", if *ours { "liverysync" } else { "protocol-1" }),
        Event::Disconnected { reason, retry_in } => Object::event("disconnected")
            .with("reason", reason)
            .with("retry_in_seconds", &retry_in.as_secs_f64()),
        Event::FolderUnreadable(reason) => {
            Object::event("folder_unreadable").with("reason", reason)
        }
        Event::Scanned { files, bytes } => {
            Object::event("scanned").with("files", files).with("bytes", bytes)
        }
        Event::Skipped(item) => {
            let Skipped { path, reason } = item;
            Object::event("skipped")
                .with("path", path)
                .with("kind", kind(reason))
                .with("reason", &reason.to_string())
        }
        Event::SessionBegan { sync_id, role, peer, files } => Object::event("session_began")
            .session(sync_id)
            .with("role", role_word(*role))
            .with("peer", peer)
            .with("files", &files.map(|(files, _)| files))
            .with("bytes", &files.map(|(_, bytes)| bytes)),
        Event::Receiving { sync_id, path, bytes } => {
            Object::event("receiving").session(sync_id).path("path", path).with("bytes", bytes)
        }
        Event::Received { sync_id, bytes } => {
            Object::event("received").session(sync_id).with("bytes", bytes)
        }
        Event::Sent { sync_id, bytes } => {
            Object::event("sent").session(sync_id).with("bytes", bytes)
        }
        Event::FileSent { sync_id, path, bytes } => {
            Object::event("file_sent").session(sync_id).path("path", path).with("bytes", bytes)
        }
        Event::Installed { sync_id, path, bytes, backup, copied, kept_as } => {
            Object::event("installed")
                .session(sync_id)
                .path("path", path)
                .with("bytes", bytes)
                .with("backup", backup)
                .with("copied", copied)
                .with("kept_as", &kept_as.as_ref().map(RelPath::as_str))
        }
        Event::SendFailed { sync_id, path, reason } => {
            Object::event("send_failed").session(sync_id).with("path", path).with("reason", reason)
        }
        Event::ReceiveFailed { sync_id, path, reason, declined } => Object::event("receive_failed")
            .session(sync_id)
            .with("path", path)
            .with("reason", reason)
            .with("declined", declined),
        Event::SessionEnded { sync_id } => Object::event("session_ended").session(sync_id),
        Event::ServerError(message) => Object::event("server_error").with("reason", message),
        Event::Standing { missing, missing_bytes, wanted, withheld } => Object::event("standing")
            .with("missing", missing)
            .with("missing_bytes", missing_bytes)
            .with("wanted", wanted)
            .with("withheld", withheld),
        Event::InStep { files, bytes, withheld, certain } => Object::event("in_step")
            .with("files", files)
            .with("bytes", bytes)
            .with("withheld", withheld)
            .with("certain", certain),
        Event::Plan(plan) => {
            let sized = |(path, bytes): &(RelPath, u64)| {
                Object::new().path("path", path).with("bytes", bytes)
            };
            let conflict = |(path, name): &(RelPath, RelPath)| {
                Object::new().path("path", path).path("kept_as", name)
            };
            let refusal = |(path, reason): &(String, String)| {
                Object::new().with("path", path).with("reason", reason)
            };
            Object::event("plan")
                .list("receive", plan.receive.iter().map(sized))
                .list("conflicts", plan.conflicts.iter().map(conflict))
                .list("send", plan.send.iter().map(sized))
                .list("refuse", plan.refuse.iter().map(refusal))
        }
        _ => return None,
    };
    Some(object.end())
}

/// What a scan found.
pub(crate) fn scan(root: &str, scan: &Scan) -> String {
    let file = |entry: &Entry| {
        Object::new()
            .path("rel_path", &entry.path)
            .with("size", &entry.content.size)
            .with("sha256", &entry.content.hash.to_string())
            .with("mtime", &entry.mtime.map(UnixTime::as_seconds))
    };
    Object::event("scan")
        .with("root", root)
        .with("manifest_hash", &scan.manifest.hash().to_string())
        .list("files", scan.manifest.iter().map(file))
        .list("skipped", scan.skipped.iter().map(skipped))
        .with("total_bytes", &scan.manifest.total_bytes())
        .end()
}

fn skipped(item: &Skipped) -> Object {
    Object::new()
        .with("path", &item.path)
        .with("kind", kind(&item.reason))
        .with("reason", &item.reason.to_string())
}

const fn kind(reason: &Reason) -> &'static str {
    match reason {
        Reason::Name(_) => "name",
        Reason::Extension(_) => "extension",
        Reason::Cache(_) => "cache",
        Reason::Placeholder => "placeholder",
        Reason::Collision(_) => "collision",
        Reason::Link => "link",
        Reason::Cloud => "cloud",
        Reason::Unreadable(_) => "unreadable",
        Reason::TooMany(_) => "too_many",
        Reason::TooLarge(_) => "too_large",
        _ => "other",
    }
}

const fn program(generation: Generation) -> &'static str {
    match generation {
        Generation::First => "python-first",
        Generation::V104 => "python-1.0.4",
        Generation::Ours => "liverysync",
    }
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Source => "source",
        Role::Target => "target",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use liverysync_core::{
        hash::ContentHash,
        path::Extensions,
        pathmap::Collision,
        server::Withheld,
        transfer::SourceFault,
        union::{MemberId, Refusal},
    };

    use super::*;

    fn path() -> RelPath {
        RelPath::parse("#2/decals.png", &Extensions::default()).unwrap()
    }

    /// The fields of an object, in order.
    fn fields(json: &str) -> Vec<String> {
        let object: serde_json::Value = serde_json::from_str(json).unwrap();
        let mut names: Vec<_> = object.as_object().unwrap().keys().cloned().collect();
        names.sort_by_key(|name| json.find(&format!("\"{name}\":")));
        names
    }

    /// Compares an event with its row in the table below `heading`.
    #[track_caller]
    fn check_documented(heading: &str, json: &str) {
        let object: serde_json::Value = serde_json::from_str(json).unwrap();
        let name = object["event"].as_str().unwrap();
        let documentation = include_str!("../../../docs/json.md");
        let section = documentation.split("\n## ").find(|part| part.starts_with(heading)).unwrap();
        let row = section.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} is not documented"));
        let told: Vec<_> = row.split('|').nth(2).unwrap().split('`').skip(1).step_by(2).collect();
        assert_eq!(fields(json)[1..], told, "{name}");
    }

    #[test]
    fn every_event_of_a_server_is_as_documented() {
        let (member, name) = (MemberId(1), String::from("Aoi"));
        let sync_id = SyncId::new("s").unwrap();
        check_documented("Server", &listening(([127, 0, 0, 1], 9239).into()));
        for event in [
            server::Event::Joined {
                member,
                name: name.clone(),
                address: String::new(),
                generation: Generation::V104,
            },
            server::Event::Left { member, name: name.clone(), reason: String::new() },
            server::Event::Manifest { name: name.clone(), files: 0, bytes: 0, left_out: vec![] },
            server::Event::Conflict { name: name.clone(), path: path(), conflict_path: path() },
            server::Event::Refused {
                name: name.clone(),
                path: path(),
                reason: Refusal::Collision(Collision::Folder),
            },
            server::Event::SessionBegan {
                sync_id: sync_id.clone(),
                source: None,
                target: name.clone(),
                files: 0,
                bytes: 0,
            },
            server::Event::SessionEnded {
                sync_id,
                source: None,
                target: name.clone(),
                installed: 0,
                failed: 0,
            },
            server::Event::SourceFault {
                name: name.clone(),
                path: String::new(),
                fault: SourceFault::Skipped,
            },
            server::Event::SourceSilent { name: name.clone(), files: 0 },
            server::Event::TargetFault {
                name: name.clone(),
                path: path(),
                message: String::new(),
                for_good: true,
            },
            server::Event::Withheld { name, path: path(), reason: Withheld::Declined },
            server::Event::InStep { clients: 0, files: 0, union_hash: ContentHash::of(b"") },
        ] {
            check_documented("Server", &server(&event).unwrap());
        }
    }

    #[test]
    fn every_event_of_a_client_is_as_documented() {
        let sync_id = SyncId::new("s").unwrap();
        let (bytes, reason) = (0, String::new());
        let session = || sync_id.clone();
        for event in [
            client::Event::Connected { ours: true },
            client::Event::Disconnected { reason: reason.clone(), retry_in: Duration::ZERO },
            client::Event::FolderUnreadable(reason.clone()),
            client::Event::Scanned { files: 0, bytes },
            client::Event::Skipped(Skipped { path: String::new(), reason: Reason::Link }),
            client::Event::SessionBegan {
                sync_id: session(),
                role: Role::Source,
                peer: None,
                files: None,
            },
            client::Event::Receiving { sync_id: session(), path: path(), bytes },
            client::Event::Received { sync_id: session(), bytes },
            client::Event::Sent { sync_id: session(), bytes },
            client::Event::FileSent { sync_id: session(), path: path(), bytes },
            client::Event::Installed {
                sync_id: session(),
                path: path(),
                bytes,
                backup: None,
                copied: false,
                kept_as: None,
            },
            client::Event::SendFailed {
                sync_id: session(),
                path: String::new(),
                reason: reason.clone(),
            },
            client::Event::ReceiveFailed {
                sync_id: session(),
                path: String::new(),
                reason: reason.clone(),
                declined: false,
            },
            client::Event::SessionEnded { sync_id: session() },
            client::Event::ServerError(reason),
            client::Event::Standing { missing: 0, missing_bytes: 0, wanted: 0, withheld: 0 },
            client::Event::InStep { files: 0, bytes, withheld: 0, certain: true },
            client::Event::Plan(client::Plan::default()),
        ] {
            check_documented("Client", &client(&event).unwrap());
        }
    }

    #[test]
    fn names_stay_what_they_are_and_lines_stay_one_line() {
        let event = server::Event::Joined {
            member: MemberId(3),
            name: "Zoë \u{1b}[2J\n\"#2\" 辻 \u{202e}".to_owned(),
            address: "127.0.0.1:5".to_owned(),
            generation: Generation::Ours,
        };
        let expected = "{\"event\":\"joined\",\"member\":3,\
            \"name\":\"Zoë \\u001b[2J\\n\\\"#2\\\" 辻 \u{202e}\",\
            \"address\":\"127.0.0.1:5\",\"program\":\"liverysync\"}";
        assert_eq!(server(&event).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_not_known_is_null() {
        let event = client::Event::Installed {
            sync_id: SyncId::new("s1").unwrap(),
            path: path(),
            bytes: 7,
            backup: None,
            copied: false,
            kept_as: None,
        };
        let expected = "{\"event\":\"installed\",\"sync_id\":\"s1\",\"path\":\"#2/decals.png\",\
            \"bytes\":7,\"backup\":null,\"copied\":false,\"kept_as\":null}";
        assert_eq!(client(&event).as_deref(), Some(expected));
        let plan = client(&client::Event::Plan(client::Plan::default()));
        let expected =
            "{\"event\":\"plan\",\"receive\":[],\"conflicts\":[],\"send\":[],\"refuse\":[]}";
        assert_eq!(plan.as_deref(), Some(expected));
    }
}
