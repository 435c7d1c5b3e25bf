//! A file of the liveries folder as it is uploaded.

use std::{fs::File, io, path::Path, sync::Arc};

use liverysync_core::{path::RelPath, select::Stamp};
use tokio::sync::Notify;

use super::{
    Changed,
    beneath::{Folder, below},
    error_fault,
};
use crate::{
    byte_source::{Availability, ByteSource, open_cached},
    scan::stamp_of,
};

/// A file below the root, with the stamp that it must keep while it is sent.
#[derive(Debug)]
pub(crate) struct PlainFile {
    root: Arc<Path>,
    path: RelPath,
    stamp: Stamp,
}

impl PlainFile {
    /// Makes the source of a file with this stamp. It is opened only when its turn comes, because an open file cannot
    /// be replaced on Windows.
    pub(crate) const fn new(root: Arc<Path>, path: RelPath, stamp: Stamp) -> Self {
        Self { root, path, stamp }
    }
}

/// Returns the error with the words of [`error_fault`].
fn worded(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error_fault(error).message)
}

impl ByteSource for PlainFile {
    fn size(&self) -> u64 {
        self.stamp.size
    }

    fn availability(&self) -> Availability {
        Availability::Complete
    }

    fn notify_changes(&self, _wake: &Arc<Notify>) {}

    fn open(&self, may_block: bool) -> io::Result<Arc<File>> {
        let below = below(&self.path);
        if !may_block {
            return open_cached(&self.root.join(below), false).map(Arc::new);
        }
        let file = Folder::open(&self.root).and_then(|root| root.open_file(&below));
        file.map(Arc::new).map_err(|error| worded(&error))
    }

    fn check_unchanged(&self, file: &File) -> io::Result<()> {
        let metadata = file.metadata().map_err(|e| worded(&e))?;
        if stamp_of(&metadata) == self.stamp {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, Changed))
        }
    }
}
