//! The context of all parts of the server.

use std::collections::{BTreeSet, VecDeque};

use super::{
    Event, Output, ServerConfig,
    dirty::{Dirty, Merge},
    findings::Told,
    league::League,
    notices::Waiting,
    peers::Peers,
    route::Router,
    store_index::StoreIndex,
};
use crate::{
    hash::Content,
    league::Record,
    rng::Rng,
    time::Time,
    union::PeerId,
    wire::messages::{ErrorReport, Fault, Message, SyncId},
};

/// State that every part reads and writes, and the outputs of all of them.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) config: ServerConfig,
    rng: Rng,
    pub(super) now: Time,
    /// The id by which protocol 1 names the store, which takes part in every session.
    pub(super) store_id: String,
    pub(super) league: League,
    pub(super) peers: Peers,
    pub(super) store: StoreIndex,
    /// The notices that owners have not heard yet.
    pub(super) notices: Waiting,
    pub(super) findings: Told,
    pub(super) dirty: Dirty,
    outputs: VecDeque<Output>,
}

impl Context {
    pub(super) fn new(config: ServerConfig, seed: u64, now: Time) -> Self {
        let mut rng = Rng::new(seed);
        Self {
            league: League::new(&config),
            config,
            store_id: rng.client_id(),
            rng,
            now,
            peers: Peers::default(),
            store: StoreIndex::default(),
            notices: Waiting::default(),
            findings: Told::default(),
            dirty: Dirty::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Returns the next output.
    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns whether all outputs were polled.
    pub(super) fn is_drained(&self) -> bool {
        self.outputs.is_empty()
    }

    pub(super) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn event(&mut self, mut event: Event) {
        event.limit_texts();
        self.output(Output::Event(event));
    }

    /// Sends a message to a client that understands it, and nothing to one that does not.
    pub(super) fn transmit(&mut self, id: PeerId, message: Message) {
        let peer = self.peers.get(id);
        if peer.is_some_and(|peer| peer.identity.protocol.understands(&message)) {
            self.output(Output::Transmit(id, message));
        }
    }

    /// Has the host write down what happened to the league.
    pub(super) fn record(&mut self, records: Vec<Record>) {
        if !records.is_empty() {
            self.output(Output::Record(records));
        }
    }

    /// Reports an error about a session, or about one of its files.
    pub(super) fn report_error(
        &mut self,
        id: PeerId,
        sync_id: &SyncId,
        message: &str,
        file: Option<(&str, Fault)>,
    ) {
        let report = ErrorReport {
            sync_id: sync_id.clone(),
            message: message.to_owned(),
            rel_path: file.map(|(path, _)| path.to_owned()),
            fault: file.map(|(_, fault)| fault),
        };
        self.transmit(id, Message::Error(report));
    }

    /// Returns a new id for a client.
    pub(super) fn new_client_id(&mut self) -> String {
        self.rng.client_id()
    }

    /// Returns a new id for a session.
    pub(super) fn new_sync_id(&mut self) -> SyncId {
        SyncId::new(&self.rng.uuid()).unwrap_or_default()
    }

    /// Returns the hash of the union as messages carry it: empty while the union is.
    pub(super) fn union_hash_text(&mut self) -> String {
        self.league.union_hash().map(|hash| hash.to_string()).unwrap_or_default()
    }

    /// Returns the router, which decides how each peer gets each file.
    pub(super) const fn router(&self) -> Router<'_> {
        Router {
            config: &self.config,
            league: &self.league,
            peers: &self.peers,
            store: &self.store,
            now: self.now,
        }
    }

    /// Records that the store has all of a content.
    pub(super) fn mark_stored(&mut self, content: Content) {
        // The store counts as one who has it, so the union has to hear of it.
        self.store.mark_stored(content);
        self.dirty.merge(Merge::Soon);
        self.dirty.statuses = true;
    }

    /// Records that the store has nothing of a content any more.
    pub(super) fn remove_content(&mut self, content: Content) {
        // The union never counted an incomplete content, so only the loss of a whole one concerns it.
        if self.store.remove(content) {
            self.dirty.merge(Merge::Soon);
        }
        // Those who miss it need another upload.
        self.dirty.plan = true;
    }

    /// Removes from the store what is beyond the space for later peers and needed by none of those that are connected.
    pub(super) fn make_room(&mut self) {
        self.shrink_to(self.config.store_bytes_max);
    }

    /// Removes blocked contents from the store, unless one is on its way just now.
    pub(super) fn drop_blocked(&mut self) {
        let blocked = self.league.union().blocked();
        let blocked = blocked.filter_map(|hash| self.store.content(hash));
        let idle: Vec<_> = blocked.filter(|content| self.store.is_unused(*content)).collect();
        for content in idle {
            self.output(Output::Remove(content.hash));
            self.remove_content(content);
        }
    }

    /// Makes room in the store for this many more bytes, without taking anything from a peer that needs it. Returns
    /// whether there is room now.
    pub(super) fn find_room(&mut self, bytes: u64) -> bool {
        let rest = self.capacity().saturating_sub(bytes);
        self.shrink_to(rest);
        if !self.is_within(bytes) && self.store.is_idle() {
            // Nothing is under way, so those that need what is here cannot take it now. Without this exception, files
            // that nobody takes would block all others.
            self.delete_surplus(rest, |_, _| false);
        }
        // A single file may be larger than the whole store.
        self.store.bytes() == 0 || self.is_within(bytes)
    }

    /// Returns whether the store is within its bounds with this many more bytes.
    pub(super) fn is_within(&self, bytes: u64) -> bool {
        self.store.bytes().saturating_add(bytes) <= self.capacity()
    }

    fn capacity(&self) -> u64 {
        // A store that keeps nothing for later drivers still needs space for what it passes on.
        self.config.store_bytes_max.max(self.config.spool_bytes_max)
    }

    fn shrink_to(&mut self, bytes: u64) {
        if self.store.bytes() > bytes {
            self.delete_surplus(bytes, |router, content| router.is_needed(content));
        }
    }

    fn delete_surplus(&mut self, bytes: u64, needed: impl Fn(&Router<'_>, Content) -> bool) {
        let router = self.router();
        // A content that no name has at present is needed only for a restore.
        let union = self.league.union();
        let held: BTreeSet<_> = union.held_files().map(|(_, content)| content).collect();
        let is_current =
            |content| union.with_content(content).next().is_some() || held.contains(&content);
        let surplus = self.store.surplus(bytes, is_current, |content| needed(&router, content));
        for content in surplus {
            self.output(Output::Remove(content.hash));
            self.remove_content(content);
        }
    }
}
