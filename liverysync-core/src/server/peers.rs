//! The clients that are connected.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, btree_map},
};

use super::{
    Event, Protocol, ServerConfig,
    context::Context,
    peer::{Identity, Peer, ToldStatus},
    protocol_1::Duty,
};
use crate::{
    league::{Lint, MemberId, Record},
    lint::LintRules,
    text::limit_name,
    time::Time,
    union::PeerId,
    wire::messages::{
        BUILD, ErrorReport, Fault, Hello, LeagueNaming, Message, PROTOCOL_2, RequestManifest,
        ServerState, SyncId, Welcome,
    },
};

/// The reason for which the host learns that a banned member's connection is closed.
pub(super) const BANNED: &str = "the league has banned its driver";

/// An action about a peer that time alone makes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Close its link, for this reason.
    Close(&'static str),
    /// Ask for its manifest again.
    Poll,
}

/// A HELLO of a client that [negotiates](Protocol::negotiates).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    First,
    Again,
}

/// The clients that are connected, by number.
#[derive(Debug, Default)]
pub(super) struct Peers(BTreeMap<PeerId, Peer>);

impl Peers {
    pub(super) fn get(&self, id: PeerId) -> Option<&Peer> {
        self.0.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.0.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: PeerId) -> Option<Peer> {
        self.0.remove(&id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        self.0.iter().map(|(id, peer)| (*id, peer))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (PeerId, &mut Peer)> {
        self.0.iter_mut().map(|(id, peer)| (*id, peer))
    }

    pub(super) fn values(&self) -> btree_map::Values<'_, PeerId, Peer> {
        self.0.values()
    }

    /// Returns the numbers of all, so that the peers can change meanwhile.
    pub(super) fn ids(&self) -> Vec<PeerId> {
        self.0.keys().copied().collect()
    }

    pub(super) fn name(&self, id: PeerId) -> Option<String> {
        self.get(id).map(|peer| peer.identity.name.clone())
    }

    /// Returns the actions that are due.
    pub(super) fn due(&self, now: Time, config: &ServerConfig) -> Vec<(PeerId, Due)> {
        let due = |peer: &Peer| {
            let accepted_at = peer.liveness.accepted_at;
            if !peer.liveness.greeted && now.since(accepted_at) >= config.timeouts.hello {
                return Some(Due::Close("it did not send HELLO in time"));
            }
            match peer.identity.protocol.duty(peer, now, config) {
                Duty::Close => Some(Due::Close("it stopped responding")),
                Duty::Poll => Some(Due::Poll),
                Duty::Nothing => None,
            }
        };
        self.iter().filter_map(|(id, peer)| Some((id, due(peer)?))).collect()
    }

    /// Returns the uploads that were ended while a Python client was still sending, and that it has had time to finish.
    pub(super) fn drained(&self, now: Time) -> Vec<(PeerId, SyncId)> {
        let drained = self.iter().filter_map(|(id, peer)| {
            let (sync_id, until) = peer.sessions.draining.as_ref()?;
            (*until <= now).then(|| (id, sync_id.clone()))
        });
        drained.collect()
    }
}

/// Welcomes a client that has connected.
pub(super) fn accept(cx: &mut Context, id: PeerId, address: String) {
    debug_assert!(cx.peers.0.keys().all(|known| *known < id), "peer numbers must grow");
    let client_id = cx.new_client_id();
    let welcome =
        Welcome { client_id: client_id.clone(), liverysync: Some(PROTOCOL_2), build: Some(BUILD) };
    cx.peers.0.insert(id, Peer::new(id, client_id, address, cx.now));
    cx.transmit(id, Message::Welcome(welcome));
}

/// Handles HELLO. Returns `None` for a Python client, which sends its manifest by itself.
pub(super) fn hello(
    cx: &mut Context,
    id: PeerId,
    hello: Hello,
    first_time: bool,
) -> Option<Greeting> {
    let peer = cx.peers.get_mut(id)?;
    let name = limit_name(&hello.client_name);
    // Without a name of its own, a client goes by its id, so that events can tell clients apart.
    if !name.trim().is_empty() {
        peer.identity.name = name.to_owned();
    }
    // A Python client that greets again stays the one that its manifest has shown it to be.
    let protocol = Protocol::of(&hello).unwrap_or(peer.identity.protocol);
    let negotiates = protocol.negotiates();
    peer.identity.protocol = protocol;
    if negotiates && peer.status == ToldStatus::Untold {
        peer.status = ToldStatus::Awaited;
    }
    let has_former = !hello.former_keys.is_empty();
    // A connection is one member to its end: the union has taken in its files as theirs, and merging members costs as
    // much as the league has, however short the HELLO is.
    if first_time {
        peer.identity.only = hello.only.filter(|_| negotiates);
        let key = hello.member_key.and_then(|key| key.parse().ok());
        let member = key.as_ref().map(MemberId::of);
        peer.identity.member = member.map(|member| cx.league.present(member));
        let former = hello.former_keys.iter().take(Hello::FORMER_KEYS_MAX);
        let former = former.filter_map(|key| key.parse().ok());
        peer.identity.former = former.map(|key| MemberId::of(&key)).collect();
    }
    let (name, address) = (peer.identity.name.clone(), peer.identity.address.clone());
    if let Some(member) = peer.identity.member {
        cx.league.handle_seen(member, &name);
        cx.record(vec![Record::Seen { member, name: name.clone() }]);
    }
    let former_keys_known = merge_former(cx, id) && has_former;
    // While the union is empty, a client gets its own hash back: it has everything.
    let current_hash = match cx.league.union_hash() {
        Some(hash) => hash.to_string(),
        None => hello.manifest_hash,
    };
    let naming = negotiates.then(|| Box::new(LeagueNaming::from(&cx.config.settings.naming)));
    let lint_rules = if negotiates { lint_rules(cx) } else { None };
    let state = ServerState {
        current_hash,
        naming,
        lint_rules,
        former_keys_known,
        ..ServerState::default()
    };
    cx.transmit(id, Message::ServerState(state));
    if first_time {
        cx.event(Event::Joined { peer: id, name, address, protocol });
    }
    negotiates.then_some(if first_time { Greeting::First } else { Greeting::Again })
}

/// Returns why a client cannot join, if it speaks protocol 2 and its build differs. Tells it and the server's host.
pub(super) fn refuse_other_build(
    cx: &mut Context,
    id: PeerId,
    hello: &Hello,
    first_time: bool,
) -> Option<&'static str> {
    let protocol = Protocol::of(hello)?;
    let build = hello.build.unwrap_or_default();
    let reason = match build.cmp(&BUILD) {
        Ordering::Equal => return None,
        Ordering::Greater => "it has a newer build of liverysync; update liverysync on the server",
        Ordering::Less => "it has an older build of liverysync; its driver has to update it",
    };
    let peer = cx.peers.get_mut(id)?;
    limit_name(&hello.client_name).clone_into(&mut peer.identity.name);
    peer.identity.protocol = protocol;
    let (name, address) = (peer.identity.name.clone(), peer.identity.address.clone());
    let message = "this PC and the server have different builds of liverysync; update liverysync";
    cx.transmit(
        id,
        Message::Error(ErrorReport { message: message.to_owned(), ..ErrorReport::default() }),
    );
    if first_time {
        cx.event(Event::Joined { peer: id, name, address, protocol });
    }
    Some(reason)
}

