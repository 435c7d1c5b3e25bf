//! The server's part in a session: it lets through what was asked for and is right, and nothing else.
//!
//! The relay never waits and never sees more than one frame at a time. A source may skip files, lie
//! about them or send what nobody asked for; each is an event for the control machine, and the
//! session goes on with the next file.

use std::time::Duration;

use crate::{
    hash::Content,
    time::{Time, UnixTime},
    transfer::{Receiver, TransferFault},
    wire::v1::{FileBegin, FileChunk, FileEnd, FileInfo, Message, SyncId},
};

/// How often a relay reports that bytes are passing.
const REPORT_INTERVAL: Duration = Duration::from_millis(500);

/// One file that a source was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The source's own name for it.
    pub source_name: String,
    /// The target's name for it: a rival is renamed on the way.
    pub target_name: String,
    /// What it must hold.
    pub content: Content,
    /// Its modification time in the union.
    pub mtime: Option<UnixTime>,
}

/// What a relay saw, for the control machine. Numbers count the files that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayEvent {
    /// A file has begun.
    Began(usize),
    /// This many bytes passed since the last report.
    Passed(u64),
    /// A whole file passed, and it is right.
    Delivered(usize),
    /// A file is not what was asked for.
    Faulted(usize, SourceFault),
    /// The source sent something that nobody asked for: the name of the first such thing.
    Unasked(String),
    /// An abandoned source has come to its end.
    Drained,
}

/// What a source did wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceFault {
    /// It announced another content than its manifest did.
    #[error("the source has another content by now")]
    OtherContent,
    /// It went on without it.
    #[error("the source skipped it")]
    Skipped,
    /// It says that it cannot read it at present.
    #[error("the source cannot read it at present")]
    Unreadable,
    /// Its bytes are wrong.
    #[error(transparent)]
    Transfer(#[from] TransferFault),
}

/// What to do with a frame of the source.
#[derive(Debug, Default, PartialEq)]
pub struct Step {
    /// Goes to the target.
    pub forward: Option<Message>,
    /// Goes to the control machine, in this order.
    pub events: Vec<RelayEvent>,
}

/// Watches over one session's stream: it lets through what was asked for and is right.
#[derive(Debug)]
pub struct Relay {
    sync_id: SyncId,
    files: Vec<Asked>,
    /// The first file that has not begun.
    next: usize,
    open: Option<Open>,
    /// A target of protocol 1 drops a broken file only when it is told its end.
    target_needs_ends: bool,
    abandoned: bool,
    /// Whether something that nobody asked for has been reported.
    unasked: bool,
    passed: u64,
    reported: Time,
}

#[derive(Debug)]
struct Open {
    index: usize,
    /// `None` once the file is known to be wrong: the rest of it is swallowed.
    receiver: Option<Receiver>,
}

impl Relay {
    /// Expects `files` in this order.
    #[must_use]
    pub const fn new(
        sync_id: SyncId,
        files: Vec<Asked>,
        target_needs_ends: bool,
        now: Time,
    ) -> Self {
        let (open, abandoned, unasked) = (None, false, false);
        Self {
            sync_id,
            files,
            next: 0,
            open,
            target_needs_ends,
            abandoned,
            unasked,
            passed: 0,
            reported: now,
        }
    }

    /// Takes one message of the source; only those of a file on its way are looked at.
    pub fn handle_message(&mut self, now: Time, message: Message) -> Step {
        let mut step = Step::default();
        match message {
            Message::FileBegin(begin) => self.begin(begin, &mut step),
            Message::FileChunk(chunk) => self.chunk(now, chunk, &mut step),
            Message::FileEnd(end) => self.end(&end, &mut step),
            _ => {}
        }
        if self.abandoned {
            let drained = self.next == self.files.len() && self.open.is_none();
            let events = if drained { vec![RelayEvent::Drained] } else { Vec::new() };
            return Step { forward: None, events };
        }
        step
    }

    /// Stops letting anything through. What the returned message says must still reach the target.
    pub fn abandon(&mut self) -> Option<Message> {
        self.abandoned = true;
        match &self.open {
            Some(Open { index, receiver: Some(_) }) if self.target_needs_ends => {
                self.end_of(*index)
            }
            _ => None,
        }
    }

