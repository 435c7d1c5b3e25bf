//! The server's part in an upload: accepts what was requested and nothing else.
//!
//! The stream handles one frame at a time and never waits. It finds the file that a frame belongs to; the bytes are checked
//! where they are written. A source may skip files, lie about them, or send files that nobody requested. Each of these is an
//! event for the control machine, and the upload continues with the next file.

use std::time::Duration;

use crate::{
    hash::Content,
    inspect::ContentFacts,
    time::Time,
    transfer::TransferFault,
    wire::{
        data::{ChunkBody, Data, TransferId},
        messages::{FileBegin, FileChunk, FileEnd, Message},
    },
};

/// Interval in which a stream reports its progress. Each report takes time of the control machine, which otherwise would hear
/// of every piece; and it must come well within the time after which a source counts as stalled.
const REPORT_INTERVAL: Duration = Duration::from_millis(500);

/// One file that the server requested from a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedFile {
    /// The source's own name of it.
    pub name: String,
    /// The content it must have.
    pub content: Content,
    /// The number under which a source of protocol 2 sends it.
    pub transfer: TransferId,
    /// Number of its bytes that are here already and will not be sent.
    pub from: u64,
}

/// An observation about an upload, for the control machine. Files are numbered in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadEvent {
    /// This many bytes have arrived since the last report.
    Passed(u64),
    /// A file has arrived, was checked and is stored. Its bytes tell these facts.
    Stored(usize, ContentFacts),
    /// A file failed, by the source's fault.
    Faulted(usize, SourceFault),
    /// The store could not keep a file, for this reason. It is not the source's fault.
    Unkept(usize, String),
    /// The source sent a file that nobody requested, with the name of the first such file.
    Unasked(String),
    /// An abandoned source has finished sending.
    Drained,
}

/// The fault of a source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceFault {
    /// It announced another content than its manifest has.
    #[error("the source has another content now")]
    OtherContent,
    /// It sent a later file instead.
    #[error("the source skipped it")]
    Skipped,
    /// It reported that it cannot read the file at present.
    #[error("the source cannot read it at present")]
    Unreadable,
    /// Its bytes are wrong.
    #[error(transparent)]
    Transfer(#[from] TransferFault),
}

/// An action on the bytes of a file. Files are numbered in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Unpack these bytes and write them at this offset. The writer checks the offset.
    Write(usize, u64, ChunkBody),
    /// The file has ended: check it.
    Finish(usize),
}

/// The consequences of one frame of the source.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The actions, to be carried out in this order.
    pub actions: Vec<Action>,
    /// The events for the control machine, in this order.
    pub events: Vec<UploadEvent>,
}

/// The server's view of one upload.
#[derive(Debug)]
pub struct UploadStream {
    files: Vec<RequestedFile>,
    /// The first file that has not begun, in protocol 1.
    next: usize,
    open: Option<Open>,
    abandoned: bool,
    /// Set once a file that nobody requested was reported.
    unasked: bool,
    passed: u64,
    reported: Time,
}

/// The file that a source of protocol 1 is sending.
#[derive(Debug)]
struct Open {
    index: usize,
    /// Unset if the file is known to be wrong. Its bytes are then discarded.
    right: bool,
}

impl UploadStream {
    /// Expects `files`, in protocol 1 in this order.
    #[must_use]
    pub const fn new(files: Vec<RequestedFile>, now: Time) -> Self {
        let (open, abandoned, unasked) = (None, false, false);
        Self { files, next: 0, open, abandoned, unasked, passed: 0, reported: now }
    }

    /// Returns the files, in the order of their numbers.
    #[must_use]
    pub fn files(&self) -> &[RequestedFile] {
        &self.files
    }

    /// Handles one message of the source. Only messages that carry files matter.
    pub fn handle_message(&mut self, now: Time, message: Message) -> Step {
        let mut step = Step::default();
        match message {
            Message::Data(data) => self.data(now, data, &mut step),
            Message::FileBegin(begin) => self.begin(begin, &mut step),
            Message::FileChunk(chunk) => self.chunk(now, chunk, &mut step),
            Message::FileEnd(end) => self.end(&end, &mut step),
            _ => {}
        }
        // Its frames were followed all the same: they alone show when the source has finished.
        if self.abandoned {
            let drained = self.next == self.files.len() && self.open.is_none();
            let events = if drained { vec![UploadEvent::Drained] } else { Vec::new() };
            return Step { actions: Vec::new(), events };
        }
        step
    }

