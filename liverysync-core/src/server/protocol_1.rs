//! Protocol 1: everything that is different for a Python client.
//!
//! Everything else asks the [`Protocol`] of a peer. `docs/protocol.md` describes the habits of those programs.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{
    Output, ServerConfig, Withheld,
    context::Context,
    manifest_check::{CheckedManifest, check_manifest},
    peer::{Peer, Sessions},
};
use crate::{
    hash::Content,
    path::RelPath,
    select::{Rules, cached_picture},
    time::Time,
    transfer::{Compression, RequestedFile},
    union::{PeerId, Union, UnionEntry},
    wire::{
        data::TransferId,
        messages::{
            FileBegin, FileInfo, FileRequest, Hello, Message, PROTOCOL_2, Resume, SendFiles, SyncId,
        },
    },
};

/// Client 1.0.4 keeps its own file if that is newer by more than this.
const TOLERANCE_104: Duration = Duration::from_secs(1);

/// The program that a client is, and with it the protocol that it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Protocol {
    /// The first Python client, which speaks protocol 1.
    #[serde(rename = "python-first")]
    V1First,
    /// The Python client 1.0.4, which speaks protocol 1. A client counts as this one until it shows that it is another.
    #[serde(rename = "python-1.0.4")]
    V104,
    /// A `liverysync` client, which speaks protocol 2.
    #[serde(rename = "liverysync")]
    V2,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1First => "first Python client",
            Self::V104 => "Python client 1.0.4",
            Self::V2 => "liverysync",
        })
    }
}

/// Number of further sessions of a kind that a client can take part in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Sessions of any size.
    pub(super) any: usize,
    /// It takes part in more as long as all of them are small.
    pub(super) small: bool,
}

/// An action that time alone makes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    Nothing,
    /// It has been silent for too long.
    Close,
    /// Its manifest may be out of date.
    Poll,
}

impl Protocol {
    /// Returns the protocol that a HELLO shows, if any. A Python client only shows by its manifest which one it is.
    pub(super) fn of(hello: &Hello) -> Option<Self> {
        hello.liverysync.is_some_and(|version| version >= PROTOCOL_2).then_some(Self::V2)
    }

    const fn is_v2(self) -> bool {
        matches!(self, Self::V2)
    }

    /// Returns whether a client sends the hash of its manifest first, and waits to be told its sync status. A Python client
    /// sends its manifest unasked.
    pub(super) const fn negotiates(self) -> bool {
        self.is_v2()
    }

    /// Returns whether a client may send a message. Messages of protocol 2 are ignored in protocol 1.
    pub(super) const fn may_send(self, message: &Message) -> bool {
        self.is_v2() || !matches!(message, Message::ManifestChanges(_) | Message::Act(_))
    }

    /// Returns whether a client understands a message. A Python client takes every ERROR for the end of its session, so
    /// it gets none.
    pub(super) const fn understands(self, message: &Message) -> bool {
        let is_new = match message {
            Message::Acted(_) | Message::Error(_) | Message::Notices(_) | Message::Retire(_) => {
                true
            }
            Message::ManifestFull(full) => full.remarks.is_some(),
            Message::ServerState(state) => state.naming.is_some(),
            _ => false,
        };
        self.is_v2() || !is_new
    }

    /// Returns whether a client moves files on its own PC: it copies a content from one name to another, and takes its
    /// own rival under the conflict name. A Python client only writes what it receives.
    pub(super) const fn moves_files(self) -> bool {
        self.is_v2()
    }

    /// Returns whether a client sends the files that it is asked for one after the other, each from its beginning, and
    /// does not stop before the last.
    pub(super) const fn sends_in_order(self) -> bool {
        !self.is_v2()
    }

    /// Returns whether a client is sent all that it is offered at once. It does not say which files it wants, nor which it
    /// has installed: its next manifest shows that.
    pub(super) const fn takes_all(self) -> bool {
        !self.is_v2()
    }

    /// Returns how many more sessions of a kind a client can take part in, of which this many are `open`. A Python client
    /// does one thing at a time.
    pub(super) fn room(self, open: usize, sessions: &Sessions, config: &ServerConfig) -> Room {
        if self.is_v2() {
            let most = config.client_sessions_max.max(1);
            Room { any: most.saturating_sub(open), small: true }
        } else {
            Room { any: usize::from(sessions.is_idle()), small: false }
        }
    }

