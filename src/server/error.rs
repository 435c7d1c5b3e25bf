//! The reasons why a server cannot start.

use std::{io, path::PathBuf};

use crate::{database::DatabaseError, store::StoreError};

/// The reason why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// There is no tokio runtime here, or it is shutting down.
    #[error("a server can only be started inside a tokio runtime")]
    NoRuntime,
    /// The server cannot listen.
    #[error("cannot listen at {address}")]
    Bind {
        /// The address and port that were asked for.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The league database cannot be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Only owners may update, and the server has no data folder. It would forget the owners at its end, and whoever
    /// came first after that would own the liveries of others.
    #[error("where only owners may update, the server needs a data folder to remember them")]
    OwnersNeedData,
    /// The allow list cannot be read.
    #[error("cannot read the allow list {path}", path = .path.display())]
    AllowList {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}
