//! The C interface of liverysync. `docs/c.md` is its contract, `include/liverysync.h` its header.
//!
//! Every function of the interface is thin: it reads its arguments ([`ptr`], [`text`], [`sized`]), calls the Rust
//! library within [`guard`], and hands results out as handles or as structs that the caller provides. Nothing is
//! decided here.

#![allow(unsafe_code, reason = "pointers come from C; the rest of the project has none")]
#![deny(unsafe_op_in_unsafe_fn)]
#![allow(
    clippy::missing_safety_doc,
    reason = "docs/c.md says once, for all functions, what a caller must keep to"
)]

pub mod client;
pub mod diff;
pub mod entry;
pub mod error;
pub mod event;
mod guard;
mod handle;
#[cfg(test)]
mod header;
mod host;
#[cfg(all(test, target_pointer_width = "64"))]
mod layout;
pub mod manifest;
mod messages;
pub mod owner;
pub mod paths;
mod ptr;
pub mod result;
pub mod rules;
pub mod server;
mod sized;
pub mod text;
#[cfg(test)]
mod tokio_program;
pub mod union;
pub mod version;
