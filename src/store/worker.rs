//! The threads that unpack, hash and write what comes in.
//!
//! All that concerns one content is done by one thread, in the order in which it was asked for.

use std::{
    collections::{HashMap, VecDeque},
    fs::{self, File},
    io,
    sync::{Arc, mpsc},
};

use liverysync_core::{
    hash::ContentHash,
    transfer::Receiver,
    wire::data::{ChunkBody, Decoder},
};

use super::{
    Done, Index, StoreFault,
    blob::{Blob, MemoryUse},
    folder::Folder,
};
use crate::byte_source::write_at;

/// Contents that a lane keeps half received, for somebody to go on with them; the oldest goes first.
const PARKED_MAX: usize = 512;

/// Contents of up to so many bytes that come in one piece are put in their place at once.
const AT_ONCE_BYTES_MAX: usize = 64 * 1024;

/// Something for a lane to do.
pub(super) enum Job {
    /// A content begins, or goes on.
    Open { blob: Arc<Blob>, done: Done },
    /// A piece of it has come, and all of it with the last. What was `held` for it is let go once it is
    /// written.
    Write { hash: ContentHash, offset: u64, body: ChunkBody, last: bool, held: Box<dyn Send> },
    /// All of it has come.
    Finish(ContentHash),
    /// For now nothing more of it comes.
    Park(ContentHash),
    /// A kept content was needed.
    Touch(ContentHash),
    /// A content, kept or not, goes.
    Remove(ContentHash),
    /// Somebody is to be told that all is well.
    Notify(Done),
}

/// A content that comes in.
struct PartialBlob {
    blob: Arc<Blob>,
    receiver: Receiver,
    /// Open while it is written to.
    file: Option<Arc<File>>,
    /// Whether the file has been made.
    made: bool,
    done: Option<Done>,
}

pub(super) struct Worker {
    folder: Arc<Folder>,
    index: Arc<Index>,
    incoming: HashMap<ContentHash, PartialBlob>,
    /// Those with which nobody goes on at present, the oldest first.
    parked: VecDeque<ContentHash>,
    decoder: Decoder,
    memory_use: MemoryUse,
}

impl Worker {
    pub(super) fn new(folder: Arc<Folder>, index: Arc<Index>, memory_use: MemoryUse) -> Self {
        let (incoming, parked) = (HashMap::new(), VecDeque::new());
        Self { folder, index, incoming, parked, decoder: Decoder::default(), memory_use }
    }

    /// Works until nobody is left to ask for anything.
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        for job in jobs {
            match job {
                Job::Open { blob, done } => self.open(blob, done),
                Job::Write { hash, offset, body, last, held } => {
                    self.write(hash, offset, &body, last);
                    drop((body, held));
                }
                Job::Finish(hash) => self.finish(hash),
                Job::Park(hash) => self.park(hash),
                // Its date says only what may go first; without it, that is a guess.
                Job::Touch(hash) => drop(self.folder.touch(hash)),
                Job::Remove(hash) => {
                    self.discard(hash);
                    // What could not be removed is found again at the next start.
                    let _stays = self.folder.remove(hash);
                }
                Job::Notify(done) => done(Ok(())),
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
        match self.incoming.get_mut(&hash) {
            Some(incoming) if Arc::ptr_eq(&incoming.blob, &blob) => incoming.done = Some(done),
            _ => {
                self.discard(hash);
                let receiver = Receiver::new(blob.content());
                let (file, made, done) = (None, false, Some(done));
                let incoming = PartialBlob { blob, receiver, file, made, done };
                self.incoming.insert(hash, incoming);
            }
        }
    }

    fn write(&mut self, hash: ContentHash, offset: u64, body: &ChunkBody, last: bool) {
        // What comes after a fault is of no use.
        let Some(incoming) = self.incoming.get_mut(&hash) else { return };
        if last && body.len() <= AT_ONCE_BYTES_MAX && !incoming.made {
            return match incoming.put_whole(&self.folder, offset, body, &mut self.decoder) {
                Ok(bytes) => {
                    incoming.blob.remember(bytes, &self.memory_use);
                    self.complete(hash);
                }
                Err(fault) => self.fail(hash, fault),
            };
        }
        if let Err(fault) = incoming.write(offset, body, &mut self.decoder) {
            self.fail(hash, fault);
        } else if last {
            self.finish(hash);
        }
    }

    fn finish(&mut self, hash: ContentHash) {
        let Some(incoming) = self.incoming.get_mut(&hash) else { return };
        match incoming.finish(&self.folder) {
            Ok(()) => self.complete(hash),
            Err(fault) => self.fail(hash, fault),
        }
    }

    /// A content is whole, and in its place.
    fn complete(&mut self, hash: ContentHash) {
        let Some(incoming) = self.incoming.remove(&hash) else { return };
        self.index.keep(&incoming.blob);
        incoming.blob.complete();
        if let Some(done) = incoming.done {
            done(Ok(()));
        }
    }

    fn park(&mut self, hash: ContentHash) {
        let Some(incoming) = self.incoming.get_mut(&hash) else { return };
        incoming.done = None;
        // Many may lie there: none keeps a file open.
        incoming.file = None;
        self.parked.push_back(hash);
        if self.parked.len() > PARKED_MAX
            && let Some(oldest) = self.parked.pop_front()
        {
            self.discard(oldest);
        }
    }

    fn fail(&mut self, hash: ContentHash, fault: StoreFault) {
        let Some(incoming) = self.incoming.remove(&hash) else { return };
        let done = self.drop_incoming(incoming, fault.clone());
        if let Some(done) = done {
            done(Err(fault));
        }
    }

    /// Gives up what has come of a content.
    fn discard(&mut self, hash: ContentHash) {
        self.parked.retain(|parked| *parked != hash);
        if let Some(incoming) = self.incoming.remove(&hash) {
            self.drop_incoming(incoming, StoreFault::GivenUp);
        }
    }

    fn drop_incoming(&self, incoming: PartialBlob, fault: StoreFault) -> Option<Done> {
        self.index.forget(&incoming.blob);
        let path = incoming.blob.incoming_path();
        incoming.blob.break_off(fault);
        drop(incoming.file);
        // What stays is removed at the next start.
        let _never_written = fs::remove_file(path);
        incoming.done
    }
}

impl PartialBlob {
    fn file(&mut self) -> io::Result<Arc<File>> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(self.open()?);
        self.made = true;
        self.blob.share(&file);
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    fn open(&self) -> io::Result<File> {
        let path = self.blob.incoming_path();
        if !self.made {
            return File::options().read(true).write(true).create_new(true).open(path);
        }
        // The hash is of what came. Whether that still lies here, only its length can tell.
        let file = File::options().read(true).write(true).open(path)?;
        if file.metadata()?.len() < self.receiver.received() {
            return Err(io::Error::other("somebody has shortened what had come"));
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

    /// Checks a content that has come in one piece, and puts it in its place at once.
    fn put_whole<'a>(
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
        folder.put(content.hash, bytes)?;
        Ok(bytes)
    }

    /// Checks the whole, and moves it to its place.
    fn finish(&mut self, folder: &Folder) -> Result<(), StoreFault> {
        if let Some(fault) = self.blob.fault() {
            return Err(fault);
        }
        let content = self.receiver.clone().finish()?;
        // One of no bytes has not been made yet.
        drop(self.file()?);
        folder.keep(&self.blob.incoming_path(), content.hash)?;
        Ok(())
    }
}
