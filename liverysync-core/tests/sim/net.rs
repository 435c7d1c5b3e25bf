//! Links: each way has its own delay and bandwidth, keeps its order, and carries real frames in odd cuts.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use liverysync_core::{
    union::PeerId,
    wire::{
        data::TransferId,
        messages::{Message, SyncId},
    },
};

use crate::{plane::Plane, rng::Rng};

pub(crate) type LinkId = usize;

/// Which way something travels: up to the server, or down to a PC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dir {
    Up,
    Down,
}

/// The one to tell that the link has taken a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    None,
    Chunk(SyncId),
    /// A piece of a file, its length, and whether the file ends with it.
    Piece(TransferId, usize, bool),
    Served,
}

#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) message: Message,
    pub(crate) note: Note,
}

impl Queued {
    /// Returns the number of bytes for which the link is busy with it. It does not depend on words, such as the names of fields, so
    /// that a renamed field does not change when things happen.
    pub(crate) fn weight(&self) -> usize {
        let (files, bytes) = match &self.message {
            Message::FileChunk(chunk) => (0, chunk.data.len() * 4 / 3),
            Message::Data(data) => (0, data.body.len()),
            Message::ManifestFull(full) => (full.manifest.len(), 0),
            Message::ManifestChanges(changes) => (changes.changed.len() + changes.removed.len(), 0),
            Message::SyncOffer(offer) => (offer.files.as_deref().unwrap_or_default().len(), 0),
            Message::SendFiles(send) => {
                (send.paths.len() + send.files.as_deref().unwrap_or_default().len(), 0)
            }
            _ => (0, 0),
        };
        200 + 150 * files + bytes
    }
}

/// One direction of a link.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) delay: u64,
    pub(crate) bytes_per_second: u64,
    pub(crate) queue: VecDeque<Queued>,
    pub(crate) queued_bytes: usize,
    /// Files that leave this way.
    pub(crate) plane: Plane,
    pub(crate) busy: bool,
    /// Bytes that the receiver has read and not split yet.
    pub(crate) inbox: BytesMut,
    /// Largest payload that the receiver takes at present.
    pub(crate) limit: usize,
    /// Nothing arrives until the partition heals. `None` stands for the end of the stream.
    pub(crate) silent: bool,
    pub(crate) held: Vec<Option<Bytes>>,
    pub(crate) last_arrival: u64,
}

impl Pipe {
    pub(crate) fn new(delay: u64, bytes_per_second: u64, limit: usize) -> Self {
        Self {
            delay,
            bytes_per_second,
            queue: VecDeque::new(),
            queued_bytes: 0,
            plane: Plane::default(),
            busy: false,
            inbox: BytesMut::new(),
            limit,
            silent: false,
            held: Vec::new(),
            last_arrival: 0,
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Queued> {
        let queued = self.queue.pop_front()?;
        self.queued_bytes -= queued.weight();
        Some(queued)
    }

    pub(crate) fn push(&mut self, queued: Queued) {
        self.queued_bytes += queued.weight();
        self.queue.push_back(queued);
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
        self.plane = Plane::default();
    }

    /// Returns the nanoseconds that the link needs for so many bytes.
    pub(crate) const fn transmission(&self, bytes: usize) -> u64 {
        (bytes as u64).saturating_mul(1_000_000_000) / self.bytes_per_second
    }
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) pc: usize,
    /// While the server knows of it.
    pub(crate) member: Option<PeerId>,
    /// While the PC knows of it.
    pub(crate) client_open: bool,
    /// Drops everything that was on its way when the connection broke.
    pub(crate) broken: bool,
    pub(crate) up: Pipe,
    pub(crate) down: Pipe,
}

impl Link {
    pub(crate) const fn pipe(&mut self, dir: Dir) -> &mut Pipe {
        match dir {
            Dir::Up => &mut self.up,
            Dir::Down => &mut self.down,
        }
    }
}

/// Returns the frame of a message, cut where no receiver expects it. Chance decides alone how many pieces there are, and
/// the last one always holds the end of the frame: so the frame's length does not change when it is read.
pub(crate) fn cut_frame(message: &Message, rng: &mut Rng) -> Vec<Bytes> {
    let mut wire = BytesMut::new();
    message.write_frame(&mut wire);
    let mut wire = wire.freeze();
    let mut pieces = Vec::new();
    while pieces.len() < 3 && rng.percent(25) {
        let near = rng.percent(50);
        let all = wire.len() as u64 - 1;
        let end = if near { all.min(6) } else { all };
        pieces.push(wire.split_to(rng.range(0, end) as usize));
    }
    pieces.push(wire);
    pieces
}
