//! The server's part in an upload: it takes in what was asked for, and nothing else.
//!
//! The stream never waits and never sees more than one frame at a time. It says which file a frame belongs
//! to; whether the bytes are right is found out where they are written. A source may skip files, lie
//! about them or send what nobody asked for; each is an event for the control machine, and the
//! upload goes on with the next file.

use std::time::Duration;

use crate::{
    hash::Content,
    time::Time,
    transfer::TransferFault,
    wire::{
        data::{ChunkBody, Data, TransferId},
        messages::{FileBegin, FileChunk, FileEnd, Message},
    },
};

/// How often a stream reports that bytes are passing.
const REPORT_INTERVAL: Duration = Duration::from_millis(500);

/// One file that a source was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedFile {
    /// The source's own name for it.
    pub name: String,
    /// What it must hold.
    pub content: Content,
    /// The number under which a source of ours sends it.
    pub transfer: TransferId,
    /// Bytes of it that are here already and will not be sent.
    pub from: u64,
}

/// What was seen of an upload, for the control machine. Numbers count the files that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadEvent {
    /// This many bytes came since the last report.
    Passed(u64),
    /// A whole file came, and it is right.
    Stored(usize),
    /// A file is not what was asked for.
    Faulted(usize, SourceFault),
    /// The store could not keep a file, for this reason; that is no fault of the source.
    Unkept(usize, String),
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

/// What to do with the bytes of a file. Numbers count the files that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Unpack these bytes and write them at this offset. The first of a file may come at any offset: it is checked there.
    Write(usize, u64, ChunkBody),
    /// No more will come: check the whole.
    Finish(usize),
}

/// What to do with a frame of the source.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// In this order.
    pub actions: Vec<Action>,
    /// Goes to the control machine, in this order.
    pub events: Vec<UploadEvent>,
}

/// Watches over what one upload brings.
#[derive(Debug)]
pub struct UploadStream {
    files: Vec<RequestedFile>,
    /// The first file that has not begun, of those that an old source sends one after the other.
    next: usize,
    open: Option<Open>,
    abandoned: bool,
    /// Whether something that nobody asked for has been reported.
    unasked: bool,
    passed: u64,
    reported: Time,
}

/// The file that an old source is at.
#[derive(Debug)]
struct Open {
    index: usize,
    /// Unset once the file is known to be wrong: the rest of it is swallowed.
    right: bool,
}

impl UploadStream {
    /// Expects `files`; from an old source in this order.
    #[must_use]
    pub const fn new(files: Vec<RequestedFile>, now: Time) -> Self {
        let (open, abandoned, unasked) = (None, false, false);
        Self { files, next: 0, open, abandoned, unasked, passed: 0, reported: now }
    }

    /// The files, in the order of their numbers.
    #[must_use]
    pub fn files(&self) -> &[RequestedFile] {
        &self.files
    }

    /// Takes one message of the source; only those of a file on its way are looked at.
    pub fn handle_message(&mut self, now: Time, message: Message) -> Step {
        let mut step = Step::default();
        match message {
            Message::Data(data) => self.data(now, data, &mut step),
            Message::FileBegin(begin) => self.begin(begin, &mut step),
            Message::FileChunk(chunk) => self.chunk(now, chunk, &mut step),
            Message::FileEnd(end) => self.end(&end, &mut step),
            _ => {}
        }
        if self.abandoned {
            let drained = self.next == self.files.len() && self.open.is_none();
            let events = if drained { vec![UploadEvent::Drained] } else { Vec::new() };
            return Step { actions: Vec::new(), events };
        }
        step
    }

    /// Takes nothing more in; only the end of an old source is still waited for.
    pub const fn abandon(&mut self) {
        self.abandoned = true;
    }

    fn data(&mut self, now: Time, data: Data, step: &mut Step) {
        let index = self.files.iter().position(|file| file.transfer == data.transfer);
        let Some(index) = index else { return };
        self.write(now, index, data.offset, data.body, step);
        if data.last {
            self.finish(index, step);
        }
    }

    fn write(&mut self, now: Time, index: usize, offset: u64, body: ChunkBody, step: &mut Step) {
        self.passed += body.len() as u64;
        if now.since(self.reported) >= REPORT_INTERVAL {
            self.reported = now;
            step.events.push(UploadEvent::Passed(std::mem::take(&mut self.passed)));
        }
        step.actions.push(Action::Write(index, offset, body));
    }

    fn finish(&mut self, index: usize, step: &mut Step) {
        if self.passed > 0 {
            step.events.push(UploadEvent::Passed(std::mem::take(&mut self.passed)));
        }
        step.actions.push(Action::Finish(index));
    }

    fn begin(&mut self, begin: FileBegin, step: &mut Step) {
        if let Some(open) = self.open.take_if(|open| open.right) {
            // A file that ends without its end is too short.
            self.finish(open.index, step);
        }
        self.open = None;
        let later = self.files.iter().enumerate().skip(self.next);
        let Some(index) =
            later.filter(|(_, file)| file.name == begin.info.rel_path).map(|(at, _)| at).next()
        else {
            // Once is enough: a source could go on with it for ever.
            if !std::mem::replace(&mut self.unasked, true) {
                step.events.push(UploadEvent::Unasked(begin.info.rel_path));
            }
            return;
        };
        let skipped = self.next..index;
        step.events.extend(skipped.map(|at| UploadEvent::Faulted(at, SourceFault::Skipped)));
        self.next = index + 1;

        let content = self.files[index].content;
        let right =
            begin.info.size == content.size && begin.info.sha256.parse() == Ok(content.hash);
        if !right {
            step.events.push(UploadEvent::Faulted(index, SourceFault::OtherContent));
        }
        self.open = Some(Open { index, right });
    }

