//! The client: it publishes the liveries of its PC, sends those that others lack, and installs those that it lacks.
//!
//! [`ClientMachine`] decides. The host moves messages and carries out disk requests. The disk is an effect like the
//! network: a request goes out with an [`OpId`], and its outcome comes back in.
//!
//! # Contract
//!
//! Feed one [`Input`], then call [`ClientMachine::poll_output`] until it returns [`Output::Timeout`]; only then feed the
//! next.
//!
//! - Carry out requests about one stage in the order in which they were made, and reads of pieces too: a chunk is sent
//!   when its read comes back.
//! - Hand in the outcome of [`DiskRequest::LoadCache`] before that of [`DiskRequest::List`].
//! - To bound memory, do not read the link while many [`DiskRequest::Write`]s wait.
//!
//! [`Input`], [`Output`] and what they carry are exhaustive on purpose: a host that ignores a new kind of request breaks
//! the client, so it should not compile. So are the plain values [`OpId`], [`StageId`] and [`Role`], which will not grow.
//! Everything else may grow.
//!
//! # Inside
//!
//! The machine composes parts. Each owns its state, takes events in by `handle_…`, hands results out by `poll_…`, and says
//! by `next_wake` when time alone makes it act:
//!
//! | part | owns |
//! |---|---|
//! | `link` | connecting, retries, pings, silence |
//! | `folder` | what this PC has: scans, hashes, the index, synced versions, the scan cache |
//! | `publisher` | what the server knows of this PC |
//! | `first_contact` | the question whether to publish liveries that the league does not have |
//! | `downloads`, `uploads` | sessions, and files on their way |
//! | `retiring` | files on their way to the backup folder |
//! | `obstacles` | the files that this PC cannot install, and why |
//! | `sync_status` | whether this PC is in sync |
//! | `unmatched` | the globs that match no livery |
//! | `dry_run` | the union that a dry run compares |
//! | `protocol_1` | everything that only older servers need |

mod config;
mod context;
mod downloads;
mod dry_run;
mod event;
mod first_contact;
mod folder;
mod host;
mod link;
mod livery_globs;
mod machine;
mod obstacles;
mod outstanding;
mod owner_act;
mod plan;
mod protocol_1;
mod publisher;
mod respelling;
mod retiring;
mod sync_status;
// Its results have their pages in `liverysync`, which waits. Other hosts have `Event::InSync`.
#[cfg_attr(not(liverysync_listing), doc(hidden))]
pub mod sync_watch;
mod unmatched;
mod uploads;

#[doc(hidden)]
pub use self::folder::recognize;
pub use self::{
    config::ClientConfig,
    event::Event,
    host::{
        DiskFault, DiskFaultKind, DiskOutcome, DiskRequest, Input, InstallFile, Installed, Now,
        OpId, Output, Progress, StageId,
    },
    livery_globs::LiveryGlobs,
    machine::ClientMachine,
    outstanding::Outstanding,
    owner_act::{ActStep, ActTalk},
    plan::{ConflictSide, OpenConflict, Plan, PlannedHold},
};
#[doc(no_inline)]
pub use crate::wire::messages::Role;
