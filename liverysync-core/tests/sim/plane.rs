//! The plane that carries file data: the server's store, and the files that leave on either side of a link.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use liverysync_core::{
    client,
    hash::{Content, ContentHash},
    inspect::{ContentFacts, Damage},
    path::RelPath,
    select::Stamp,
    server,
    time::Time,
    transfer::{Action, Compression, Next, Receiver, SendQueue, UploadEvent, UploadStream},
    union::PeerId,
    wire::{
        data::{ChunkBody, Data, Decoder, Encoder, TransferId, WINDOW_BYTES},
        messages::{Credit, FileBegin, FileChunk, FileEnd, Message, SyncId},
    },
};

use crate::{
    net::{Dir, LinkId, Note, Queued},
    rig::{Brain, Ev, SimServer, World},
};

/// The source of the bytes of a file that leaves.
#[derive(Clone, Debug)]
enum ByteSource {
    Store(ContentHash),
    File(RelPath, Stamp),
}

/// The files that leave at one end of a link.
#[derive(Debug)]
pub(crate) struct Plane {
    outgoing: SendQueue,
    sources: BTreeMap<TransferId, ByteSource>,
    packings: BTreeMap<TransferId, Compression>,
    encoder: Encoder,
    /// FILE_BEGIN messages for a program of protocol 1.
    begins: BTreeMap<TransferId, FileBegin>,
    /// Files of which an old program has got the beginning and not the end.
    open: BTreeSet<TransferId>,
}

impl Default for Plane {
    fn default() -> Self {
        let outgoing = SendQueue::new(WINDOW_BYTES);
        Self {
            outgoing,
            sources: BTreeMap::new(),
            packings: BTreeMap::new(),
            encoder: Encoder::default(),
            begins: BTreeMap::new(),
            open: BTreeSet::new(),
        }
    }
}

impl Plane {
    fn begin(
        &mut self,
        transfer: TransferId,
        from: u64,
        size: u64,
        source: ByteSource,
        compression: Compression,
    ) {
        self.outgoing.begin(transfer, from, size);
        self.sources.insert(transfer, source);
        self.packings.insert(transfer, compression);
    }

    fn stop(&mut self, transfer: TransferId) -> Option<Message> {
        self.outgoing.stop(transfer);
        self.sources.remove(&transfer);
        let begin = self.begins.remove(&transfer)?;
        self.open.remove(&transfer).then(|| end_of(&begin))
    }

    fn pack(&mut self, transfer: TransferId, bytes: Bytes) -> ChunkBody {
        let compression = self.packings.entry(transfer).or_default();
        match compression.pack(&bytes, &mut self.encoder) {
            Some(frame) => ChunkBody::zstd(Bytes::copy_from_slice(frame)),
            None => bytes.into(),
        }
    }

    /// Returns the messages in which a piece travels.
    fn messages(&mut self, next: Next, bytes: Bytes) -> Vec<Message> {
        let Next { transfer, offset, last, .. } = next;
        if last {
            self.sources.remove(&transfer);
        }
        let Some(begin) = self.begins.get(&transfer).cloned() else {
            let body = self.pack(transfer, bytes);
            return vec![Message::Data(Data { transfer, offset, last, body })];
        };
        let mut messages = Vec::new();
        if self.open.insert(transfer) {
            messages.push(Message::FileBegin(begin.clone()));
        }
        if !bytes.is_empty() {
            messages.push(Message::FileChunk(FileChunk {
                sync_id: begin.sync_id.clone(),
                rel_path: begin.info.rel_path.clone(),
                offset,
                data: bytes,
            }));
        }
        if last {
            messages.push(end_of(&begin));
            self.begins.remove(&transfer);
            self.open.remove(&transfer);
        }
        messages
    }
}

fn end_of(begin: &FileBegin) -> Message {
    let (sync_id, rel_path) = (begin.sync_id.clone(), begin.info.rel_path.clone());
    Message::FileEnd(FileEnd { sync_id, rel_path })
}