    fn chunk(&mut self, now: Time, chunk: FileChunk, step: &mut Step) {
        let Some(open) = self.open.as_ref().filter(|open| open.right) else { return };
        if chunk.rel_path == self.files[open.index].name {
            self.write(now, open.index, chunk.offset, chunk.data.into(), step);
        }
    }

    fn end(&mut self, end: &FileEnd, step: &mut Step) {
        let open = self.open.take_if(|open| self.files[open.index].name == end.rel_path);
        if let Some(open) = open.filter(|open| open.right) {
            self.finish(open.index, step);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::wire::messages::{FileInfo, SyncId};

    fn stream() -> UploadStream {
        let asked = |name: &str, bytes: &[u8], transfer| RequestedFile {
            name: name.to_owned(),
            content: Content::of(bytes),
            transfer: TransferId(transfer),
            from: 0,
        };
        let files = vec![asked("a", b"aaaa", 7), asked("b", b"bbbb", 8), asked("c", b"", 9)];
        UploadStream::new(files, Time::ZERO)
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

    fn data(transfer: u32, offset: u64, bytes: &'static [u8], last: bool) -> Message {
        let (transfer, bytes) = (TransferId(transfer), Bytes::from_static(bytes));
        Message::Data(Data { transfer, offset, last, body: bytes.into() })
    }

    /// Feeds messages, and returns what was to be done and the events.
    fn feed(stream: &mut UploadStream, messages: Vec<Message>) -> (Vec<String>, Vec<UploadEvent>) {
        let (mut done, mut events) = (Vec::new(), Vec::new());
        for message in messages {
            let step = stream.handle_message(Time::ZERO, message);
            let passed = |event: &UploadEvent| matches!(event, UploadEvent::Passed(_));
            events.extend(step.events.into_iter().filter(|event| !passed(event)));
            done.extend(step.actions.into_iter().map(|action| match action {
                Action::Write(index, offset, body) => {
                    format!("{index} at {offset}: {}", String::from_utf8_lossy(body.on_wire()))
                }
                Action::Finish(index) => format!("{index} ends"),
            }));
        }
        (done, events)
    }

    #[test]
    fn an_old_source_says_by_its_names_what_it_sends() {
        let messages =
            vec![begin("a", b"aaaa"), chunk("a", 0, b"aaaa"), end("a"), begin("c", b""), end("c")];
        let (done, events) = feed(&mut stream(), messages);
        assert_eq!(done, ["0 at 0: aaaa", "0 ends", "2 ends"]);
        assert_eq!(events, [UploadEvent::Faulted(1, SourceFault::Skipped)]);
    }

    #[test]
    fn a_source_of_ours_says_it_by_its_numbers_in_any_order() {
        let messages = vec![
            data(8, 0, b"bb", false),
            data(7, 0, b"aaaa", true),
            data(6, 0, b"nobody", true),
            data(8, 2, b"bb", true),
            data(9, 0, b"", true),
        ];
        let (done, events) = feed(&mut stream(), messages);
        let expected =
            ["1 at 0: bb", "0 at 0: aaaa", "0 ends", "1 at 2: bb", "1 ends", "2 at 0: ", "2 ends"];
        assert_eq!(done, expected);
        assert!(events.is_empty());
    }

    #[test]
    fn another_content_is_swallowed_and_the_next_file_is_not_harmed() {
        let messages = vec![
            begin("a", b"other"),
            chunk("a", 0, b"other"),
            end("a"),
            begin("b", b"bbbb"),
            chunk("b", 0, b"bbbb"),
            end("b"),
        ];
        let (done, events) = feed(&mut stream(), messages);
        assert_eq!(done, ["1 at 0: bbbb", "1 ends"]);
        assert_eq!(events, [UploadEvent::Faulted(0, SourceFault::OtherContent)]);
    }

    #[test]
    fn a_file_without_its_end_ends_where_the_next_begins() {
        let messages = vec![begin("a", b"aaaa"), chunk("a", 0, b"aa"), begin("b", b"bbbb")];
        let (done, _) = feed(&mut stream(), messages);
        assert_eq!(done, ["0 at 0: aa", "0 ends"]);
    }

    #[test]
    fn what_nobody_asked_for_goes_nowhere() {
        let evil = [begin("../evil", b"x"), chunk("../evil", 0, b"x"), end("../evil")];
        let messages = evil.iter().chain(&evil).cloned().collect();
        let (done, events) = feed(&mut stream(), messages);
        assert!(done.is_empty());
        assert_eq!(events, [UploadEvent::Unasked("../evil".into())]);
    }

    #[test]
    fn an_abandoned_source_is_swallowed_to_its_end() {
        let mut stream = stream();
        feed(&mut stream, vec![begin("a", b"aaaa"), chunk("a", 0, b"aa")]);
        stream.abandon();
        let rest = vec![chunk("a", 2, b"aa"), end("a"), begin("c", b""), end("c")];
        assert_eq!(feed(&mut stream, rest), (vec![], vec![UploadEvent::Drained]));
    }
}
