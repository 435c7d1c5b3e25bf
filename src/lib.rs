//! Keeps the custom liveries of an Assetto Corsa Competizione league the same on every driver's PC.
//!
//! - [`Client`] runs on a driver's PC and keeps a liveries folder in sync with the league.
//! - [`Server`] is the league's server.
//! - [`scan`], [`Manifest::diff`] and [`Union::merge`] read and compare folders without a server, and [`Scan::lint`] finds
//!   what is probably wrong with liveries.
//! - [`backups`] restores what was replaced on a driver's PC, and [`LiveryList`] lists the liveries that a driver does
//!   not want.
//! - [`league`] is for administrators: it shows and changes the data of a server.
//!
//! # Example
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use liverysync::Client;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let client = Client::builder("192.168.1.50").liveries("Liveries").start().await?;
//!     let report = client.sync().timeout(Duration::from_secs(600)).await?;
//!     println!("in sync: {} files, {} of them new", report.files, report.received_files);
//!     client.stop().await;
//!     Ok(())
//! }
//! ```
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `client` | yes | [`Client`], [`scan`], [`backups`], [`LiveryList`] and the places of the game's folders |
//! | `server` | no | [`Server`] and [`league`]; brings SQLite |
//!
//! Features only add items. [`Manifest`], [`Diff`], [`Union`] and the path rule need none.
//!
//! # Runtime
//!
//! [`Client`] and [`Server`] need [tokio](https://docs.rs/tokio) with I/O and time enabled, of either flavor. Starting one
//! outside of a runtime is an error. What they return can be awaited anywhere. [`scan`], [`backups`] and [`league`]
//! need no runtime; they block, so that asynchronous code calls them on a thread that may.
//!
//! # Minimum supported Rust version
//!
//! Rust 1.91. A new minor version may raise it, to a version that is at least three months old.
//!
//! # Decisions
//!
//! This package is a shell around [`liverysync-core`](liverysync_core), which takes every decision without any I/O: it
//! adds sockets, disk, file events and clocks.

#![forbid(unsafe_code)]

#[cfg(feature = "client")]
pub mod backups;
#[cfg(any(feature = "client", feature = "server"))]
mod byte_source;
#[cfg(feature = "client")]
mod client;
#[cfg(any(feature = "client", feature = "server"))]
mod clock;
#[cfg(any(feature = "client", feature = "server"))]
mod credit;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod database;
#[cfg(feature = "client")]
mod disk;
mod error_chain;
#[cfg(any(feature = "client", feature = "server"))]
mod events;
#[cfg(feature = "client")]
mod identity;
#[cfg(any(feature = "client", feature = "server"))]
mod inspect;
#[cfg(feature = "server")]
pub mod league;
#[cfg(any(feature = "client", feature = "server"))]
mod lifecycle;
#[cfg(any(feature = "client", feature = "server"))]
mod link;
#[cfg(feature = "client")]
mod lint_rules;
#[cfg(any(feature = "client", feature = "server"))]
mod list_faults;
#[cfg(feature = "client")]
mod livery_list;
#[cfg(feature = "client")]
mod places;
#[cfg(any(feature = "client", feature = "server"))]
mod private;
#[cfg(feature = "client")]
mod scan;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod store;
#[cfg(any(feature = "client", feature = "server"))]
mod throttle;
#[cfg(feature = "client")]
mod walk;
#[cfg(feature = "client")]
mod watch;

#[cfg(feature = "client")]
pub use self::{
    client::{
        Client, ClientBuilder, ClientError, SyncRequest, SyncStep, Syncing, is_client_running,
    },
    identity::IdentityFile,
    livery_list::{LiveryList, LiveryListError},
    places::{FolderNotFound, liveries_folder, state_folder, steam_id},
    scan::{Scan, ScanError, scan},
};
#[cfg(any(feature = "client", feature = "server"))]
pub use self::{
    events::{Event, Events},
    throttle::Limits,
};
#[cfg(feature = "server")]
pub use self::{
    server::{Server, ServerBuilder, ServerError},
    store::StoreError,
};

// The types of the core that most programs use have their pages here, and all others have theirs in `liverysync-core`.
#[cfg(feature = "client")]
pub use liverysync_core::client::{
    Event as ClientEvent,
    sync_watch::{FileErrors, SyncError, SyncReport, Unfinished},
};
pub use liverysync_core::manifest::Manifest;
#[cfg(feature = "server")]
pub use liverysync_core::server::{Event as ServerEvent, Status};

#[doc(hidden)]
pub use liverysync_core::client::PlannedHold;
#[cfg(feature = "client")]
#[doc(no_inline)]
pub use liverysync_core::client::{
    ConflictSide, LiveryGlobs, OpenConflict, Outstanding, Plan, Role,
};
#[cfg(feature = "server")]
#[doc(no_inline)]
pub use liverysync_core::server::{DifferingSetting, Missing, PeerStatus, Protocol, Withheld};
#[cfg(feature = "server")]
#[doc(no_inline)]
pub use liverysync_core::transfer::SourceFault;
#[doc(no_inline)]
pub use liverysync_core::{
    conflict::{Naming, Policy, Scope},
    diff::Diff,
    hash::{Content, ContentHash},
    league::{Act, ActError, ActReport, MemberId, MemberKey, Updates},
    lint::{Finding, LintRules},
    manifest::Entry,
    path::{Extensions, InvalidPath, RelPath},
    pathmap::Collision,
    select::{Reason, Rules, Skipped},
    text::{InvalidText, escape},
    time::UnixTime,
    union::{Outcome, PeerId, Refusal, Union, UnionEntry},
    wire::SyncId,
};

// Helpers of the front ends, which may change in any version.
#[doc(hidden)]
pub use self::error_chain::with_causes;
#[cfg(feature = "client")]
#[doc(hidden)]
pub use self::identity::create_private;
#[cfg(feature = "client")]
#[doc(hidden)]
pub use self::lint_rules::{LintRulesMistake, read_lint_rules};
#[doc(hidden)]
pub use liverysync_core::{
    conflict::{is_conflict_name, parse_conflict_name, plain_livery},
    identity::{Identity, OtherIdentity},
    league::HoldReason,
    own_folders::{BACKUP_FOLDER, STAGING_FOLDER},
    path::fold,
    text::{NAME_CHARS_MAX, escape_limited},
    wire::messages::OwnerNews,
};

/// The version of this library, such as `0.1.0`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The port of a server that was not told another one.
pub const DEFAULT_PORT: u16 = 9239;

/// Compiles the Rust code of the document.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../docs/embedding.md")]
struct Embedding;
