//! The threads that unpack, hash and write uploads.
//!
//! All jobs of one content are done by one worker, in order.

use std::{
    collections::{HashMap, VecDeque},
    fs::{self, File},
    io,
    sync::{Arc, mpsc},
};

use liverysync_core::{
    hash::ContentHash,
    inspect::ContentFacts,
    transfer::Receiver,
    wire::data::{ChunkBody, Decoder},
};

use super::{
    Done, Index, StoreFault,
    blob::{Blob, MemoryUse},
    durable::Unflushed,
    folder::Folder,
};
use crate::byte_source::write_at;

/// The most incomplete contents that a worker keeps for somebody to resume. The oldest is removed first.
const PARKED_MAX: usize = 512;

/// Contents of at most this size that come in one piece are written with one call.
const WHOLE_BYTES_MAX: usize = 64 * 1024;

/// A job of a worker.
pub(super) enum Job {
    /// A content starts, or is resumed.
    Open { blob: Arc<Blob>, done: Done },
    /// A piece of a content. With `last`, it is the end. `permit` is dropped once it is written.
    Write { hash: ContentHash, offset: u64, body: ChunkBody, last: bool, permit: Box<dyn Send> },
    /// The end of a content.
    Finish(ContentHash),
    /// Nothing more of a content comes for now.
    Park(ContentHash),
    /// A stored content was needed.
    Touch(ContentHash),
    /// A content is removed, stored or not.
    Remove(ContentHash),
    /// An upload was not necessary; report success.
    Notify(ContentHash, Done),
}

/// A content that is being received.
struct PartialBlob {
    blob: Arc<Blob>,
    receiver: Receiver,
    /// Open while it is written.
    file: Option<Arc<File>>,
    /// The file exists.
    exists: bool,
    done: Option<Done>,
}

pub(super) struct Worker {
    folder: Arc<Folder>,
    index: Arc<Index>,
    partial: HashMap<ContentHash, PartialBlob>,
    /// Incomplete contents that nobody writes, the oldest first.
    parked: VecDeque<ContentHash>,
    decoder: Decoder,
    flush: mpsc::Sender<Unflushed>,
    memory_use: MemoryUse,
}

impl Worker {
    pub(super) fn new(
        folder: Arc<Folder>,
        index: Arc<Index>,
        flush: mpsc::Sender<Unflushed>,
        memory_use: MemoryUse,
    ) -> Self {
        let (partial, parked) = (HashMap::new(), VecDeque::new());
        Self { folder, index, partial, parked, decoder: Decoder::default(), flush, memory_use }
    }