    fn begin(&mut self, begin: FileBegin, step: &mut Step) {
        if let Some(open) = self.open.take() {
            self.break_off(open, step);
        }
        let later = self.files.iter().enumerate().skip(self.next);
        let Some(index) = later
            .filter(|(_, file)| file.source_name == begin.info.rel_path)
            .map(|(at, _)| at)
            .next()
        else {
            // Once is enough: a source could go on with it for ever.
            if !std::mem::replace(&mut self.unasked, true) {
                step.events.push(RelayEvent::Unasked(begin.info.rel_path));
            }
            return;
        };
        let skipped = self.next..index;
        step.events.extend(skipped.map(|at| RelayEvent::Faulted(at, SourceFault::Skipped)));
        self.next = index + 1;

        let file = &self.files[index];
        let announced = begin.info.sha256.parse();
        if begin.info.size != file.content.size || announced != Ok(file.content.hash) {
            step.events.push(RelayEvent::Faulted(index, SourceFault::OtherContent));
            self.open = Some(Open { index, receiver: None });
            return;
        }
        self.open = Some(Open { index, receiver: Some(Receiver::new(file.content)) });
        step.events.push(RelayEvent::Began(index));
        step.forward = Some(Message::FileBegin(FileBegin {
            sync_id: self.sync_id.clone(),
            info: FileInfo::new(&file.target_name, file.content, file.mtime, false),
        }));
    }

    /// A file that ends without its end is too short.
    fn break_off(&self, open: Open, step: &mut Step) {
        let Some(receiver) = open.receiver else { return };
        let declared = self.files[open.index].content.size;
        let fault = TransferFault::TooShort { declared, got: receiver.received() };
        step.events.push(RelayEvent::Faulted(open.index, fault.into()));
    }

    fn chunk(&mut self, now: Time, chunk: FileChunk, step: &mut Step) {
        let Some(open) = &mut self.open else { return };
        let file = &self.files[open.index];
        let Some(receiver) = &mut open.receiver else { return };
        if chunk.rel_path != file.source_name {
            return;
        }
        if let Err(fault) = receiver.accept(chunk.offset, &chunk.data) {
            open.receiver = None;
            let index = open.index;
            step.events.push(RelayEvent::Faulted(index, fault.into()));
            if self.target_needs_ends {
                step.forward = self.end_of(index);
            }
            return;
        }
        self.passed += chunk.data.len() as u64;
        if now.since(self.reported) >= REPORT_INTERVAL {
            self.reported = now;
            step.events.push(RelayEvent::Passed(std::mem::take(&mut self.passed)));
        }
        step.forward = Some(Message::FileChunk(FileChunk {
            sync_id: self.sync_id.clone(),
            rel_path: file.target_name.clone(),
            ..chunk
        }));
    }

    fn end(&mut self, end: &FileEnd, step: &mut Step) {
        let Some(open) =
            self.open.take_if(|open| self.files[open.index].source_name == end.rel_path)
        else {
            return;
        };
        let Some(receiver) = open.receiver else { return };
        match receiver.finish() {
            Ok(_) => {
                if self.passed > 0 {
                    step.events.push(RelayEvent::Passed(std::mem::take(&mut self.passed)));
                }
                step.events.push(RelayEvent::Delivered(open.index));
                step.forward = self.end_of(open.index);
            }
            Err(fault) => {
                step.events.push(RelayEvent::Faulted(open.index, fault.into()));
                if self.target_needs_ends {
                    step.forward = self.end_of(open.index);
                }
            }
        }
    }