/// Returns why a client cannot join, if its member or one that it was before is banned. Tells it and the server's host.
pub(super) fn refuse_banned(cx: &mut Context, id: PeerId, hello: &Hello) -> Option<&'static str> {
    let keys = hello.member_key.iter().chain(hello.former_keys.iter().take(Hello::FORMER_KEYS_MAX));
    let mut members = keys.filter_map(|key| key.parse().ok()).map(|key| MemberId::of(&key));
    if !members.any(|member| cx.league.union().is_banned(member)) {
        return None;
    }
    let peer = cx.peers.get_mut(id)?;
    limit_name(&hello.client_name).clone_into(&mut peer.identity.name);
    peer.identity.protocol = Protocol::of(hello).unwrap_or(peer.identity.protocol);
    let Identity { name, address, protocol, .. } = &peer.identity;
    let (name, address, protocol) = (name.clone(), address.clone(), *protocol);
    tell_banned(cx, id);
    cx.event(Event::Joined { peer: id, name, address, protocol });
    Some(BANNED)
}

/// Tells a client that its member is banned.
fn tell_banned(cx: &mut Context, id: PeerId) {
    let message = "the league has banned you; ask its admin".to_owned();
    let fault = Some(Fault::Banned);
    cx.transmit(id, Message::Error(ErrorReport { message, fault, ..ErrorReport::default() }));
}