    /// Does jobs until the queue is closed.
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        for job in jobs {
            match job {
                Job::Open { blob, done } => self.open(blob, done),
                Job::Write { hash, offset, body, last, permit } => {
                    self.write(hash, offset, &body, last);
                    drop((body, permit));
                }
                Job::Finish(hash) => self.finish(hash),
                Job::Park(hash) => self.park(hash),
                // The time only decides which contents are removed first, so a failure does no harm.
                Job::Touch(hash) => drop(self.folder.touch(hash)),
                Job::Remove(hash) => {
                    self.discard(hash);
                    // A file that could not be removed is found at the next start.
                    let _stays = self.folder.remove(hash);
                }
                // Its flush may still be under way.
                Job::Notify(hash, done) => self.flush(hash, self.folder.inspect(hash), done),
            }
        }
        let left: Vec<_> = self.parked.drain(..).collect();
        left.into_iter().for_each(|hash| self.discard(hash));
    }

    fn open(&mut self, blob: Arc<Blob>, done: Done) {
        let hash = blob.content().hash;
        self.parked.retain(|parked| *parked != hash);
        if let Some(fault) = blob.fault() {
            return done(Err(fault));
        }
        match self.partial.get_mut(&hash) {
            Some(partial) if Arc::ptr_eq(&partial.blob, &blob) => partial.done = Some(done),
            _ => {
                self.discard(hash);
                let receiver = Receiver::new(blob.content());
                let (file, exists, done) = (None, false, Some(done));
                let partial = PartialBlob { blob, receiver, file, exists, done };
                self.partial.insert(hash, partial);
            }
        }
    }

    fn write(&mut self, hash: ContentHash, offset: u64, body: &ChunkBody, last: bool) {
        // After a fault, later pieces are useless.
        let Some(partial) = self.partial.get_mut(&hash) else { return };
        if last && body.len() <= WHOLE_BYTES_MAX && !partial.exists {
            return match partial.store_whole(&self.folder, offset, body, &mut self.decoder) {
                Ok(bytes) => {
                    partial.blob.cache_bytes(bytes, &self.memory_use);
                    let facts = ContentFacts::of(bytes);
                    self.complete(hash, facts);
                }
                Err(fault) => self.fail(hash, fault),
            };
        }
        if let Err(fault) = partial.write(offset, body, &mut self.decoder) {
            self.fail(hash, fault);
        } else if last {
            self.finish(hash);
        }
    }

    fn finish(&mut self, hash: ContentHash) {
        let Some(partial) = self.partial.get_mut(&hash) else { return };
        match partial.finish(&self.folder) {
            Ok(()) => self.complete(hash, self.folder.inspect(hash)),
            Err(fault) => self.fail(hash, fault),
        }
    }

    /// Marks a content as complete.
    fn complete(&mut self, hash: ContentHash, facts: ContentFacts) {
        let Some(partial) = self.partial.remove(&hash) else { return };
        self.index.mark_stored(&partial.blob);
        partial.blob.mark_complete();
        if let Some(done) = partial.done {
            self.flush(hash, facts, done);
        }
    }

    /// Reports a content once it is durable.
    fn flush(&self, hash: ContentHash, facts: ContentFacts, done: Done) {
        let unflushed = Unflushed { path: self.folder.blob_path(hash), facts, done };
        // The thread ends only with this queue.
        let _running = self.flush.send(unflushed);
    }

    fn park(&mut self, hash: ContentHash) {
        let Some(partial) = self.partial.get_mut(&hash) else { return };
        partial.done = None;
        // There may be many, so none keeps a file open.
        partial.file = None;
        self.parked.push_back(hash);
        if self.parked.len() > PARKED_MAX
            && let Some(oldest) = self.parked.pop_front()
        {
            self.discard(oldest);
        }
    }

    fn fail(&mut self, hash: ContentHash, fault: StoreFault) {
        let Some(partial) = self.partial.remove(&hash) else { return };
        let done = self.drop_partial(partial, fault.clone());
        if let Some(done) = done {
            done(Err(fault));
        }
    }

    /// Removes what has come of a content.
    fn discard(&mut self, hash: ContentHash) {
        self.parked.retain(|parked| *parked != hash);
        if let Some(partial) = self.partial.remove(&hash) {
            self.drop_partial(partial, StoreFault::GivenUp);
        }
    }

    fn drop_partial(&self, partial: PartialBlob, fault: StoreFault) -> Option<Done> {
        self.index.forget(&partial.blob);
        let path = partial.blob.incoming_path();
        partial.blob.mark_broken(fault);
        drop(partial.file);
        // A file that stays is removed at the next start.
        let _never_written = fs::remove_file(path);
        partial.done
    }
}

impl PartialBlob {
    fn file(&mut self) -> io::Result<Arc<File>> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(self.open()?);
        self.exists = true;
        self.blob.share(&file);
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    fn open(&self) -> io::Result<File> {
        let path = self.blob.incoming_path();
        if !self.exists {
            return File::options().read(true).write(true).create_new(true).open(path);
        }
        // The hash covers the bytes that came. Only the length tells whether they are still in the file.
        let file = File::options().read(true).write(true).open(path)?;
        if file.metadata()?.len() < self.receiver.received() {
            return Err(io::Error::other("the incomplete file was shortened"));
        }
        Ok(file)
    }

    fn write(
        &mut self,
        offset: u64,
        body: &ChunkBody,
        decoder: &mut Decoder,
    ) -> Result<(), StoreFault> {
        let file = self.file()?;
        let bytes = self.receiver.unpack(offset, body, decoder)?;
        write_at(&file, offset, bytes)?;
        self.blob.set_written(self.receiver.received());
        Ok(())
    }

    /// Checks a content that came in one piece, and keeps it.
    fn store_whole<'a>(
        &mut self,
        folder: &Folder,
        offset: u64,
        body: &'a ChunkBody,
        decoder: &'a mut Decoder,
    ) -> Result<&'a [u8], StoreFault> {
        if let Some(fault) = self.blob.fault() {
            return Err(fault);
        }
        let bytes = self.receiver.unpack(offset, body, decoder)?;
        let content = self.receiver.clone().finish()?;
        let path = self.blob.incoming_path();
        // Under another name first: a server that is killed must not leave a part of it that looks whole.
        std::fs::write(&path, bytes)?;
        folder.keep(&path, content.hash)?;
        Ok(bytes)
    }

    /// Checks a complete content, and moves it to its final path.
    fn finish(&mut self, folder: &Folder) -> Result<(), StoreFault> {
        if let Some(fault) = self.blob.fault() {
            return Err(fault);
        }
        let content = self.receiver.clone().finish()?;
        // The file of an empty content does not exist yet.
        drop(self.file()?);
        folder.keep(&self.blob.incoming_path(), content.hash)?;
        Ok(())
    }
}