/// A content of the server's store.
#[derive(Debug)]
pub(crate) struct Blob {
    data: BytesMut,
    /// Until it is known whether it is right.
    receiver: Option<Receiver>,
}

/// An upload at the server.
#[derive(Debug)]
pub(crate) struct Upload {
    stream: UploadStream,
    /// Files of which the machine has been told what became of them.
    settled: BTreeSet<usize>,
}

/// The contents and uploads of the server.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) blobs: BTreeMap<ContentHash, Blob>,
    uploads: BTreeMap<(PeerId, SyncId), Upload>,
    /// Bytes that sources have sent of each content.
    pub(crate) taken: BTreeMap<ContentHash, u64>,
    decoder: Decoder,
}

impl Store {
    /// Returns the contents that are here and right.
    pub(crate) fn kept(&self) -> Vec<Content> {
        let whole = self.blobs.iter().filter(|(_, blob)| blob.receiver.is_none());
        whole.map(|(hash, blob)| Content { hash: *hash, size: blob.data.len() as u64 }).collect()
    }

    /// Returns what the bytes of a content tell.
    pub(crate) fn facts(&self, content: Content) -> Option<ContentFacts> {
        self.blobs.get(&content.hash).map(|blob| facts_of(&blob.data))
    }

    /// Returns true if the bytes of a content have its hash.
    pub(crate) fn is_right(&self, hash: ContentHash) -> bool {
        self.blobs.get(&hash).is_some_and(|blob| Content::of(&blob.data).hash == hash)
    }

    /// Flips a bit of a content.
    pub(crate) fn damage(&mut self, hash: ContentHash) {
        if let Some(blob) = self.blobs.get_mut(&hash) {
            blob.data[0] ^= 1;
        }
    }

    /// Returns true if it has any of a content.
    pub(crate) fn has(&self, content: Content) -> bool {
        self.blobs.contains_key(&content.hash)
    }

    /// Returns what is left when the server has stopped.
    pub(crate) fn at_rest(mut self) -> Self {
        self.blobs.retain(|_, blob| blob.receiver.is_none());
        self.uploads.clear();
        self
    }

    fn open(&mut self, source: PeerId, sync_id: SyncId, stream: UploadStream) {
        for file in stream.files() {
            let (hash, from) = (file.content.hash, file.from);
            let there = self.blobs.get(&hash).is_some_and(|blob| blob.data.len() as u64 == from);
            assert!(from == 0 || there, "an upload goes on where nothing is");
            if from == 0 {
                let receiver = Some(Receiver::new(file.content));
                self.blobs.insert(hash, Blob { data: BytesMut::new(), receiver });
            }
        }
        self.uploads.insert((source, sync_id), Upload { stream, settled: BTreeSet::new() });
    }

    /// Carries out what a stream asks for, and returns what came of it.
    fn act(&mut self, upload: &(PeerId, SyncId), action: Action) -> Option<UploadEvent> {
        let upload = self.uploads.get_mut(upload)?;
        let (Action::Write(index, ..) | Action::Finish(index)) = action;
        let content = upload.stream.files()[index].content;
        if upload.settled.contains(&index) {
            return None;
        }
        let blob = self.blobs.get_mut(&content.hash)?;
        let receiver = blob.receiver.as_mut()?;
        let outcome = match action {
            Action::Write(_, offset, body) => {
                match receiver.unpack(offset, &body, &mut self.decoder) {
                    Ok(bytes) => {
                        *self.taken.entry(content.hash).or_default() += bytes.len() as u64;
                        blob.data.extend_from_slice(bytes);
                        return None;
                    }
                    Err(fault) => Err(fault),
                }
            }
            Action::Finish(_) => blob.receiver.take()?.finish().map(|_| ()),
        };
        upload.settled.insert(index);
        Some(match outcome {
            Ok(()) => UploadEvent::Stored(index, facts_of(&self.blobs[&content.hash].data)),
            Err(fault) => {
                self.blobs.remove(&content.hash);
                UploadEvent::Faulted(index, fault.into())
            }
        })
    }

