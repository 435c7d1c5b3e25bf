//! Keeps the custom liveries of an Assetto Corsa Competizione league the same on every driver's PC.
//!
//! This package is the tokio shell around [`core`], which takes every decision: sockets, disk, file
//! events and clocks, and nothing else. Start from
//!
//! - [`client::Client`] (feature `client`, on by default), a driver's PC;
//! - [`server::Server`] (feature `server`), the league's server;
//! - [`league::League`] (feature `server`), a league's data to look at and to change;
//! - [`ledger::Ledger`] (feature `server`), what a league remembers, on disk;
//! - [`scan::scan`], what a folder holds and what of it travels;
//! - [`backups::Backups`], what was replaced on a driver's PC, and how to get it back;
//! - [`ignore::IgnoreFile`], the liveries that a driver does not want;
//! - [`places`], where the game keeps its liveries.

#![forbid(unsafe_code)]

pub use liverysync_core as core;

#[cfg(feature = "client")]
pub mod backups;
#[cfg(feature = "client")]
pub mod client;
#[cfg(any(feature = "client", feature = "server"))]
mod clock;
#[cfg(any(feature = "client", feature = "server"))]
mod credit;
#[cfg(feature = "client")]
mod disk;
#[cfg(any(feature = "client", feature = "server"))]
pub mod events;
#[cfg(any(feature = "client", feature = "server"))]
mod feed;
#[cfg(feature = "client")]
pub mod ignore;
#[cfg(feature = "server")]
pub mod league;
#[cfg(feature = "server")]
pub mod ledger;
#[cfg(any(feature = "client", feature = "server"))]
mod life;
#[cfg(any(feature = "client", feature = "server"))]
mod link;
#[cfg(feature = "client")]
pub mod places;
#[cfg(feature = "client")]
pub mod scan;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
mod store;
#[cfg(any(feature = "client", feature = "server"))]
mod throttle;
#[cfg(feature = "client")]
mod walk;
#[cfg(feature = "client")]
mod watch;

#[cfg(any(feature = "client", feature = "server"))]
pub use self::throttle::Limits;

/// The version of this library, such as `0.1.0`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Compiles the Rust code of the document.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../docs/embedding.md")]
struct Embedding;
