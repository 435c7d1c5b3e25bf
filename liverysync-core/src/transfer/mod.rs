//! One file on its way: small machines that look at borrowed bytes and say what to do with them.
//!
//! - [`Receiver`] checks size, offset and SHA-256 as the bytes arrive.
//! - [`Sender`] says which piece of a file to read next, with a bounded number of pieces under way.
//! - [`Outgoing`] says which piece of which file goes next over one link.
//! - [`Packing`] says whether the pieces of a file go compressed.
//! - `Relay` (feature `server`) watches on the server over what a source sends, and takes in only what was
//!   asked for.

mod outgoing;
mod packing;
mod receive;
#[cfg(feature = "server")]
mod relay;
mod send;

#[cfg(feature = "server")]
pub use self::relay::{Action, Asked, Relay, RelayEvent, SourceFault, Step};
pub use self::{
    outgoing::{Next, Outgoing},
    packing::Packing,
    receive::{Receiver, TransferFault},
    send::{Piece, Sender},
};

/// Bytes of a file in one chunk: 256 KiB, the seed's.
pub const CHUNK_BYTES: usize = 256 * 1024;
