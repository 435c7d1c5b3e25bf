//! The decisions of liverysync, without I/O: no disk, no socket, no clock, no thread and no ambient
//! randomness. One seed and one list of inputs give one list of outputs, so a league of any size
//! runs in one process in virtual time.
//!
//! Start from
//!
//! - `server::ServerMachine` (feature `server`) and [`ClientMachine`](client::ClientMachine), the two
//!   machines that a host drives: feed one input, then poll outputs until a timeout comes out;
//! - [`Union`](union::Union) and [`Manifest`](manifest::Manifest), what a league and a PC hold;
//! - [`RelPath`](path::RelPath), the only form in which a name travels.
//!
//! The package `liverysync` has the tokio shell around it.
//!
//! # Driving a machine
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use liverysync_core::client::{
//!     ClientConfig, ClientMachine, DiskOutcome, DiskRequest, Input, Now, Output,
//! };
//!
//! let mut now = Now::default();
//! let mut machine = ClientMachine::new(ClientConfig::default(), 1, now);
//! let mut outcomes = VecDeque::new();
//! let mut connects = false;
//! while !connects {
//!     // Carry out what it asks for, until it has nothing more to ask.
//!     let wake = loop {
//!         match machine.poll_output() {
//!             Output::Connect => connects = true,
//!             Output::Disk(op, DiskRequest::List { .. }) => {
//!                 outcomes.push_back((op, DiskOutcome::Listed(Ok(Vec::new()))));
//!             }
//!             Output::Disk(op, _) => outcomes.push_back((op, DiskOutcome::Done(Ok(())))),
//!             Output::Timeout(wake) => break wake,
//!             _ => {}
//!         }
//!     };
//!     // Feed one thing that happened. A real host waits for whatever comes first.
//!     let input = match outcomes.pop_front() {
//!         Some((op, outcome)) => Input::Disk(op, outcome),
//!         None => {
//!             now.time = wake.map_or(now.time, |wake| wake.at);
//!             Input::Timeout
//!         }
//!     };
//!     machine.handle_input(now, input);
//! }
//! ```

#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod backups;
pub mod client;
pub mod conflict;
pub mod diff;
mod glob;
pub mod hash;
#[doc(hidden)]
pub mod identity;
#[doc(hidden)]
pub mod inspect;
pub mod league;
#[doc(hidden)]
pub mod lint;
#[doc(hidden)]
pub mod list_file;
pub mod manifest;
#[doc(hidden)]
pub mod own_folders;
pub mod path;
#[doc(hidden)]
pub mod pathmap;
mod rng;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod schedule;
pub mod select;
#[cfg(feature = "server")]
pub mod server;
pub mod text;
pub mod time;
#[doc(hidden)]
pub mod transfer;
pub mod union;
pub mod wire;