    /// Returns the action that is due about a client.
    ///
    /// A Python client sends no sign of life by itself, least of all while it receives or sends files, and does not
    /// report that its files have changed. So it is asked for its manifest from time to time, and only a question that it
    /// does not answer counts as silence.
    pub(super) fn duty(self, peer: &Peer, now: Time, config: &ServerConfig) -> Duty {
        let mut silence = now.since(peer.liveness.heard_at);
        let polls = !self.is_v2() && peer.liveness.greeted;
        if polls {
            let polled_at = peer.report.polled_at.filter(|_| peer.sessions.is_idle());
            silence = polled_at.map_or(Duration::ZERO, |at| silence.min(now.since(at)));
        }
        // It reads nothing while it sends, so it is asked between sessions only.
        let is_stale = now.since(peer.report.received_at) >= config.manifest_stale;
        if silence >= config.timeouts.silence {
            Duty::Close
        } else if polls && is_stale && peer.report.polled_at.is_none() && peer.sessions.is_idle() {
            Duty::Poll
        } else {
            Duty::Nothing
        }
    }

    /// Checks the manifest of a client, and finds out which Python client it is: only 1.0.4 sends modification times.
    pub(super) fn check_manifest(
        &mut self,
        files: Vec<FileInfo>,
        rules: &Rules,
        union: &Union,
    ) -> CheckedManifest {
        let checked = check_manifest(files, rules, self.is_v2(), |key, hash| {
            union.get(key).is_some_and(|entry| entry.content.hash.to_string() == hash)
        });
        // An empty manifest has no times that could be missing.
        if !self.is_v2() && !checked.manifest.is_empty() {
            *self = if checked.dated { Self::V104 } else { Self::V1First };
        }
        checked
    }

    /// Returns why a client would not install an entry, whatever it is told.
    pub(super) fn refuses(
        self,
        peer: &Peer,
        entry: &UnionEntry,
        union: &Union,
        rules: &Rules,
    ) -> Option<Withheld> {
        if self.is_v2() {
            return None;
        }
        // The game makes the cache from the picture, on every PC its own.
        let picture = cached_picture(&entry.path, &rules.extensions);
        if picture.is_some_and(|picture| union.get(picture.key()).is_some()) {
            return Some(Withheld::Cache);
        }
        if self == Self::V104 && refused_by_104(&entry.path) {
            return Some(Withheld::OldClientRefuses);
        }
        (self == Self::V104 && keeps_newer(peer, entry)).then_some(Withheld::OldClientKeepsNewer)
    }
}

/// Returns whether client 1.0.4 refuses a path, whatever is there.
fn refused_by_104(path: &RelPath) -> bool {
    let text = path.as_str();
    let accepted = ["png", "dds", "json"];
    text.contains("__CONFLICT__")
        || text.contains("Copy.")
        || !accepted.iter().any(|known| path.extension().eq_ignore_ascii_case(known))
}

/// Returns whether client 1.0.4 keeps its own file. It would store the new one under a name that it never reports.
fn keeps_newer(peer: &Peer, entry: &UnionEntry) -> bool {
    let own = peer.file_at(entry.path.key()).and_then(|own| own.mtime);
    own.is_some_and(|own| own.since(entry.mtime.unwrap_or_default()) > TOLERANCE_104)
}

/// Returns the message that requests files. A source that sends them `in_order` knows only names.
pub(super) fn send_files(sync_id: SyncId, files: &[RequestedFile], in_order: bool) -> SendFiles {
    if in_order {
        let paths = files.iter().map(|file| file.name.clone()).collect();
        return SendFiles { sync_id, paths, files: None };
    }
    let request = |file: &RequestedFile| FileRequest {
        info: FileInfo::new(&file.name, file.content, None, false),
        resume: Resume { transfer: file.transfer, offset: file.from },
    };
    let files = Some(files.iter().map(request).collect());
    SendFiles { sync_id, paths: Vec::new(), files }
}

/// Sends a file to a Python client, which is not asked whether it wants it.
pub(super) fn push_file(
    cx: &mut Context,
    sync_id: &SyncId,
    target: PeerId,
    (path, content, transfer): (&RelPath, Content, TransferId),
) {
    let mtime = cx.league.union().get(path.key()).and_then(|entry| entry.mtime);
    let info = FileInfo::new(path.as_str(), content, mtime, false);
    let begin = Some(FileBegin { sync_id: sync_id.clone(), info });
    // Protocol 1 has no compressed pieces.
    let compression = Compression::Plain;
    cx.output(Output::StartDownload { target, transfer, content, from: 0, compression, begin });
}

