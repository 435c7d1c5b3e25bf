//! A file of the folder, as it is sent.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use liverysync_core::{path::RelPath, select::Stamp};
use tokio::sync::Notify;

use super::{Changed, check_no_links, error_fault, full_path};
use crate::{
    byte_source::{Availability, ByteSource, open_cached},
    scan::stamp_of,
};

/// A file below the root that must stay as it was listed while it is sent.
#[derive(Debug)]
pub(crate) struct PlainFile {
    root: Arc<Path>,
    path: RelPath,
    stamp: Stamp,
}

impl PlainFile {
    /// Takes a file as it was listed. It is opened only when its turn comes: an open file stands in
    /// the way of its owner.
    pub(crate) const fn new(root: Arc<Path>, path: RelPath, stamp: Stamp) -> Self {
        Self { root, path, stamp }
    }
}

/// Says in our words what went wrong.
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
        let path = full_path(&self.root, &self.path);
        if !may_block {
            return open_cached(&path, false).map(Arc::new);
        }
        let below: PathBuf = self.path.components().collect();
        check_no_links(&self.root, &below).map_err(|fault| io::Error::other(fault.message))?;
        let file = File::open(path).map_err(|e| worded(&e))?;
        Ok(Arc::new(file))
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