    /// Lets go of what an upload has not brought to its end.
    fn abandon(&mut self, upload: &(PeerId, SyncId)) -> Vec<(ContentHash, u64)> {
        let Some(upload) = self.uploads.get_mut(upload) else { return Vec::new() };
        upload.stream.abandon();
        let mut partial = Vec::new();
        for (index, file) in upload.stream.files().iter().enumerate() {
            if upload.settled.insert(index) {
                let blob = self.blobs.get(&file.content.hash);
                let bytes = blob.map_or(0, |blob| blob.data.len() as u64);
                partial.push((file.content.hash, bytes));
            }
        }
        partial
    }

    fn progress(&self, content: Content) -> Option<(u64, bool)> {
        let blob = self.blobs.get(&content.hash)?;
        Some((blob.data.len() as u64, blob.receiver.is_none()))
    }
}

/// Returns what a content tells. The drivers of the simulator have no real pictures, so only zeros count as damage.
fn facts_of(data: &[u8]) -> ContentFacts {
    let ContentFacts { png, json, .. } = ContentFacts::of(data);
    let zeros = |damage: &Damage| *damage == Damage::Zeros;
    ContentFacts { png: png.filter(zeros), json: json.filter(zeros), pixels: None }
}

/// A file that a client of protocol 2 takes in.
#[derive(Debug)]
pub(crate) struct Taking {
    pub(crate) op: client::OpId,
    pub(crate) receiver: Receiver,
}

impl World {
    fn plane(&mut self, link: LinkId, dir: Dir) -> &mut Plane {
        &mut self.links[link].pipe(dir).plane
    }

    // ---- what leaves ------------------------------------------------------------------------------

    pub(crate) fn client_begins(
        &mut self,
        pc: usize,
        transfer: TransferId,
        (path, stamp): (RelPath, Stamp),
        from: u64,
        compression: Compression,
    ) {
        let Some(link) = self.pcs[pc].link else { return };
        let plane = self.plane(link, Dir::Up);
        plane.begin(transfer, from, stamp.size, ByteSource::File(path, stamp), compression);
        plane.outgoing.set_available(transfer, stamp.size, true);
        self.pump_idle(link, Dir::Up);
    }

    pub(crate) fn client_stops(&mut self, pc: usize, transfer: TransferId) {
        if let Some(link) = self.pcs[pc].link {
            self.plane(link, Dir::Up).stop(transfer);
        }
    }

    pub(crate) fn server_delivers(
        &mut self,
        link: LinkId,
        (transfer, content): (TransferId, Content),
        from: u64,
        compression: Compression,
        begin: Option<FileBegin>,
    ) {
        let plane = self.plane(link, Dir::Down);
        if let Some(begin) = begin {
            if plane.begins.is_empty() {
                plane.outgoing = SendQueue::one_by_one();
            }
            plane.begins.insert(transfer, begin);
        }
        plane.begin(transfer, from, content.size, ByteSource::Store(content.hash), compression);
        self.pump_idle(link, Dir::Down);
    }

    pub(crate) fn server_stops(&mut self, link: LinkId, transfer: TransferId) {
        if let Some(end) = self.plane(link, Dir::Down).stop(transfer) {
            self.send(link, Dir::Down, Queued { message: end, note: Note::None });
        }
        // The files behind it may have been waiting for it.
        self.pump_idle(link, Dir::Down);
    }

    fn give_credit(&mut self, link: LinkId, dir: Dir, bytes: u64) {
        self.plane(link, dir).outgoing.give_credit(bytes);
        self.pump_idle(link, dir);
    }

