//! The transfer of files: small machines that decide what happens to the bytes, without owning them.
//!
//! - [`Receiver`] checks size, offset and SHA-256 as the bytes arrive.
//! - [`Sender`] picks the next piece of a file to read, with a bounded number of pieces under way.
//! - [`SendQueue`] picks the next piece of all files that travel over one connection.
//! - [`Compression`] decides whether the pieces of a file are compressed.
//! - `UploadStream` (feature `server`) accepts from a source only what the server requested.

mod compression;
mod receive;
mod send;
mod send_queue;
#[cfg(feature = "server")]
mod upload_stream;

#[cfg(feature = "server")]
pub use self::upload_stream::{
    Action, RequestedFile, SourceFault, Step, UploadEvent, UploadStream,
};
pub use self::{
    compression::Compression,
    receive::{Receiver, TransferFault},
    send::{Piece, Sender},
    send_queue::{Next, SendQueue},
};

/// Largest number of file bytes in one chunk or piece: 256 KiB, as in the Python programs.
pub const CHUNK_BYTES: usize = 256 * 1024;
