//! Overviews for those who only look: the host, and clients that do not sync.

use std::collections::BTreeSet;

use super::{
    Missing, PeerStatus, Status, context::Context, league::union_file, peer::Peer, route::Outlook,
};
use crate::{
    conflict::is_conflict_name,
    league::MemberId,
    manifest::Manifest,
    path::RelPath,
    union::{PeerId, UnionEntry},
    wire::messages::{
        DamagedFile, HeldNotice, HeldRemark, ManifestFull, Message, NameConflict, OwnedFile,
        Remarks, RetiredName, Role,
    },
};

/// Most held liveries, and most damaged files, that a client that only looks is told.
const TOLD_MAX: usize = 1000;

/// Returns the status of the league.
pub(super) fn status(cx: &mut Context, sessions: usize) -> Status {
    let union_hash = cx.league.union_hash();
    let union = cx.league.union();
    let greeted = cx.peers.values().filter(|peer| peer.liveness.greeted);
    let naming = &cx.config.settings.naming;
    let paths = union.iter().map(|entry| &entry.path);
    let conflicts = paths.filter(|path| is_conflict_name(path, naming));
    Status {
        files: union.len(),
        bytes: union.iter().map(|entry| entry.content.size).sum(),
        union_hash,
        conflicts: conflicts.cloned().collect(),
        sessions,
        peers: greeted.map(|peer| peer_status(cx, peer)).collect(),
    }
}

fn peer_status(cx: &Context, peer: &Peer) -> PeerStatus {
    let downloads = peer.identity.only != Some(Role::Source);
    let missing = cx.router().missing(peer).filter(|_| downloads).map(|(entry, outlook)| Missing {
        path: entry.path.clone(),
        bytes: entry.content.size,
        withheld: if let Outlook::Withheld(reason) = outlook { Some(reason) } else { None },
    });
    let manifest = peer.report.manifest.as_ref();
    PeerStatus {
        peer: peer.id,
        name: peer.identity.name.clone(),
        address: peer.identity.address.clone(),
        protocol: peer.identity.protocol,
        only: peer.identity.only,
        files: manifest.map(Manifest::len),
        bytes: manifest.map(Manifest::total_bytes),
        missing: missing.collect(),
    }
}

/// Sends the union to a client that only looks.
pub(super) fn tell_union(cx: &mut Context, id: PeerId) {
    let entries = cx.league.union().iter();
    let allowed = entries.filter(|entry| cx.league.allows(entry.path.key()));
    let manifest = allowed.map(union_file).collect();
    let remarks = Some(remarks(cx));
    let full = ManifestFull { manifest, remarks, ..ManifestFull::default() };
    cx.transmit(id, Message::ManifestFull(full));
}

/// Returns remarks on the files of the union for a client that only looks.
fn remarks(cx: &Context) -> Remarks {
    let (league, union, router) = (&cx.league, cx.league.union(), cx.router());
    let allowed = |path: &RelPath| league.allows(path.key());
    let out_of_reach = |entry: &&UnionEntry| {
        let has_source = router.willing(entry.content).next().is_some();
        !has_source && !cx.store.is_stored(entry.content)
    };
    let owned = |path: &RelPath, member: Option<MemberId>| OwnedFile {
        rel_path: path.as_str().to_owned(),
        member: member.map(|member| member.to_string()),
        name: member.and_then(|member| league.name(member)).map(str::to_owned),
    };
    let distributed = union.iter().filter(|entry| allowed(&entry.path));
    let unavailable = distributed.filter(out_of_reach);
    let conflicts = union.conflicts().into_iter();
    let conflicts = conflicts.filter(|conflict| allowed(&conflict.path));
    // The conflict copies of an allowed livery are allowed, too. The client gets
    // their names, so that it need not tell them from others.
    let names = league.allow_list.names().map(|names| {
        let liveries = union.iter().map(|entry| &entry.path).filter(|path| allowed(path));
        let liveries = liveries.map(|path| path.key().livery().to_owned());
        liveries.chain(names.cloned()).collect::<BTreeSet<_>>().into_iter().collect()
    });
    let retired = union.retired().map(|(path, contents)| RetiredName {
        rel_path: path.as_str().to_owned(),
        // That many digits tell whether a PC has one of them, and keep the list of all retired names short.
        contents: contents.iter().map(|content| content.hash.short()).collect(),
    });
    let held = union.held().take(TOLD_MAX).map(|held| HeldRemark {
        notice: HeldNotice::new(&held.livery, union.hold_cause(held)),
        member: held.member.map(|member| member.to_string()),
        name: held.member.and_then(|member| league.name(member)).map(str::to_owned),
        since: league.held_since(held).map(|since| since.to_string()),
    });
    let damaged = union.damaged().filter(|(entry, _)| allowed(&entry.path)).take(TOLD_MAX);
    let damaged = damaged.map(|(entry, damage)| DamagedFile {
        rel_path: entry.path.as_str().to_owned(),
        damage: damage.word().to_owned(),
    });
    Remarks {
        damaged: damaged.collect(),
        held: held.collect(),
        allowed: names,
        retired: retired.collect(),
        unavailable: unavailable.map(|entry| entry.path.as_str().to_owned()).collect(),
        conflicts: conflicts
            .map(|conflict| NameConflict {
                established: owned(&conflict.path, union.keeper(&conflict.path)),
                copies: conflict
                    .copies
                    .iter()
                    .map(|(path, _)| owned(path, union.author(path.key())))
                    .collect(),
            })
            .collect(),
    }
}