    /// Queues the next piece of a file that leaves, if there is one.
    pub(crate) fn queue_piece(&mut self, link: LinkId, dir: Dir) {
        if dir == Dir::Down {
            let SimServer::New(server) = &self.server else { return };
            let plane = &mut self.links[link].down.plane;
            for (transfer, source) in &plane.sources {
                let ByteSource::Store(hash) = source else { continue };
                let content = Content { hash: *hash, size: 0 };
                if let Some((available, complete)) = server.store.progress(content) {
                    plane.outgoing.set_available(*transfer, available, complete);
                }
            }
        }
        let Some(next) = self.plane(link, dir).outgoing.poll() else { return };
        let source = self.plane(link, dir).sources.get(&next.transfer).cloned();
        let pc = self.links[link].pc;
        let from = next.offset as usize;
        let bytes = match &source {
            Some(ByteSource::Store(hash)) => {
                if let Some(fault) = self.store_faults.get(hash).cloned() {
                    let (epoch, failed) = (self.server_epoch, client::Progress::Failed(fault));
                    self.server_stops(link, next.transfer);
                    self.after(0, Ev::Delivering(epoch, link, next.transfer, failed));
                    return self.queue_piece(link, dir);
                }
                let SimServer::New(server) = &self.server else { return };
                let Some(blob) = server.store.blobs.get(hash) else { return };
                Bytes::copy_from_slice(&blob.data[from..from + next.len])
            }
            Some(ByteSource::File(path, stamp)) => {
                match self.pcs[pc].disk.piece(path.as_str(), *stamp, from, next.len) {
                    Ok(bytes) => bytes,
                    Err(fault) => {
                        self.client_stops(pc, next.transfer);
                        let epoch = self.pcs[pc].epoch;
                        let failed = client::Progress::Failed(fault);
                        self.after(0, Ev::Sending(pc, epoch, next.transfer, failed));
                        return self.queue_piece(link, dir);
                    }
                }
            }
            None => return,
        };
        let messages = self.plane(link, dir).messages(next, bytes);
        let last = messages.len() - 1;
        for (number, message) in messages.into_iter().enumerate() {
            let note = if number == last {
                Note::Piece(next.transfer, next.len, next.last)
            } else {
                Note::None
            };
            self.links[link].pipe(dir).push(Queued { message, note });
        }
    }

    /// Handles that the link has taken a piece.
    pub(crate) fn piece_taken(
        &mut self,
        link: LinkId,
        dir: Dir,
        transfer: TransferId,
        len: usize,
        last: bool,
    ) {
        let pc = self.links[link].pc;
        match dir {
            Dir::Up => {
                let passed = client::Progress::Passed(len as u64);
                self.feed(pc, client::Input::Sending(transfer, passed));
                if last {
                    self.feed(pc, client::Input::Sending(transfer, client::Progress::Sent));
                }
            }
            Dir::Down => {
                let Some(member) = self.links[link].member else { return };
                let progress = if last {
                    client::Progress::Sent
                } else {
                    client::Progress::Passed(len as u64)
                };
                self.feed_server(server::Input::Downloaded(member, transfer, progress));
            }
        }
    }

    // ---- the server's end -------------------------------------------------------------------------

    pub(crate) fn server_opens(&mut self, source: PeerId, sync_id: SyncId, stream: UploadStream) {
        if let SimServer::New(server) = &mut self.server {
            server.store.open(source, sync_id, stream);
        }
    }

    pub(crate) fn server_abandons(&mut self, source: PeerId, sync_id: SyncId) {
        let SimServer::New(server) = &mut self.server else { return };
        let partial = server.store.abandon(&(source, sync_id));
        for (hash, bytes) in partial {
            let delay = self.rng.range(0, 20_000_000);
            let epoch = self.server_epoch;
            self.after(delay, Ev::Partial(epoch, hash, bytes));
        }
    }

    pub(crate) fn server_drops(&mut self, source: PeerId, sync_id: SyncId) {
        if let SimServer::New(server) = &mut self.server {
            server.store.uploads.remove(&(source, sync_id));
        }
    }

