//! The reading half of a link: messages for the control machine, and files for the store.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use liverysync_core::{
    hash::ContentHash,
    server::Input,
    transfer::{Action, UploadEvent, UploadStream},
    union::PeerId,
    wire::{
        data::{TransferId, WINDOW_BYTES},
        frame,
        messages::{Message, SyncId},
    },
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::{
    clock::Clock,
    credit::{Credit, CreditReturn, return_to_peer},
    error_chain::with_causes,
    link::{Outbox, Reader},
    store::BlobWriter,
};

/// While this many bytes of files wait for the store, the link is not read. A client of protocol 2 never sends more.
const WAITING_BYTES_MAX: usize = WINDOW_BYTES as usize + 1024 * 1024;

/// An upload, with the writers of its files.
#[derive(Debug)]
struct Upload {
    stream: UploadStream,
    writers: Vec<BlobWriter>,
}

#[derive(Debug, Default)]
struct OpenUploads {
    uploads: HashMap<SyncId, Upload>,
    /// The uploads by the numbers under which a client of protocol 2 sends their files.
    transfers: HashMap<TransferId, SyncId>,
}

/// The uploads over one link.
#[derive(Clone, Debug, Default)]
pub(super) struct Uploads(Arc<Mutex<OpenUploads>>);

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, OpenUploads> {
        // Uploads are only added and removed as wholes, so the map is sound after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, sync_id: SyncId, stream: UploadStream, writers: Vec<BlobWriter>) {
        let mut open = self.lock();
        let numbers = stream.files().iter().map(|file| (file.transfer, sync_id.clone()));
        open.transfers.extend(numbers);
        open.uploads.insert(sync_id, Upload { stream, writers });
    }

    /// Ends an upload early. Returns how many bytes of each file have come.
    pub(super) fn abandon(&self, sync_id: &SyncId) -> Vec<(ContentHash, u64)> {
        self.lock().uploads.get_mut(sync_id).map(Upload::abandon).unwrap_or_default()
    }

    /// Ends all uploads early and removes them.
    pub(super) fn abandon_all(&self) -> Vec<(ContentHash, u64)> {
        let mut open = std::mem::take(&mut *self.lock());
        let mut ids: Vec<_> = open.transfers.drain().map(|(_, sync_id)| sync_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let uploads = ids.iter().filter_map(|sync_id| open.uploads.remove(sync_id));
        uploads.flat_map(|mut upload| upload.abandon()).collect()
    }

    pub(super) fn remove(&self, sync_id: &SyncId) {
        let mut open = self.lock();
        if let Some(upload) = open.uploads.remove(sync_id) {
            for file in upload.stream.files() {
                open.transfers.remove(&file.transfer);
            }
        }
    }
}

impl Upload {
    fn abandon(&mut self) -> Vec<(ContentHash, u64)> {
        self.stream.abandon();
        let writers = std::mem::take(&mut self.writers);
        let files = self.stream.files().iter().zip(&writers);
        files.map(|(file, writer)| (file.content.hash, writer.received())).collect()
    }
}

/// Room for bytes of a file until they are written, and the client's credit for them.
struct Permit {
    _room: Option<OwnedSemaphorePermit>,
    _credit: Option<Credit>,
}

/// The task that reads one link.
pub(super) struct LinkReader {
    peer: PeerId,
    reader: Reader,
    outbox: Outbox,
    uploads: Uploads,
    inputs: mpsc::Sender<Input>,
    clock: Clock,
    room: Arc<Semaphore>,
    credit_return: CreditReturn,
}

impl LinkReader {
    pub(super) fn new(
        peer: PeerId,
        reader: Reader,
        outbox: Outbox,
        uploads: Uploads,
        inputs: mpsc::Sender<Input>,
        clock: Clock,
    ) -> Self {
        let room = Arc::new(Semaphore::new(WAITING_BYTES_MAX));
        let credit_return = return_to_peer(outbox.clone());
        Self { peer, reader, outbox, uploads, inputs, clock, room, credit_return }
    }

    pub(super) async fn run(mut self) {
        let reason = loop {
            let message = match self.reader.next().await {
                Ok(payload) => Message::read(&payload),
                Err(error) => break with_causes(&error),
            };
            let message = match message {
                Ok(message) => message,
                Err(error) => break with_causes(&error),
            };
            self.reader.set_limit(frame::client_limit(&message, self.reader.limit()));
            let server_runs = match message {
                Message::Credit(credit) => {
                    self.outbox.give_credit(credit.bytes);
                    true
                }
                message if message.is_data() => self.store(message).await,
                message => self.inputs.send(Input::Received(self.peer, message)).await.is_ok(),
            };
            if !server_runs {
                return;
            }
        };
        let _stopped = self.inputs.send(Input::Lost(self.peer, reason)).await;
    }

    /// Passes the bytes of a file to the store. Returns `false` if the server has stopped.
    async fn store(&self, message: Message) -> bool {
        let permit = self.reserve(&message).await;
        let Some((sync_id, events)) = self.store_piece(message, permit) else { return true };
        for event in events {
            let input = Input::Uploaded(self.peer, sync_id.clone(), event);
            if self.inputs.send(input).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Waits until there is room for the bytes of a message.
    async fn reserve(&self, message: &Message) -> Permit {
        let (bytes, numbered) = match message {
            Message::Data(data) => (data.body.len(), true),
            Message::FileChunk(chunk) => (chunk.data.len(), false),
            _ => (0, false),
        };
        let most = u32::try_from(bytes.min(WAITING_BYTES_MAX)).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let room = Arc::clone(&self.room).acquire_many_owned(most).await.ok();
        let credit = numbered.then(|| Credit::new(bytes as u64, &self.credit_return));
        Permit { _room: room, _credit: credit }
    }

    fn store_piece(&self, message: Message, permit: Permit) -> Option<(SyncId, Vec<UploadEvent>)> {
        let mut open = self.uploads.lock();
        let sync_id = match &message {
            Message::Data(data) => open.transfers.get(&data.transfer)?.clone(),
            Message::FileBegin(begin) => begin.sync_id.clone(),
            Message::FileChunk(chunk) => chunk.sync_id.clone(),
            Message::FileEnd(end) => end.sync_id.clone(),
            _ => return None,
        };
        let upload = open.uploads.get_mut(&sync_id)?;
        let step = upload.stream.handle_message(self.clock.time(), message);
        let mut permit = Some(permit);
        let mut actions = step.actions.into_iter().peekable();
        while let Some(action) = actions.next() {
            match action {
                Action::Write(index, offset, body) => {
                    let last = actions.next_if_eq(&Action::Finish(index)).is_some();
                    match (upload.writers.get(index), permit.take()) {
                        (Some(writer), Some(permit)) if last => {
                            writer.write_last(offset, body, permit);
                        }
                        (Some(writer), Some(permit)) => writer.write(offset, body, permit),
                        _ => {}
                    }
                }
                Action::Finish(index) => {
                    if let Some(writer) = upload.writers.get(index) {
                        writer.finish();
                    }
                }
            }
        }
        Some((sync_id, step.events))
    }
}