    fn end_of(&self, index: usize) -> Option<Message> {
        Some(Message::FileEnd(FileEnd {
            sync_id: self.sync_id.clone(),
            rel_path: self.files[index].target_name.clone(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn relay(target_needs_ends: bool) -> Relay {
        let asked = |name: &str, bytes: &[u8]| Asked {
            source_name: name.to_owned(),
            target_name: format!("T/{name}"),
            content: Content::of(bytes),
            mtime: None,
        };
        let files = vec![asked("a", b"aaaa"), asked("b", b"bbbb"), asked("c", b"")];
        Relay::new(SyncId::default(), files, target_needs_ends, Time::ZERO)
    }

    fn begin(name: &str, bytes: &[u8]) -> Message {
        let content = Content::of(bytes);
        Message::FileBegin(FileBegin {
            sync_id: SyncId::default(),
            info: FileInfo::new(name, content, None, false),
        })
    }

    fn chunk(name: &str, offset: u64, bytes: &'static [u8]) -> Message {
        let (sync_id, rel_path) = (SyncId::default(), name.to_owned());
        Message::FileChunk(FileChunk { sync_id, rel_path, offset, data: Bytes::from_static(bytes) })
    }

    fn end(name: &str) -> Message {
        Message::FileEnd(FileEnd { sync_id: SyncId::default(), rel_path: name.into() })
    }

    /// Feeds messages, and returns the names that went on and the events.
    fn feed(relay: &mut Relay, messages: Vec<Message>) -> (Vec<String>, Vec<RelayEvent>) {
        let (mut names, mut events) = (Vec::new(), Vec::new());
        for message in messages {
            let step = relay.handle_message(Time::ZERO, message);
            events.extend(
                step.events.into_iter().filter(|event| !matches!(event, RelayEvent::Passed(_))),
            );
            names.extend(match step.forward {
                Some(Message::FileBegin(begin)) => Some(format!("begin {}", begin.info.rel_path)),
                Some(Message::FileChunk(chunk)) => Some(format!("chunk {}", chunk.rel_path)),
                Some(Message::FileEnd(end)) => Some(format!("end {}", end.rel_path)),
                _ => None,
            });
        }
        (names, events)
    }

    #[test]
    fn what_is_right_passes_under_the_targets_names() {
        let messages =
            vec![begin("a", b"aaaa"), chunk("a", 0, b"aaaa"), end("a"), begin("c", b""), end("c")];
        let (names, events) = feed(&mut relay(false), messages);
        assert_eq!(names, ["begin T/a", "chunk T/a", "end T/a", "begin T/c", "end T/c"]);
        assert_eq!(
            events,
            [
                RelayEvent::Began(0),
                RelayEvent::Delivered(0),
                RelayEvent::Faulted(1, SourceFault::Skipped),
                RelayEvent::Began(2),
                RelayEvent::Delivered(2),
            ]
        );
    }

    #[track_caller]
    fn check_fault(messages: Vec<Message>, fault: &SourceFault) {
        for target_needs_ends in [false, true] {
            let mut relay = relay(target_needs_ends);
            let (names, events) = feed(&mut relay, messages.clone());
            assert!(events.contains(&RelayEvent::Faulted(0, fault.clone())), "{events:?}");
            assert!(!events.contains(&RelayEvent::Delivered(0)));
            let began = names.contains(&"begin T/a".to_owned());
            let ended = names.contains(&"end T/a".to_owned());
            assert_eq!(ended, target_needs_ends && began);

            let (names, events) =
                feed(&mut relay, vec![begin("b", b"bbbb"), chunk("b", 0, b"bbbb"), end("b")]);
            assert_eq!(names, ["begin T/b", "chunk T/b", "end T/b"], "the next file is not harmed");
            assert!(events.contains(&RelayEvent::Delivered(1)));
        }
    }

    #[test]
    fn each_lie_is_found_and_the_next_file_passes() {
        let transfer = SourceFault::Transfer;
        check_fault(
            vec![begin("a", b"other"), chunk("a", 0, b"other"), end("a")],
            &SourceFault::OtherContent,
        );
        check_fault(
            vec![begin("a", b"aaaa"), chunk("a", 0, b"aa"), chunk("a", 3, b"a"), end("a")],
            &transfer(TransferFault::Gap { expected: 2, got: 3 }),
        );
        check_fault(
            vec![begin("a", b"aaaa"), chunk("a", 0, b"aaaaa"), end("a")],
            &transfer(TransferFault::TooMany { declared: 4 }),
        );
        check_fault(
            vec![begin("a", b"aaaa"), chunk("a", 0, b"aa"), end("a")],
            &transfer(TransferFault::TooShort { declared: 4, got: 2 }),
        );
        let (declared, got) = (Content::of(b"aaaa").hash, Content::of(b"aaab").hash);
        check_fault(
            vec![begin("a", b"aaaa"), chunk("a", 0, b"aaab"), end("a")],
            &transfer(TransferFault::WrongBytes { declared, got }),
        );
    }

    #[test]
    fn what_nobody_asked_for_does_not_pass() {
        let evil = [begin("../evil", b"x"), chunk("../evil", 0, b"x"), end("../evil")];
        let messages = evil.iter().chain(&evil).cloned().collect();
        let (names, events) = feed(&mut relay(false), messages);
        assert!(names.is_empty());
        assert_eq!(events, [RelayEvent::Unasked("../evil".into())]);
    }

    #[test]
    fn an_abandoned_source_is_swallowed_to_its_end() {
        let mut relay = relay(true);
        feed(&mut relay, vec![begin("a", b"aaaa"), chunk("a", 0, b"aa")]);
        assert!(matches!(relay.abandon(), Some(Message::FileEnd(_))));
        let rest = vec![chunk("a", 2, b"aa"), end("a"), begin("c", b""), end("c")];
        assert_eq!(feed(&mut relay, rest), (vec![], vec![RelayEvent::Drained]));
    }
}
