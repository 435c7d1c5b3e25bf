//! The wire: frames, and the messages of both protocols.
//!
//! A host reads the bytes of a connection with [`Message::read_frame`] and writes with [`Message::write_frame`].
//! `docs/protocol.md` describes all forms, with the payload of each message.

mod body;
mod chunk;
mod compress;
pub mod data;
// `Message` reads and writes frames. This is for the shell, which handles some without a copy.
#[doc(hidden)]
pub mod frame;
pub(crate) mod list;
pub mod messages;

pub use self::messages::{Message, SyncId, WireError};
