//! The wire: frames, and the messages of both protocols.
//!
//! A host cuts the bytes of a connection into payloads with [`frame::split`], reads each with [`Message::read`], and writes
//! with [`frame::write`] and [`Message::encode`]. `docs/protocol.md` describes all forms.

mod body;
mod chunk;
mod compress;
pub mod data;
pub mod frame;
pub mod messages;

pub use messages::{Message, SyncId, WireError};
