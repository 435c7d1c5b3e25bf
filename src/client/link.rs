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
    link::{LinkError, Outbox, Pool, Reader, Report, split},
    throttle::Throttles,
};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Messages that may wait between the link and the machine.
const MESSAGES_MAX: usize = 4;

/// How often the machine is told of the bytes of a file that comes, in bytes.
const ARRIVED_STEP: u64 = 1024 * 1024;

/// How long the server may take nothing. It reads no further while a target of this client's files
/// is slow, and gives up on such a target by itself, sooner than this.
const WRITE_PATIENCE: Duration = Duration::from_secs(90);

/// How long a client that stops waits for its last messages to leave.
const GOODBYE: Duration = Duration::from_millis(500);

/// Connects to a server, within a bound of time.
pub(super) async fn connect((host, port): (String, u16)) -> io::Result<TcpStream> {
    match timeout(CONNECT_TIMEOUT, TcpStream::connect((host.as_str(), port))).await {
        Ok(stream) => stream,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer")),
    }
}

/// One link and the tasks that serve it.
pub(super) struct Link {
    pub(super) outbox: Outbox,
    pub(super) inputs: mpsc::Receiver<Result<Input, LinkError>>,
    pub(super) reports: mpsc::UnboundedReceiver<Report>,
    pub(super) ended: oneshot::Receiver<LinkError>,
    tasks: [JoinHandle<()>; 2],
}

impl Link {
    pub(super) fn start(
        stream: TcpStream,
        stage_queue: StageQueue,
        throttles: &Throttles,
    ) -> io::Result<Self> {
        let (mut reader, outbox, mut writer) = split(stream, WRITE_PATIENCE, &Pool::default())?;
        throttles.apply(&mut reader, &mut writer);
        reader.set_limit(frame::PAYLOAD_BYTES_MAX);
        let (to_machine, inputs) = mpsc::channel(MESSAGES_MAX);
        let read = Reading::new(stage_queue, outbox.clone(), to_machine);
        let read = tokio::spawn(read.run(reader));
        let (reports_in, reports) = mpsc::unbounded_channel();
        let (ended_in, ended) = oneshot::channel();
        let write = tokio::spawn(async move {
            // The link may have been given up meanwhile.
            let error = writer.run(|report| drop(reports_in.send(report))).await;
            let _given_up = ended_in.send(error);
        });
        Ok(Self { outbox, inputs, reports, ended, tasks: [read, write] })
    }

    /// Lets what waits leave, and closes.
    pub(super) async fn close(mut self) {
        self.outbox.close();
        let _in_time = timeout(GOODBYE, &mut self.ended).await;
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
struct Reading {
    stage_queue: StageQueue,
    back: CreditReturn,
    /// File bytes that have come and wait for the disk.
    waiting: Arc<AtomicU64>,
    outbox: Outbox,
    to_machine: mpsc::Sender<Result<Input, LinkError>>,
    /// Bytes of files that the machine has not been told of.
    arrived: HashMap<TransferId, u64>,
}

impl Reading {
    fn new(
        stage_queue: StageQueue,
        outbox: Outbox,
        to_machine: mpsc::Sender<Result<Input, LinkError>>,
    ) -> Self {
        let waiting = Arc::new(AtomicU64::new(0));
        let (written, return_to_peer) = (Arc::clone(&waiting), return_to_peer(outbox.clone()));
        let back: CreditReturn = Arc::new(move |bytes| {
            written.fetch_sub(bytes, Ordering::AcqRel);
            return_to_peer(bytes);
        });
        Self { stage_queue, back, waiting, outbox, to_machine, arrived: HashMap::new() }
    }

    async fn run(mut self, mut reader: Reader) {
        loop {
            let message = match reader.next().await {
                Ok(payload) => Message::read(&payload)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error).into()),
                Err(error) => Err(error),
            };
            let taken = message.and_then(|message| self.take(message));
            let failed = taken.is_err();
            if let Some(input) = taken.transpose()
                && (self.to_machine.send(input).await.is_err() || failed)
            {
                return;
            }
        }
    }

    /// Hands on what does not concern the machine; returns what does.
    fn take(&mut self, message: Message) -> Result<Option<Input>, LinkError> {
        match message {
            Message::Data(data) => self.take_piece(data),
            Message::Credit(credit) => {
                self.outbox.give_credit(credit.bytes);
                Ok(None)
            }
            message => Ok(Some(Input::Received(message))),
        }
    }

    fn take_piece(&mut self, data: Data) -> Result<Option<Input>, LinkError> {
        let (transfer, bytes) = (data.transfer, data.body.len() as u64);
        if self.waiting.fetch_add(bytes, Ordering::AcqRel) + bytes > WINDOW_BYTES {
            return Err(LinkError::TooMuch);
        }
        if !self.stage_queue.send_piece(data, Credit::new(bytes, &self.back)) {
            self.arrived.remove(&transfer);
            return Ok(None);
        }
        let arrived = self.arrived.entry(transfer).or_default();
        *arrived += bytes;
        let told = (*arrived >= ARRIVED_STEP).then(|| std::mem::take(arrived));
        Ok(told.map(|bytes| Input::Arrived(transfer, bytes)))
    }
}

/// What the machine is told of a file that is sent.
pub(super) fn sending(report: Report) -> Input {
    match report {
        Report::Counted(sync_id) => Input::ChunkSent(sync_id),
        Report::Passed { transfer, bytes } => Input::Sending(transfer, Progress::Passed(bytes)),
        Report::Sent(transfer) => Input::Sending(transfer, Progress::Sent),
        Report::Failed(transfer, kind, message) => {
            let kind = match kind {
                io::ErrorKind::NotFound => DiskFaultKind::Missing,
                io::ErrorKind::InvalidData => DiskFaultKind::Changed,
                _ => DiskFaultKind::Other,
            };
            Input::Sending(transfer, Progress::Failed(DiskFault { kind, message }))
        }
    }
}
