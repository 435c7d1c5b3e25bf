//! The context that all parts of the client share: the moment, the settings, the link, and the way out to the host.

use std::collections::{BTreeMap, VecDeque};

use super::{
    ClientConfig, DiskRequest, Event, Now, OpId, Output, StageId,
    downloads::DownloadStep,
    link::Link,
    protocol_1::{Dialect, PieceRead},
};
use crate::{
    conflict::{Naming, Scope},
    path::{Extensions, RelPath},
    wire::messages::{Fault, LeagueNaming, Message, SyncId},
};

/// Most former suffixes of a league that a client recognizes, the newest. It looks for each of them in each name.
const FORMER_SUFFIXES_MAX: usize = 64;

/// An argument of the parts' methods, so that each part owns nothing but its own state.
///
/// All outputs go through one queue: their order is part of what the machine decides.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) now: Now,
    pub(super) config: ClientConfig,
    pub(super) link: Link,
    /// The rules for conflict names: the league's, or on protocol 1 those of the configuration.
    pub(super) naming: Naming,
    outputs: VecDeque<Output>,
    /// The purpose of each disk request that has no outcome yet.
    ops: BTreeMap<OpId, Purpose>,
    next_op: u64,
    next_stage: u64,
}

/// The part that waits for the outcome of a disk request, and what it needs to go on.
#[derive(Debug)]
pub(super) enum Purpose {
    Sweep,
    Folder,
    Download(DownloadStep),
    Read(PieceRead),
    Retire(Vec<RelPath>),
    Respell(Vec<(RelPath, RelPath)>),
    /// The obstacles at these paths are checked again.
    Recheck(Vec<RelPath>),
    /// The obstacles that the last run knew.
    LoadObstacles,
    /// The files that a dry run would get.
    DryRun,
}

impl Context {
    pub(super) fn new(config: ClientConfig, link: Link, now: Now) -> Self {
        Self {
            now,
            naming: config.naming.clone(),
            config,
            link,
            outputs: VecDeque::new(),
            ops: BTreeMap::new(),
            next_op: 0,
            next_stage: 0,
        }
    }

    /// Sets the moment of an input. The steady clock never runs backwards, whatever the host says.
    pub(super) fn advance(&mut self, now: Now) {
        // So no part has to handle a moment that is earlier than the one before.
        self.now = Now { time: self.now.time.max(now.time), date: now.date };
    }

    pub(super) fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(super) fn is_drained(&self) -> bool {
        self.outputs.is_empty()
    }

    pub(super) fn event(&mut self, mut event: Event) {
        event.limit_texts();
        self.push(Output::Event(event));
    }

    /// Forgets the rules for conflict names of the league before: this server may not have any, or not say them.
    pub(super) fn reset_naming(&mut self) {
        self.naming = self.config.naming.clone();
    }

    /// Takes over the league's rules for conflict names. Suffixes that no file name can have are ignored.
    pub(super) fn handle_naming(&mut self, league: LeagueNaming) {
        let is_valid = |suffix: &str| Naming::new(suffix, Extensions::default()).is_ok();
        if !is_valid(&league.suffix) {
            return;
        }
        let mut former_suffixes = league.former_suffixes;
        former_suffixes.retain(|suffix| is_valid(suffix));
        former_suffixes.drain(..former_suffixes.len().saturating_sub(FORMER_SUFFIXES_MAX));
        self.naming = Naming {
            suffix: league.suffix,
            former_suffixes,
            extensions: self.config.naming.extensions.clone(),
            scope: if league.whole_liveries { Scope::Livery } else { Scope::File },
        };
    }

    /// Sends a message, if the server has greeted. Most of what a part says about a session that outlived its link is
    /// of no use on the next one.
    pub(super) fn transmit(&mut self, message: Message) {
        if self.link.is_up() {
            self.push(Output::Transmit(message));
        }
    }

    /// Handles that the server knows this PC's former keys.
    pub(super) fn handle_former_keys_known(&mut self) {
        let keys = std::mem::take(&mut self.config.keys.former);
        if !keys.is_empty() {
            self.push(Output::FormerKeysKnown(keys));
        }
    }

    pub(super) fn disconnect(&mut self, reason: &str) {
        if self.link.handle_close() {
            self.push(Output::Disconnect(reason.to_owned()));
        }
    }

    pub(super) fn request(&mut self, request: DiskRequest, purpose: Purpose) {
        let op = OpId(self.next_op);
        self.next_op += 1;
        self.ops.insert(op, purpose);
        self.push(Output::Disk(op, request));
    }

    /// Returns the purpose of a disk request whose outcome has come, and forgets the request.
    pub(super) fn finish(&mut self, op: OpId) -> Option<Purpose> {
        self.ops.remove(&op)
    }

    pub(super) const fn new_stage(&mut self) -> StageId {
        self.next_stage += 1;
        StageId(self.next_stage)
    }

    /// Returns whether messages may carry what protocol 1 does not have.
    pub(super) fn speaks_v2(&self) -> bool {
        self.link.dialect().is_some_and(Dialect::speaks_v2)
    }

    /// Reports an error of a session, about one of its files or about all of it.
    pub(super) fn report(
        &mut self,
        sync_id: &SyncId,
        message: &str,
        file: Option<(String, Fault)>,
    ) {
        if let Some(dialect) = self.link.dialect() {
            let report = dialect.error_report(sync_id.clone(), message, file);
            self.transmit(Message::Error(report));
        }
    }
}
