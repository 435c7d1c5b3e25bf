//! One file on its way: small machines that look at borrowed bytes and say what to do with them.
//!
//! - [`Receiver`] checks size, offset and SHA-256 as the bytes arrive.
//! - [`Sender`] says which piece of a file to read next, with a bounded number of pieces under way.
//! - [`Relay`] stands between a source and a target on the server and lets only through what was
//!   asked for and is right.

mod receive;
mod relay;
mod send;

pub use self::{
    receive::{Receiver, TransferFault},
    relay::{Asked, Relay, RelayEvent, SourceFault, Step},
    send::{Piece, Sender},
};

/// Bytes of a file in one chunk: 256 KiB, the seed's.
pub const CHUNK_BYTES: usize = 256 * 1024;
