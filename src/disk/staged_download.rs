//! A download in the form of protocol 2. The worker that writes it also unpacks and hashes it.

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

/// A file that is being downloaded, or the beginning of one that is parked.
#[derive(Debug)]
pub(super) struct StagedDownload {
    content: Content,
    receiver: Receiver,
    /// It is made for the first piece, so that an offer without bytes leaves no file.
    file: Option<File>,
    /// The number under which more of it comes, and the request that waits for its end; `None` while it is parked.
    awaited: Option<(TransferId, OpId)>,
}

impl StagedDownload {
    pub(super) fn new(content: Content) -> Self {
        Self { content, receiver: Receiver::new(content), file: None, awaited: None }
    }

    /// Returns `true` if this is the beginning of `content`.
    pub(super) fn is_of(&self, content: Content) -> bool {
        self.content == content
    }

    pub(super) const fn expect(&mut self, transfer: TransferId, op: OpId) {
        self.awaited = Some((transfer, op));
    }

    /// Returns the request that waits for the download with this number.
    pub(super) fn awaiting(&self, transfer: TransferId) -> Option<OpId> {
        self.awaited.filter(|(awaited, _)| *awaited == transfer).map(|(_, op)| op)
    }

    /// Accepts no more pieces. Returns the number of bytes that have come.
    pub(super) const fn park(&mut self) -> u64 {
        self.awaited = None;
        self.receiver.received()
    }

    /// Checks a piece and writes it.
    pub(super) fn write_piece(
        &mut self,
        stages: &Stages,
        id: StageId,
        data: &Data,
        decoder: &mut Decoder,
    ) -> Result<(), DiskFault> {
        let bytes = self.receiver.unpack(data.offset, &data.body, decoder).map_err(corrupt)?;
        self.write(stages, id, bytes).map_err(|error| error_fault(&error))
    }

    /// The pieces come without gaps, so the file is always at the right position.
    fn write(&mut self, stages: &Stages, id: StageId, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(stages.create(id)?);
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    /// Ends the file, checks its hash, and returns what must be flushed.
    pub(super) fn finish(self, stages: &Stages, id: StageId) -> Result<Flush, DiskFault> {
        let content = self.receiver.finish().map_err(corrupt)?;
        let file = self.file.ok_or_else(|| error_fault(&io::ErrorKind::NotFound.into()))?;
        sealed(file, stages.path(id), content.size).map_err(|error| error_fault(&error))
    }
}

fn corrupt(wrong: TransferFault) -> DiskFault {
    fault(DiskFaultKind::Corrupt, wrong.to_string())
}
