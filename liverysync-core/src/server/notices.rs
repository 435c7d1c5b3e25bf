//! Notices: the owners of liveries learn what others did to these.
//!
//! An owner who is away is told when they next take part. What waits for them is bounded, and a server that stops forgets
//! it: the history and the conflict copies still show it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::context::Context;
use crate::{
    conflict::is_conflict_name,
    league::{Act, Cause, MemberId, Record},
    path::{PathKey, fold},
    union::{Outcome, OwnerChange, PeerId},
    wire::messages::{Message, Notices, OwnerNews, OwnerNotice},
};

/// Most notices that wait for one member. The oldest are forgotten first.
const WAITING_MAX: usize = 50;

/// The notices that wait, by member.
#[derive(Debug, Default)]
pub(super) struct Waiting(BTreeMap<MemberId, VecDeque<OwnerNotice>>);

impl Waiting {
    fn push(&mut self, member: MemberId, notice: OwnerNotice) {
        let waiting = self.0.entry(member).or_default();
        // An owner who was away for a day need not hear of each time that a picture was saved.
        if !waiting.contains(&notice) {
            waiting.push_back(notice);
            let surplus = waiting.len().saturating_sub(WAITING_MAX);
            waiting.drain(..surplus);
        }
    }
}

/// Notes what a step of the union did to liveries of which others are the owners.
pub(super) fn note(cx: &mut Context, outcome: &Outcome) {
    let conflicts: BTreeMap<_, _> =
        outcome.conflicts.iter().map(|(peer, path, name)| (name.key(), (*peer, path))).collect();
    let mut noted = BTreeSet::new();
    for record in &outcome.records {
        let Record::Placed { entry, author, cause, .. } = record else { continue };
        let told = match cause {
            Cause::Conflict => conflicts
                .get(entry.path.key())
                .map(|(peer, path)| (OwnerNews::Conflict, path.livery(), Some(*peer))),
            Cause::Published | Cause::Updated | Cause::Reverted => {
                let is_copy = is_conflict_name(&entry.path, &cx.config.settings.naming);
                let livery = entry.path.livery();
                (!is_copy).then(|| (OwnerNews::Changed, livery, holder(cx, entry.path.key())))
            }
            _ => None,
        };
        if let Some((news, livery, peer)) = told {
            noted.insert((fold(livery), news, *author, peer, livery));
        }
    }
    for (key, news, author, peer, livery) in noted {
        let owners = cx.league.union().owners(&key);
        let owners: Vec<_> = owners.into_iter().flatten().copied().collect();
        if author.is_some_and(|author| owners.contains(&author)) {
            continue;
        }
        let known = author.and_then(|author| cx.league.name(author)).map(str::to_owned);
        let by = known.or_else(|| cx.peers.name(peer?));
        for owner in owners {
            let notice = OwnerNotice { livery: livery.to_owned(), news, by: by.clone() };
            cx.notices.push(owner, notice);
        }
    }
    for OwnerChange { livery, owner, former, by, .. } in &outcome.owner_changes {
        // Whoever edited a livery is named as its owner, and by nobody else.
        let by = Some(by).filter(|by| Some(**by) != *owner).and_then(|by| cx.league.name(*by));
        let by = by.map(str::to_owned);
        let told = owner.iter().map(|owner| (owner, OwnerNews::Owned));
        let told = told.chain(former.iter().map(|former| (former, OwnerNews::Disowned)));
        for (member, news) in told {
            cx.notices.push(*member, OwnerNotice { livery: livery.clone(), news, by: by.clone() });
        }
    }
}

/// Returns a peer that has the content of a name.
fn holder(cx: &Context, key: &PathKey) -> Option<PeerId> {
    let (peer, _) = cx.league.union().get(key)?.holders().next()?;
    Some(peer)
}

/// Notes that an admin has given a livery to a member.
pub(super) fn note_act(cx: &mut Context, act: &Act) {
    if let Act::Own { livery, member } = act {
        let notice = OwnerNotice { livery: livery.clone(), news: OwnerNews::Owned, by: None };
        let member = cx.league.present(*member);
        cx.notices.push(member, notice);
    }
}

/// Tells the members who take part what waits for them.
pub(super) fn tell(cx: &mut Context) {
    if cx.notices.0.is_empty() {
        return;
    }
    // A client that only looks, or only acts, has nobody who reads it.
    let present = cx.peers.iter().filter(|(_, peer)| peer.report.merged);
    let present = present.filter_map(|(id, peer)| Some((id, peer.identity.member?)));
    let present: Vec<_> = present.filter(|(_, member)| cx.notices.0.contains_key(member)).collect();
    for (id, member) in &present {
        let notices = cx.notices.0.get(member).into_iter().flatten().cloned().collect();
        cx.transmit(*id, Message::Notices(Notices { notices }));
    }
    for (_, member) in present {
        cx.notices.0.remove(&member);
    }
}