    /// Discards everything from now on, until a source of protocol 1 has finished sending.
    pub const fn abandon(&mut self) {
        self.abandoned = true;
    }

    fn data(&mut self, now: Time, data: Data, step: &mut Step) {
        let index = self.files.iter().position(|file| file.transfer == data.transfer);
        // A piece of a file that was cancelled may still have been under way.
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
        // Without this, the rate of a source whose uploads are short would stay unknown.
        if self.passed > 0 {
            step.events.push(UploadEvent::Passed(std::mem::take(&mut self.passed)));
        }
        step.actions.push(Action::Finish(index));
    }

    fn begin(&mut self, begin: FileBegin, step: &mut Step) {
        if let Some(open) = self.open.take_if(|open| open.right) {
            // The next file begins without the end of this one, which may be too short: the check finds out.
            self.finish(open.index, step);
        }
        self.open = None;
        let later = self.files.iter().enumerate().skip(self.next);
        let Some(index) =
            later.filter(|(_, file)| file.name == begin.info.rel_path).map(|(at, _)| at).next()
        else {
            // Report it only once, because a source could do it for ever.
            if !std::mem::replace(&mut self.unasked, true) {
                step.events.push(UploadEvent::Unasked(begin.info.rel_path));
            }
            return;
        };
        // A Python client sends in the order of the request, and skips what it lacks without a word.
        let skipped = self.next..index;
        step.events.extend(skipped.map(|at| UploadEvent::Faulted(at, SourceFault::Skipped)));
        self.next = index + 1;

        let content = self.files[index].content;
        let right =
            begin.info.size == content.size && begin.info.sha256.parse() == Ok(content.hash);
        if !right {
            step.events.push(UploadEvent::Faulted(index, SourceFault::OtherContent));
        }
        // Open even if it is wrong: a source of protocol 1 cannot be stopped, so its bytes are followed and dropped.
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

    /// Feeds messages, and returns the actions and events.
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
    fn a_source_of_protocol_1_sends_by_name() {
        let messages =
            vec![begin("a", b"aaaa"), chunk("a", 0, b"aaaa"), end("a"), begin("c", b""), end("c")];
        let (done, events) = feed(&mut stream(), messages);
        assert_eq!(done, ["0 at 0: aaaa", "0 ends", "2 ends"]);
        assert_eq!(events, [UploadEvent::Faulted(1, SourceFault::Skipped)]);
    }

    #[test]
    fn a_source_of_protocol_2_sends_by_number_in_any_order() {
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
    fn another_content_is_discarded_and_the_next_file_is_unharmed() {
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
    fn a_file_without_an_end_ends_where_the_next_begins() {
        let messages = vec![begin("a", b"aaaa"), chunk("a", 0, b"aa"), begin("b", b"bbbb")];
        let (done, _) = feed(&mut stream(), messages);
        assert_eq!(done, ["0 at 0: aa", "0 ends"]);
    }

    #[test]
    fn a_file_that_nobody_requested_is_discarded() {
        let evil = [begin("../evil", b"x"), chunk("../evil", 0, b"x"), end("../evil")];
        let messages = evil.iter().chain(&evil).cloned().collect();
        let (done, events) = feed(&mut stream(), messages);
        assert!(done.is_empty());
        assert_eq!(events, [UploadEvent::Unasked("../evil".into())]);
    }

    #[test]
    fn an_abandoned_source_is_discarded_to_its_end() {
        let mut stream = stream();
        feed(&mut stream, vec![begin("a", b"aaaa"), chunk("a", 0, b"aa")]);
        stream.abandon();
        let rest = vec![chunk("a", 2, b"aa"), end("a"), begin("c", b""), end("c")];
        assert_eq!(feed(&mut stream, rest), (vec![], vec![UploadEvent::Drained]));
    }
}
