//! One chunk of 256 KiB through each part of its way: encode, decode, and from sender to receiver
//! with and without the SHA-256.

#![allow(missing_docs, reason = "criterion's macro writes a public function")]
#![expect(clippy::unwrap_used, reason = "a bench stops at what it did not expect")]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use liverysync::core::{
    hash::Content,
    time::Time,
    transfer::{Asked, CHUNK_BYTES, Receiver, Relay, Sender},
    wire::{
        frame,
        v1::{FileBegin, FileChunk, FileInfo, Message, SyncId},
    },
};

/// Chunks in the file that goes from sender to receiver.
const CHUNKS: usize = 16;

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

fn chunk(data: Bytes, offset: u64) -> Message {
    let (sync_id, rel_path) = (SyncId::default(), "Team/decals.png".to_owned());
    Message::FileChunk(FileChunk { sync_id, rel_path, offset, data })
}

fn framed(message: &Message) -> BytesMut {
    let mut wire = BytesMut::new();
    frame::write(&mut wire, |out| message.encode(out));
    wire
}

fn unframed(mut wire: BytesMut) -> Message {
    let payload = frame::split(&mut wire, frame::PAYLOAD_BYTES_MAX).unwrap().unwrap();
    Message::decode(&payload).unwrap()
}

fn one_chunk(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chunk_v1");
    group.throughput(Throughput::Bytes(CHUNK_BYTES as u64));
    let message = chunk(noise(CHUNK_BYTES), 0);
    let wire = framed(&message);
    group.bench_function("encode", |bench| bench.iter(|| framed(black_box(&message))));
    group.bench_function("decode", |bench| bench.iter(|| unframed(black_box(wire.clone()))));
    group.finish();
}

/// Reads pieces as a sender asks for them, and takes them in at the other end of the wire.
fn send_to(file: &Bytes, mut take: impl FnMut(FileChunk)) {
    let mut sender = Sender::new(file.len() as u64);
    while let Some(piece) = sender.poll_piece() {
        let from = usize::try_from(piece.offset).unwrap();
        let wire = framed(&chunk(file.slice(from..from + piece.len), piece.offset));
        sender.handle_sent();
        if let Message::FileChunk(chunk) = unframed(wire) {
            take(chunk);
        }
    }
}

fn whole_file(criterion: &mut Criterion) {
    let file = noise(CHUNKS * CHUNK_BYTES);
    let content = Content::of(&file);
    let mut group = criterion.benchmark_group("file_v1");
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("sender_to_wire_to_nobody", |bench| {
        bench.iter(|| send_to(&file, |chunk| drop(black_box(chunk))));
    });
    group.bench_function("sender_to_receiver_with_sha256", |bench| {
        bench.iter(|| {
            let mut receiver = Receiver::new(content);
            send_to(&file, |chunk| receiver.accept(chunk.offset, &chunk.data).unwrap());
            assert_eq!(receiver.finish(), Ok(content));
        });
    });
    group.bench_function("through_a_relay_with_sha256", |bench| {
        bench.iter(|| {
            let name = "Team/decals.png".to_owned();
            let asked = Asked {
                source_name: name.clone(),
                target_name: name.clone(),
                content,
                mtime: None,
            };
            let mut relay = Relay::new(SyncId::default(), vec![asked], false, Time::ZERO);
            let info = FileInfo {
                rel_path: name,
                size: content.size,
                sha256: content.hash.to_string(),
                mtime: None,
            };
            let begin = Message::FileBegin(FileBegin { sync_id: SyncId::default(), info });
            let _begun = relay.handle_message(Time::ZERO, begin);
            send_to(&file, |chunk| {
                let step = relay.handle_message(Time::ZERO, Message::FileChunk(chunk));
                black_box(framed(&step.forward.unwrap()));
            });
        });
    });
    group.bench_function("bare_sha256", |bench| bench.iter(|| Content::of(black_box(&file))));
    group.finish();
}

criterion_group!(benches, one_chunk, whole_file);
criterion_main!(benches);
