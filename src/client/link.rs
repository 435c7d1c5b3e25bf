//! The link to the server, and the tasks that read and write it.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use liverysync_core::{
    client::{DiskFault, DiskFaultKind, Input, Progress},
    wire::{
        data::{Data, TransferId, WINDOW_BYTES},
        frame,
        messages::Message,
    },
};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    credit::{Credit, CreditReturn, return_to_peer},
    disk::StageQueue,
    link::{LinkError, Outbox, Pool, Reader, SendReport, split},
    throttle::Throttles,
};

/// The number of messages that may wait between the link and the machine.
const MESSAGES_MAX: usize = 4;

/// After how many bytes of a download the machine is told of the progress.
const PROGRESS_BYTES: u64 = 1024 * 1024;

/// The longest time that the server may accept no bytes. While a target of this client's files is slow, it reads nothing, and it
/// gives up on such a target sooner than this.
const WRITE_TIMEOUT: Duration = Duration::from_secs(90);

/// The time for a client that stops to write its last messages.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// A link and the tasks that serve it.
pub(super) struct Link {
    pub(super) outbox: Outbox,
    pub(super) inputs: mpsc::Receiver<Result<Input, LinkError>>,
    pub(super) reports: mpsc::UnboundedReceiver<SendReport>,
    pub(super) ended: oneshot::Receiver<LinkError>,
    tasks: [JoinHandle<()>; 2],
}

impl Link {
    pub(super) fn start(
        stream: TcpStream,
        stage_queue: StageQueue,
        throttles: &Throttles,
    ) -> io::Result<Self> {
        let (mut reader, outbox, mut writer) = split(stream, WRITE_TIMEOUT, &Pool::default())?;
        throttles.apply(&mut reader, &mut writer);
        reader.set_limit(frame::SMALL_BYTES_MAX);
        let (to_machine, inputs) = mpsc::channel(MESSAGES_MAX);
        let read = LinkReader::new(stage_queue, outbox.clone(), to_machine);
        let read = tokio::spawn(read.run(reader));
        let (reports_in, reports) = mpsc::unbounded_channel();
        let (ended_in, ended) = oneshot::channel();
        let write = tokio::spawn(async move {
            // The driver may have dropped the link meanwhile.
            let error = writer.run(|report| drop(reports_in.send(report))).await;
            let _given_up = ended_in.send(error);
        });
        Ok(Self { outbox, inputs, reports, ended, tasks: [read, write] })
    }

    /// Writes the waiting messages, and closes the link.
    pub(super) async fn close(mut self) {
        self.outbox.close();
        let _in_time = timeout(CLOSE_TIMEOUT, &mut self.ended).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The task that reads a link.
struct LinkReader {
    stage_queue: StageQueue,
    credit_return: CreditReturn,
    /// Bytes of files that have come and wait for the disk.
    waiting: Arc<AtomicU64>,
    outbox: Outbox,
    to_machine: mpsc::Sender<Result<Input, LinkError>>,
    /// Bytes of downloads that have not been reported to the machine.
    unreported: HashMap<TransferId, u64>,
}

impl LinkReader {
    fn new(
        stage_queue: StageQueue,
        outbox: Outbox,
        to_machine: mpsc::Sender<Result<Input, LinkError>>,
    ) -> Self {
        let waiting = Arc::new(AtomicU64::new(0));
        let (written, return_to_peer) = (Arc::clone(&waiting), return_to_peer(outbox.clone()));
        let credit_return: CreditReturn = Arc::new(move |bytes| {
            written.fetch_sub(bytes, Ordering::AcqRel);
            return_to_peer(bytes);
        });
        Self { stage_queue, credit_return, waiting, outbox, to_machine, unreported: HashMap::new() }
    }

    async fn run(mut self, mut reader: Reader) {
        loop {
            let message = match reader.next().await {
                Ok(payload) => Message::read(&payload).map_err(LinkError::from),
                Err(error) => Err(error),
            };
            if let Ok(message) = &message {
                reader.set_limit(frame::server_limit(message, reader.limit()));
            }
            let handled = message.and_then(|message| self.handle(message));
            let failed = handled.is_err();
            if let Some(input) = handled.transpose()
                && (self.to_machine.send(input).await.is_err() || failed)
            {
                return;
            }
        }
    }

    /// Passes on pieces of files and credit. Returns an input for any other message.
    fn handle(&mut self, message: Message) -> Result<Option<Input>, LinkError> {
        match message {
            Message::Data(data) => self.stage_piece(data),
            Message::Credit(credit) => {
                self.outbox.give_credit(credit.bytes);
                Ok(None)
            }
            message => Ok(Some(Input::Received(message))),
        }
    }

    fn stage_piece(&mut self, data: Data) -> Result<Option<Input>, LinkError> {
        let (transfer, bytes) = (data.transfer, data.body.len() as u64);
        if self.waiting.fetch_add(bytes, Ordering::AcqRel) + bytes > WINDOW_BYTES {
            return Err(LinkError::CreditExceeded);
        }
        if !self.stage_queue.send_piece(data, Credit::new(bytes, &self.credit_return)) {
            self.unreported.remove(&transfer);
            return Ok(None);
        }
        let unreported = self.unreported.entry(transfer).or_default();
        *unreported += bytes;
        let told = (*unreported >= PROGRESS_BYTES).then(|| std::mem::take(unreported));
        Ok(told.map(|bytes| Input::Arrived(transfer, bytes)))
    }
}

/// Returns the machine's input for a report about an upload.
pub(super) fn sending(report: SendReport) -> Input {
    match report {
        SendReport::Counted(sync_id) => Input::ChunkSent(sync_id),
        SendReport::Passed { transfer, bytes } => Input::Sending(transfer, Progress::Passed(bytes)),
        SendReport::Sent(transfer) => Input::Sending(transfer, Progress::Sent),
        SendReport::Failed(transfer, kind, message) => {
            let kind = match kind {
                io::ErrorKind::NotFound => DiskFaultKind::Missing,
                io::ErrorKind::InvalidData => DiskFaultKind::Changed,
                _ => DiskFaultKind::Other,
            };
            Input::Sending(transfer, Progress::Failed(DiskFault { kind, message }))
        }
    }
}
