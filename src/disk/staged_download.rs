//! A file that comes in under a number of the link: checked here, on the thread that writes it, and
//! nowhere else on this PC.

use std::{
    fs::File,
    io::{self, Write as _},
};

use liverysync_core::{
    client::{DiskFault, DiskFaultKind, OpId, StageId},
    hash::Content,
    transfer::{Receiver, TransferFault},
    wire::data::{Data, Decoder, TransferId},
};

use super::{
    error_fault, fault,
    flush::Flush,
    stage::{Stages, sealed},
};

/// A file on its way in, or what there is of one that is parked.
#[derive(Debug)]
pub(super) struct StagedDownload {
    content: Content,
    receiver: Receiver,
    /// Made for the first piece, so that an offer which brings nothing leaves nothing.
    file: Option<File>,
    /// Under which number more of it comes, and which request waits for all of it; nothing while it
    /// is parked.
    awaited: Option<(TransferId, OpId)>,
}

impl StagedDownload {
    pub(super) fn new(content: Content) -> Self {
        Self { content, receiver: Receiver::new(content), file: None, awaited: None }
    }

    /// Whether what is here is the beginning of this.
    pub(super) fn is_of(&self, content: Content) -> bool {
        self.content == content
    }

    pub(super) const fn await_from(&mut self, transfer: TransferId, op: OpId) {
        self.awaited = Some((transfer, op));
    }

    /// The request that waits for what comes under this number.
    pub(super) fn awaiting(&self, transfer: TransferId) -> Option<OpId> {
        self.awaited.filter(|(awaited, _)| *awaited == transfer).map(|(_, op)| op)
    }

    /// Takes nothing more in. Returns how many bytes are here.
    pub(super) const fn park(&mut self) -> u64 {
        self.awaited = None;
        self.receiver.received()
    }

    /// Checks a piece and writes it.
    pub(super) fn take(
        &mut self,
        stages: &Stages,
        id: StageId,
        data: &Data,
        decoder: &mut Decoder,
    ) -> Result<(), DiskFault> {
        let bytes = self.receiver.unpack(data.offset, &data.body, decoder).map_err(corrupt)?;
        self.write(stages, id, bytes).map_err(|error| error_fault(&error))
    }

    /// Pieces come without gaps, so the file is always at the right place.
    fn write(&mut self, stages: &Stages, id: StageId, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(stages.create(id)?);
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    /// Takes the end of the file. Returns what is left to be flushed.
    pub(super) fn finish(self, stages: &Stages, id: StageId) -> Result<Flush, DiskFault> {
        let content = self.receiver.finish().map_err(corrupt)?;
        let file = self.file.ok_or_else(|| error_fault(&io::ErrorKind::NotFound.into()))?;
        sealed(file, stages.path(id), content.size).map_err(|error| error_fault(&error))
    }
}

fn corrupt(wrong: TransferFault) -> DiskFault {
    fault(DiskFaultKind::Corrupt, wrong.to_string())
}
