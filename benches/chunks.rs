//! Files in chunks of 256 KiB through each part of their way, in the forms of both protocols: from sender
//! to receiver with and without the SHA-256, and what the server does with the frames of a source.

#![allow(missing_docs, reason = "criterion's macro writes a public function")]
#![expect(clippy::unwrap_used, reason = "a bench stops at what it did not expect")]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use liverysync_core::{
    hash::Content,
    time::Time,
    transfer::{Action, CHUNK_BYTES, Receiver, RequestedFile, Sender, UploadStream},
    wire::{
        data::{Data, TransferId},
        messages::{FileBegin, FileChunk, FileEnd, FileInfo, Message, SyncId},
    },
};

/// Chunks in the file that goes from sender to receiver.
const CHUNKS: usize = 16;

const NAME: &str = "Team/decals.png";

/// The form in which a file travels.
#[derive(Clone, Copy)]
enum Protocol {
    One,
    Two,
}

const PROTOCOLS: [(&str, Protocol); 2] = [("v1", Protocol::One), ("v2", Protocol::Two)];

impl Protocol {
    fn piece(self, bytes: Bytes, offset: u64, last: bool) -> Message {
        match self {
            Self::One => {
                let (sync_id, rel_path) = (SyncId::default(), NAME.to_owned());
                Message::FileChunk(FileChunk { sync_id, rel_path, offset, data: bytes })
            }
            Self::Two => {
                Message::Data(Data { transfer: TransferId(1), offset, last, body: bytes.into() })
            }
        }
    }

    /// Everything that a source sends of a file.
    fn messages(self, file: &Bytes) -> Vec<Message> {
        let mut messages = Vec::new();
        let (sync_id, content) = (SyncId::default(), Content::of(file));
        let info = FileInfo::new(NAME, content, None, false);
        if matches!(self, Self::One) {
            messages.push(Message::FileBegin(FileBegin { sync_id: sync_id.clone(), info }));
        }
        for offset in (0..file.len()).step_by(CHUNK_BYTES) {
            let end = file.len().min(offset + CHUNK_BYTES);
            messages.push(self.piece(file.slice(offset..end), offset as u64, end == file.len()));
        }
        if matches!(self, Self::One) {
            messages.push(Message::FileEnd(FileEnd { sync_id, rel_path: NAME.to_owned() }));
        }
        messages
    }
}

/// Bytes that do not repeat within a chunk; the same on every run.
fn noise(bytes: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

fn framed(message: &Message, wire: &mut BytesMut) {
    message.write_frame(wire);
}

fn unframed(wire: &mut BytesMut) -> Option<Message> {
    Message::read_frame(wire, Message::BYTES_MAX).unwrap()
}

fn one_chunk(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chunk");
    group.throughput(Throughput::Bytes(CHUNK_BYTES as u64));
    for (name, protocol) in PROTOCOLS {
        let message = protocol.piece(noise(CHUNK_BYTES), 0, false);
        let mut wire = BytesMut::new();
        framed(&message, &mut wire);
        group.bench_function(format!("{name}/encode"), |bench| {
            let mut wire = BytesMut::new();
            bench.iter(|| {
                wire.clear();
                framed(black_box(&message), &mut wire);
            });
        });
        group.bench_function(format!("{name}/decode"), |bench| {
            let wire = || wire.clone();
            bench.iter_batched_ref(wire, unframed, BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// Reads pieces as a sender asks for them, and receives them on the other side of the wire.
fn send_to(file: &Bytes, protocol: Protocol, mut take: impl FnMut(u64, &Bytes)) {
    let mut sender = Sender::new(file.len() as u64);
    let mut wire = BytesMut::new();
    while let Some(piece) = sender.poll_piece() {
        let from = usize::try_from(piece.offset).unwrap();
        let (bytes, last) = (file.slice(from..from + piece.len), from + piece.len == file.len());
        framed(&protocol.piece(bytes, piece.offset, last), &mut wire);
        sender.handle_sent();
        match unframed(&mut wire) {
            Some(Message::FileChunk(chunk)) => take(chunk.offset, &chunk.data),
            Some(Message::Data(data)) => take(data.offset, data.body.on_wire()),
            other => unreachable!("{other:?}"),
        }
    }
}

fn whole_file(criterion: &mut Criterion) {
    let file = noise(CHUNKS * CHUNK_BYTES);
    let content = Content::of(&file);
    let mut group = criterion.benchmark_group("file");
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("bare_sha256", |bench| bench.iter(|| Content::of(black_box(&file))));
    for (name, protocol) in PROTOCOLS {
        group.bench_function(format!("{name}/sender_to_receiver_with_sha256"), |bench| {
            bench.iter(|| {
                let mut receiver = Receiver::new(content);
                send_to(&file, protocol, |offset, bytes| receiver.accept(offset, bytes).unwrap());
                assert_eq!(receiver.finish(), Ok(content));
            });
        });
        group.bench_function(format!("{name}/sender_to_wire_to_nobody"), |bench| {
            bench.iter(|| send_to(&file, protocol, |_, bytes| drop(black_box(bytes.clone()))));
        });
    }
    group.finish();
}

/// Does what the server's link does with a source's frames, up to the hand-over to the store.
fn upload(criterion: &mut Criterion) {
    let file = noise(CHUNKS * CHUNK_BYTES);
    let asked = RequestedFile {
        name: NAME.to_owned(),
        content: Content::of(&file),
        transfer: TransferId(1),
        from: 0,
    };
    let mut group = criterion.benchmark_group("upload");
    group.throughput(Throughput::Bytes(file.len() as u64));
    for (name, protocol) in PROTOCOLS {
        let frame = |message| {
            let mut wire = BytesMut::new();
            framed(message, &mut wire);
            wire
        };
        let frames: Vec<_> = protocol.messages(&file).iter().map(frame).collect();
        let setup = || (UploadStream::new(vec![asked.clone()], Time::ZERO), frames.clone());
        group.bench_function(name, |bench| {
            bench.iter_batched_ref(
                setup,
                |(upload, frames)| {
                    let mut bytes = 0;
                    for message in frames.iter_mut().filter_map(unframed) {
                        for action in upload.handle_message(Time::ZERO, message).actions {
                            if let Action::Write(_, _, piece) = action {
                                bytes += piece.len();
                            }
                        }
                    }
                    assert_eq!(bytes, file.len());
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, one_chunk, whole_file, upload);
criterion_main!(benches);