    /// Ends all uploads of a source that is gone.
    pub(crate) fn server_loses_uploads(&mut self, source: PeerId) {
        let SimServer::New(server) = &self.server else { return };
        let own = server.store.uploads.keys().filter(|(other, _)| *other == source);
        for (source, sync_id) in own.cloned().collect::<Vec<_>>() {
            self.server_abandons(source, sync_id.clone());
            self.server_drops(source, sync_id);
        }
    }

    pub(crate) fn server_forgets(&mut self, hash: ContentHash) {
        if let SimServer::New(server) = &mut self.server {
            server.store.blobs.remove(&hash);
        }
    }

    /// Hands a piece of a file to the server.
    pub(crate) fn server_takes(&mut self, link: LinkId, member: PeerId, message: Message) {
        let now = Time::from_nanos(self.now);
        if let Message::Data(data) = &message {
            let credit = Credit { bytes: data.body.len() as u64 };
            self.send(
                link,
                Dir::Down,
                Queued { message: Message::Credit(credit), note: Note::None },
            );
        }
        let SimServer::New(server) = &mut self.server else { return };
        let named = match &message {
            Message::FileBegin(begin) => Some(&begin.sync_id),
            Message::FileChunk(chunk) => Some(&chunk.sync_id),
            Message::FileEnd(end) => Some(&end.sync_id),
            _ => None,
        };
        let key = server.store.uploads.iter().find(|((source, sync_id), upload)| {
            let numbered = match &message {
                Message::Data(data) => {
                    upload.stream.files().iter().any(|file| file.transfer == data.transfer)
                }
                _ => named == Some(sync_id),
            };
            *source == member && numbered
        });
        let Some(key) = key.map(|(key, _)| key.clone()) else { return };
        let Some(upload) = server.store.uploads.get_mut(&key) else { return };
        let step = upload.stream.handle_message(now, message);
        let mut events = step.events;
        for action in step.actions {
            events.extend(server.store.act(&key, action));
        }
        for event in events {
            self.say(|| format!("upload {}: {event:?}", key.1));
            if let (UploadEvent::Faulted(index, _), SimServer::New(server)) =
                (&event, &mut self.server)
                && let Some(upload) = server.store.uploads.get_mut(&key)
            {
                upload.settled.insert(*index);
            }
            self.feed_server(server::Input::Uploaded(member, key.1.clone(), event));
        }
        for link in 0..self.links.len() {
            if self.links[link].member.is_some() {
                self.pump_idle(link, Dir::Down);
            }
        }
    }

    pub(crate) fn server_gets_credit(&mut self, link: LinkId, credit: Credit) {
        self.give_credit(link, Dir::Down, credit.bytes);
    }

    // ---- the client's end -------------------------------------------------------------------------

    pub(crate) fn client_gets_credit(&mut self, link: LinkId, credit: Credit) {
        self.give_credit(link, Dir::Up, credit.bytes);
    }

    /// Hands a piece to a client of protocol 2. It waits for the disk, and then its room is given back.
    pub(crate) fn client_takes(&mut self, pc: usize, data: Data) {
        let Brain::New(new_pc) = &mut self.pcs[pc].brain else { return };
        new_pc.arrived += data.body.len() as u64;
        match new_pc.expected.get(&data.transfer).copied() {
            Some(stage) => self.disk_piece(pc, stage, data),
            None => self.client_credits(pc, data.body.len()),
        }
    }

    /// Returns the bytes of files that have come to a client of protocol 2.
    pub(crate) fn arrived(&self, pc: usize) -> u64 {
        match &self.pcs[pc].brain {
            Brain::New(new_pc) => new_pc.arrived,
            _ => 0,
        }
    }

    pub(crate) fn client_credits(&mut self, pc: usize, bytes: usize) {
        if let Some(link) = self.pcs[pc].link {
            let message = Message::Credit(Credit { bytes: bytes as u64 });
            self.send(link, Dir::Up, Queued { message, note: Note::None });
        }
    }
}