/// The meaning of an ERROR from a Python target, which never says which file it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Complaint {
    /// It is about a file that was cancelled halfway. That is no refusal.
    Cancelled,
    /// It is about this file of the session, which the target will refuse again unless its bytes were wrong.
    File {
        /// The file's place among those that were given.
        index: usize,
        /// The target will refuse it again.
        for_good: bool,
    },
    /// It is about one of several files.
    Unclear,
}

/// Reads from the text of an ERROR which of a session's files it is about.
pub(super) fn read_complaint<'a>(
    text: &str,
    files: impl Iterator<Item = (&'a RelPath, FileFate)> + Clone,
) -> Complaint {
    let named = files.clone().enumerate().filter(|(_, (path, _))| text.contains(path.as_str()));
    // Its bytes ended early, so the target finds its size or hash wrong, and says so after the session went on.
    if named.clone().any(|(_, (_, fate))| fate == FileFate::Failed) {
        return Complaint::Cancelled;
    }
    let open = named.filter(|(_, (_, fate))| *fate == FileFate::Open);
    // One path may be the beginning of another: the longest that the text contains is meant.
    let named = open.max_by_key(|(_, (path, _))| path.as_str().len()).map(|(index, _)| index);
    let only = (files.count() == 1).then_some(0);
    match named.or(only) {
        // `Mismatch` or `mismatch`: its bytes were wrong, and the right ones may still come.
        Some(index) => Complaint::File { index, for_good: !text.contains("ismatch") },
        None => Complaint::Unclear,
    }
}

/// The fate of a file of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileFate {
    Open,
    Failed,
    Installed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        path::Extensions,
        wire::messages::{ErrorReport, ManifestChanges, ManifestFull, Remarks, Retire},
    };

    fn path(text: &str) -> RelPath {
        RelPath::parse(text, &Extensions::default()).unwrap()
    }

    #[track_caller]
    fn check_complaint(text: &str, files: &[(&str, FileFate)], expected: Complaint) {
        let files: Vec<_> = files.iter().map(|(text, fate)| (path(text), *fate)).collect();
        let files = files.iter().map(|(path, fate)| (path, *fate));
        assert_eq!(read_complaint(text, files), expected);
    }

    #[test]
    fn a_complaint_is_about_the_longest_path_that_it_names() {
        let files = [("a/b.png", FileFate::Open), ("aa/b.png", FileFate::Open)];
        let refused = |index| Complaint::File { index, for_good: true };
        check_complaint("Refused: aa/b.png", &files, refused(1));
        check_complaint("Refused: 'a/b.png'", &files, refused(0));
        check_complaint("Refused", &files, Complaint::Unclear);
        check_complaint("Refused", &files[..1], refused(0));
    }

    #[test]
    fn wrong_bytes_and_cancelled_files_are_no_refusal() {
        let open = [("a/b.png", FileFate::Open)];
        let mismatch = Complaint::File { index: 0, for_good: false };
        check_complaint("SHA mismatch for a/b.png", &open, mismatch);
        let failed = [("a/b.png", FileFate::Failed), ("c/d.png", FileFate::Open)];
        check_complaint("Mismatch for a/b.png", &failed, Complaint::Cancelled);
        let installed = [("a/b.png", FileFate::Installed), ("c/d.png", FileFate::Open)];
        check_complaint("Refused: a/b.png", &installed, Complaint::Unclear);
    }

    #[test]
    fn client_104_refuses_some_names() {
        for refused in ["a/b__CONFLICT__c334fd9d.png", "a/Copy.png", "a/b.jpg"] {
            assert!(refused_by_104(&path(refused)), "{refused}");
        }
        for accepted in ["a/b.png", "a/b.DDS", "a/copy.json"] {
            assert!(!refused_by_104(&path(accepted)), "{accepted}");
        }
    }

    #[test]
    fn a_python_client_gets_no_message_of_protocol_2() {
        let messages = [
            Message::Error(ErrorReport::default()),
            Message::Retire(Retire::default()),
            Message::ManifestFull(ManifestFull {
                remarks: Some(Remarks::default()),
                ..ManifestFull::default()
            }),
        ];
        for message in messages {
            assert!(Protocol::V2.understands(&message));
            assert!(!Protocol::V104.understands(&message), "{message:?}");
            assert!(!Protocol::V1First.understands(&message), "{message:?}");
        }
        assert!(Protocol::V104.understands(&Message::Pong));
        assert!(!Protocol::V104.may_send(&Message::ManifestChanges(ManifestChanges::default())));
    }
}
