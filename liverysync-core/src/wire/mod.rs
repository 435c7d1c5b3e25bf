//! The wire: frames, and the messages of both protocols.
//!
//! A host reads the bytes of a connection with [`Message::read_frame`] and writes with [`Message::write_frame`].
//! `docs/protocol.md` describes all forms, with the payload of each message.

mod body;
mod chunk;
mod compress;
// The machines make and read the payloads, and the shell handles frames and pieces without a copy. A host passes messages on
// as a whole, so it needs only what is re-exported.
#[doc(hidden)]
pub mod data;
#[doc(hidden)]
pub mod frame;
#[doc(hidden)]
pub mod messages;

pub use self::{
    data::TransferId,
    messages::{Message, SyncId, WireError},
};
