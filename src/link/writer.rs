//! The writing half of a link: messages from the queue, and files as the peer has room for them.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::BytesMut;
use liverysync_core::wire::messages::{Message, SyncId};
use tokio::{io::AsyncWriteExt as _, net::tcp::OwnedWriteHalf, time::timeout};

use super::{
    LinkError, SendReport,
    batch::Batch,
    outbox::{Item, Queue},
    outgoing::OutgoingFiles,
};
use crate::throttle::Throttle;

/// The number of bytes that are gathered into one write.
pub(super) const WRITE_BYTES: usize = 256 * 1024;

/// The writing half.
#[derive(Debug)]
pub(crate) struct Writer {
    write: OwnedWriteHalf,
    queue: Queue,
    write_timeout: Duration,
    files: OutgoingFiles,
    throttle: Option<Arc<Throttle>>,
}

/// A batch of file data that is being read.
type Filling = std::pin::Pin<Box<dyn Future<Output = Option<Batch>> + Send>>;

/// An event that the writer waited for.
enum WriterEvent {
    Item(Option<Item>),
    /// A batch has been read.
    Filled(Option<Batch>),
    /// There may be more to send.
    Woken,
}

impl Writer {
    pub(super) fn new(write: OwnedWriteHalf, queue: Queue, write_timeout: Duration) -> Self {
        let files = OutgoingFiles::new(Arc::clone(&queue.wake));
        Self { write, queue, write_timeout, files, throttle: None }
    }

    /// Limits the speed at which files are written.
    pub(crate) fn set_throttle(&mut self, throttle: Arc<Throttle>) {
        self.throttle = Some(throttle);
    }

    /// Writes queued messages and files until the link ends. Passes the progress of files to `report`.
    pub(crate) async fn run(self, report: impl FnMut(SendReport)) -> LinkError {
        match self.write_until_closed(report).await {
            Ok(()) => LinkError::Closed,
            Err(error) => error,
        }
    }

    async fn write_until_closed(
        mut self,
        mut report: impl FnMut(SendReport),
    ) -> Result<(), LinkError> {
        let mut buffer = BytesMut::new();
        let mut counted = Vec::new();
        let mut filling: Option<Filling> = None;
        loop {
            self.files.give_credit(self.queue.take_credit());
            self.files.update_availability(&mut buffer);
            self.files.reports().for_each(&mut report);
            if filling.is_none()
                && let Some(batch) = self.files.poll_batch()
            {
                filling = Some(Box::pin(batch.fill(self.throttle.clone())));
            }
            let mut closing = false;
            let mut filled = None;
            // The end of a file that was broken off must be written, whatever else happens.
            if buffer.is_empty() {
                match self.next_event(&mut filling).await {
                    WriterEvent::Item(None) => return Ok(()),
                    WriterEvent::Item(Some(item)) => {
                        closing = self.append(item, &mut buffer, &mut counted);
                    }
                    WriterEvent::Filled(batch) => {
                        filling = None;
                        filled = Some(batch.ok_or(LinkError::Closed)?);
                    }
                    WriterEvent::Woken => {}
                }
            }
            // Control messages go first.
            while !closing && buffer.len() < WRITE_BYTES {
                let Ok(item) = self.queue.receiver.try_recv() else { break };
                closing = self.append(item, &mut buffer, &mut counted);
            }
            if let Some(batch) = &mut filled {
                self.files.take(batch, &mut buffer);
            }
            self.write_all(&mut buffer).await?;
            // Bytes make room in the sender's count only after they have been written.
            for sync_id in counted.drain(..) {
                report(SendReport::Counted(sync_id));
            }
            if let Some(batch) = filled {
                self.write_slice(batch.framed()).await?;
                self.files.written(batch);
                self.files.reports().for_each(&mut report);
                // A task that this wakes runs next on this thread. Without the yield it would wait for the whole next
                // piece.
                tokio::task::yield_now().await;
            }
            if closing {
                let _closed_already = self.write.shutdown().await;
                return Ok(());
            }
        }
    }

    async fn next_event(&mut self, filling: &mut Option<Filling>) -> WriterEvent {
        let busy = filling.is_some();
        tokio::select! {
            biased;
            item = self.queue.receiver.recv() => WriterEvent::Item(item),
            Some(batch) = async { Some(filling.as_mut()?.await) } => WriterEvent::Filled(batch),
            () = self.queue.wake.notified(), if !busy => WriterEvent::Woken,
        }
    }

    /// Returns `true` if the link must be closed.
    fn append(&mut self, item: Item, buffer: &mut BytesMut, counted: &mut Vec<SyncId>) -> bool {
        match item {
            Item::Control(message, bytes) => {
                self.queue.control_waiting.fetch_sub(bytes, Ordering::Relaxed);
                message.write_frame(buffer);
            }
            Item::Counted(message) => {
                message.write_frame(buffer);
                if let Message::FileChunk(chunk) = message {
                    counted.push(chunk.sync_id);
                }
            }
            Item::Begin { transfer, from, source, compression, begin } => {
                let begin = begin.map(|begin| *begin);
                self.files.begin(transfer, from, source, compression, begin, buffer);
            }
            Item::Stop(transfer) => self.files.stop(transfer, buffer),
            Item::Close => return true,
        }
        false
    }

    async fn write_all(&mut self, buffer: &mut BytesMut) -> Result<(), LinkError> {
        self.write_slice(buffer).await?;
        buffer.clear();
        // One large message must not keep its memory for ever.
        if buffer.capacity() > 2 * WRITE_BYTES {
            *buffer = BytesMut::new();
        }
        Ok(())
    }

    async fn write_slice(&mut self, mut bytes: &[u8]) -> Result<(), LinkError> {
        while !bytes.is_empty() {
            let write = self.write.write(bytes);
            let count =
                timeout(self.write_timeout, write).await.map_err(|_| LinkError::WriteTimeout)??;
            if count == 0 {
                return Err(LinkError::Closed);
            }
            bytes = &bytes[count..];
        }
        Ok(())
    }
}
