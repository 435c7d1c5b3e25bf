//! One file on its way: small machines that look at borrowed bytes and say what to do with them.
//!
//! - [`Receiver`] checks size, offset and SHA-256 as the bytes arrive.
//! - [`Sender`] says which piece of a file to read next, with a bounded number of pieces under way.
//! - [`SendQueue`] says which piece of which file goes next over one link.
//! - [`Compression`] says whether the pieces of a file go compressed.
//! - `UploadStream` (feature `server`) watches on the server over what a source sends, and takes in only what was
//!   asked for.

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

/// Bytes of a file in one chunk: 256 KiB, the seed's.
pub const CHUNK_BYTES: usize = 256 * 1024;