/// Tells the clients of banned members, and returns them.
pub(super) fn tell_all_banned(cx: &mut Context) -> Vec<PeerId> {
    let union = cx.league.union();
    let banned = cx.peers.iter().filter(|(_, peer)| {
        let mut members = peer.identity.member.iter().chain(&peer.identity.former);
        members.any(|member| union.is_banned(*member))
    });
    let banned: Vec<_> = banned.map(|(id, _)| id).collect();
    banned.iter().for_each(|id| tell_banned(cx, *id));
    banned
}

/// Merges the members that a client's driver was before into the one that they are now. Returns false if that has to wait:
/// while two of them are connected at once, they may be two drivers who share a PC.
///
/// This has to come before the client's files are merged, or its own liveries would be somebody else's.
fn merge_former(cx: &mut Context, id: PeerId) -> bool {
    let Some(peer) = cx.peers.get_mut(id) else { return true };
    let Some(member) = peer.identity.member else { return true };
    let former = cx.league.others(std::mem::take(&mut peer.identity.former), member);
    let is_former = |peer: &Peer| peer.identity.member.is_some_and(|one| former.contains(&one));
    if cx.peers.values().any(is_former) {
        if let Some(peer) = cx.peers.get_mut(id) {
            peer.identity.former = former;
        }
        return false;
    }
    let records = cx.league.merge_members(&former, member);
    cx.record(records);
    true
}

/// Merges the members of clients that had to wait for one that has left, and tells the clients.
pub(super) fn merge_waiting(cx: &mut Context) {
    let waiting = cx.peers.iter().filter(|(_, peer)| !peer.identity.former.is_empty());
    for id in waiting.map(|(id, _)| id).collect::<Vec<_>>() {
        if merge_former(cx, id) {
            let current_hash = cx.union_hash_text();
            let former_keys_known = true;
            let state = ServerState { current_hash, former_keys_known, ..ServerState::default() };
            cx.transmit(id, Message::ServerState(state));
        }
    }
}

/// Has the clients of a member who was merged count as the member that they are now.
pub(super) fn follow_merge(cx: &mut Context) {
    let league = &cx.league;
    for (_, peer) in cx.peers.iter_mut() {
        peer.identity.member = peer.identity.member.map(|member| league.present(member));
    }
}

/// Returns the rules by which the league judges liveries, if it does.
fn lint_rules(cx: &Context) -> Option<Box<LintRules>> {
    let settings = &cx.config.settings;
    (settings.lint != Lint::Off).then(|| Box::new(settings.lint_rules.clone()))
}

/// Tells all clients that understand it how conflict copies are named and liveries are judged from now on.
pub(super) fn tell_rules(cx: &mut Context) {
    let naming = Some(Box::new(LeagueNaming::from(&cx.config.settings.naming)));
    let (current_hash, lint_rules) = (cx.union_hash_text(), lint_rules(cx));
    let state = ServerState { current_hash, naming, lint_rules, ..ServerState::default() };
    let greeted = cx.peers.iter().filter(|(_, peer)| peer.liveness.greeted);
    for id in greeted.map(|(id, _)| id).collect::<Vec<_>>() {
        cx.transmit(id, Message::ServerState(state.clone()));
    }
}

/// Asks a client for a manifest that the server does not know.
pub(super) fn request_manifest(cx: &mut Context, id: PeerId) {
    let now = cx.now;
    let Some(peer) = cx.peers.get_mut(id) else { return };
    peer.report.requested_at.get_or_insert(now);
    cx.transmit(id, Message::RequestManifest(RequestManifest::default()));
}

/// Asks a client whether its manifest has changed.
pub(super) fn poll_manifest(cx: &mut Context, id: PeerId) {
    let now = cx.now;
    let Some(peer) = cx.peers.get_mut(id) else { return };
    // The first question without an answer counts: from then on the client is silent.
    peer.report.polled_at.get_or_insert(now);
    cx.transmit(id, Message::RequestManifest(RequestManifest::default()));
}
