//! The server: it collects manifests, keeps the union, and decides who sends what to whom.
//!
//! [`ServerMachine`] is the control plane and never sees a file's bytes. Those pass through one
//! [`Relay`] per session, which the host feeds with the source's frames and
//! whose events it hands back as [`Input::Relayed`].
//!
//! # Contract
//!
//! Feed one [`Input`], then call [`ServerMachine::poll_output`] until it returns
//! [`Output::Timeout`]; only then feed the next. Members are numbered by the host, each link with a
//! number that is larger than all before it. The relays of a client whose link is gone are needed until
//! the outputs of its [`Input::Lost`] have been carried out: an [`Output::AbandonRelay`] among them may
//! still have something for a target. Then they can be forgotten.

mod event;
mod intake;
mod machine;
mod member;
mod session;
mod status;

use std::{collections::BTreeSet, time::Duration};

pub use self::{
    event::{Event, Withheld},
    machine::ServerMachine,
    member::Generation,
    status::{MemberStatus, Missing, Status},
};
use crate::{
    conflict::{Naming, Policy},
    path::PathKey,
    select::Rules,
    time::Wake,
    transfer::{Relay, RelayEvent},
    union::MemberId,
    wire::v1::{Message, SyncId},
};

/// How a server behaves. Every limit is one that a peer cannot set.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Most files of one session. More makes fewer round trips, and a broken link loses more. Default 50.
    pub files_per_session_max: usize,
    /// Most sessions that one client of ours takes part in at a time; a client of protocol 1 takes
    /// part in one. Default 4.
    pub sessions_per_client_max: usize,
    /// Most sessions at a time in all. Default 64.
    pub sessions_max: usize,
    /// After how long a client that does not report changes by itself is asked for its manifest. Default 15 s.
    pub manifest_stale: Duration,
    /// How often the scheduler looks for work that nothing else told it of. Default 1 s.
    pub scheduler_tick: Duration,
    /// For how long manifests are gathered before they are merged in one step. Default 100 ms.
    pub merge_window: Duration,
    /// How conflict names are made.
    pub naming: Naming,
    /// Who keeps a name that several claim at once.
    pub policy: Policy,
    /// What may join the union.
    pub rules: Rules,
    /// How long a link may last without HELLO. Default 10 s.
    pub hello_timeout: Duration,
    /// How long a link may be silent. Default 90 s.
    pub silence_timeout: Duration,
    /// How long a source may take until its first file: it may look through its folder first. Default 60 s.
    pub first_file_timeout: Duration,
    /// How long a session may go without progress. Default 30 s.
    pub stall_timeout: Duration,
    /// Longest client name, in characters; the rest is cut off. Default 64.
    pub name_chars_max: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            files_per_session_max: 50,
            sessions_per_client_max: 4,
            sessions_max: 64,
            manifest_stale: Duration::from_secs(15),
            scheduler_tick: Duration::from_secs(1),
            merge_window: Duration::from_millis(100),
            naming: Naming::default(),
            policy: Policy::default(),
            rules: Rules::default(),
            hello_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(90),
            first_file_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(30),
            name_chars_max: 64,
        }
    }
}

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// A client has connected, from this address.
    Accepted(MemberId, String),
    /// A client's link is gone, for this reason.
    Lost(MemberId, String),
    /// A client sent a message that is no part of a file on its way.
    Received(MemberId, Message),
    /// A relay of this source saw something.
    Relayed(MemberId, SyncId, RelayEvent),
    /// The liveries that are distributed, by folder name; `None` for all.
    AllowList(Option<BTreeSet<String>>),
    /// The time that the last [`Output::Timeout`] named has come, or any other time.
    Timeout,
}

/// Something to do.
#[derive(Debug)]
pub enum Output {
    /// Send a message to a client.
    Transmit(MemberId, Message),
    /// Feed the frames of this source's session to a relay, and send on what it lets through.
    OpenRelay {
        /// The client whose frames it watches.
        source: MemberId,
        /// The client that gets what passes.
        target: MemberId,
        /// The session.
        sync_id: SyncId,
        /// The relay.
        relay: Relay,
    },
    /// Abandon a relay: no beginning and no piece of a file that it let through and that is still
    /// queued may reach the target. Ends may: one without a beginning is ignored, and a target of
    /// protocol 1 must not be left with an open file. What [`Relay::abandon`] returns is sent last.
    AbandonRelay {
        /// The client whose frames it watches.
        source: MemberId,
        /// The client that got what passed.
        target: MemberId,
        /// The session.
        sync_id: SyncId,
    },
    /// Forget a relay.
    DropRelay(MemberId, SyncId),
    /// Close a client's link, for this reason; no [`Input::Lost`] is expected for it.
    Close(MemberId, String),
    /// Tell people.
    Event(Event),
    /// Nothing more to do until then.
    Timeout(Option<Wake>),
}

impl Output {
    pub(crate) const fn to(member: MemberId, message: Message) -> Self {
        Self::Transmit(member, message)
    }
}

/// The livery names of an allow list: one per line; a line that begins with `#` is a comment.
/// `None` if there are none.
#[must_use]
pub fn parse_allow_list(text: &str) -> Option<BTreeSet<String>> {
    let names = text.trim_start_matches('\u{feff}').lines().map(|line| {
        // A `#` may begin a name (`#2_TeamIris_992` is a real livery); it is written as `\#2_...`.
        let line = line.trim();
        let name = if line.starts_with('#') { "" } else { line };
        line.strip_prefix('\\').unwrap_or(name)
    });
    let names: BTreeSet<_> = names.filter(|name| !name.is_empty()).map(crate::path::fold).collect();
    (!names.is_empty()).then_some(names)
}

/// Whether the livery of this file is distributed.
fn allows(list: Option<&BTreeSet<String>>, key: &PathKey) -> bool {
    list.is_none_or(|names| names.contains(key.livery()))
}
