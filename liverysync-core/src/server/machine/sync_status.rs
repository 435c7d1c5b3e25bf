//! How each client stands to the union.

use super::*;
use crate::{
    conflict::{Scope, is_conflict_name},
    league::Conflict,
    server::{Missing, PeerStatus, Status},
    wire::messages::{NameConflict, OwnedFile, Remarks, RetiredName},
};

/// How a client gets a file that it lacks.
enum Lack {
    /// It copies what it has under another name, or the store has it.
    Here,
    /// Others send it. One of those who hold it is answerable, so that not all wait and not all leave.
    From(PeerId),
    /// It does not.
    Withheld(Withheld),
}

impl ServerMachine {
    pub(super) fn sync_status_soon(&mut self) {
        let lacking: usize = self.peers.values().map(|peer| peer.lacking.len()).sum();
        let unanswered =
            |peer: &Peer| peer.speaks_v2() && peer.merged && peer.sync_status.is_none();
        let interval = if lacking > LACKING_MANY {
            SLOW_INTERVAL
        } else if self.peers.values().any(unanswered) {
            Duration::ZERO
        } else {
            SYNC_STATUS_INTERVAL
        };
        let earliest = self.sync_statuses_sent + interval;
        let at = earliest.max(self.now);
        self.sync_status_at = Some(self.sync_status_at.map_or(at, |planned| planned.min(at)));
    }

    /// A client that has said something new of itself waits for an answer, even if it is the same.
    pub(super) fn invalidate_status(&mut self, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.sync_status = None;
            self.sync_status_soon();
        }
    }

    /// Tells clients of ours how they stand, and people when the league is in sync.
    pub(super) fn tell_sync_statuses(&mut self) {
        self.sync_statuses_sent = self.now;
        let mut needed_by_others = self.wanted_for_the_archive();
        let archived = needed_by_others.is_empty();
        let mut sync_statuses = Vec::new();
        let mut missing_in_all = 0;
        for (id, peer) in &self.peers {
            if !peer.merged || self.pending.contains_key(id) {
                continue;
            }
            let (mut missing, mut missing_bytes, mut withheld) = (0, 0, 0);
            for (entry, lack) in self.lacks(*id, peer) {
                match lack {
                    Lack::Withheld(_) => withheld += 1,
                    Lack::Here | Lack::From(_) => {
                        missing += 1;
                        missing_bytes += entry.content.size;
                    }
                }
                if let Lack::From(source) = lack {
                    *needed_by_others.entry(source).or_default() += 1;
                }
            }
            missing_in_all += missing;
            let revision = peer.revision;
            let sync_status =
                SyncStatus { revision, missing, missing_bytes, needed_by_others: 0, withheld };
            sync_statuses.push((*id, sync_status, self.outdated(*id, peer)));
        }
        let union_hash = self.current_union_hash();
        let clients = sync_statuses.len();
        for (id, mut sync_status, outdated) in sync_statuses {
            sync_status.needed_by_others = needed_by_others.get(&id).copied().unwrap_or_default();
            self.tell_sync_status(id, sync_status, outdated);
        }
        let in_sync = missing_in_all == 0 && archived && self.is_idle();
        if let (true, false, Some(union_hash)) = (in_sync, self.was_in_sync, union_hash) {
            let (liveries, files) = (self.union.livery_count(), self.union.len());
            self.event(Event::InSync { clients, liveries, files, union_hash });
        }
        self.was_in_sync = in_sync;
    }

    /// The paths at which a client of ours holds something else than the union, as it spells them.
    fn outdated(&self, id: PeerId, peer: &Peer) -> Vec<String> {
        let Some(manifest) = peer.manifest.as_ref().filter(|_| peer.speaks_v2()) else {
            return Vec::new();
        };
        let refused = self.union.refused(id).filter(|key| !peer.lacking.contains(*key));
        let own = peer.lacking.iter().chain(refused).filter_map(|key| manifest.get(key));
        own.map(|own| own.path.as_str().to_owned()).collect()
    }

    /// How many files the store is still to get from whom, where it is to have all of the union: those that are
    /// asked for, and those that are to be as soon as their source is free.
    fn wanted_for_the_archive(&self) -> HashMap<PeerId, u64> {
        let mut needed_by_others: HashMap<_, u64> = HashMap::new();
        if !self.config.archive {
            return needed_by_others;
        }
        for upload in self.uploads.values() {
            let asked = upload.files.iter().filter(|file| file.asked).count();
            *needed_by_others.entry(upload.source).or_default() += asked as u64;
        }
        let planned = self.plan.iter().flatten();
        for (source, keys) in
            planned.flat_map(|(source, plan)| plan.iter().map(move |k| (source, k)))
        {
            let entries = keys.iter().filter_map(|key| self.union.get(key));
            let fits = entries.filter(|entry| self.is_within(entry.content.size)).count();
            *needed_by_others.entry(*source).or_default() += fits as u64;
        }
        needed_by_others.retain(|_, files| *files > 0);
        needed_by_others
    }

    /// Tells a client of ours how it stands, if that is news.
    pub(super) fn tell_sync_status(
        &mut self,
        id: PeerId,
        sync_status: SyncStatus,
        outdated: Vec<String>,
    ) {
        let current_hash = self.current_union_hash().map(|hash| hash.to_string());
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.speaks_v2()) else {
            return;
        };
        if peer.sync_status.replace(sync_status) != Some(sync_status) {
            let current_hash = current_hash.unwrap_or_default();
            let state = ServerState { current_hash, sync_status: Some(sync_status), outdated };
            self.outputs.push_back(Output::to(id, Message::ServerState(state)));
        }
    }

    /// Whether everybody had all that he can get when that was last looked at, and nothing has come since.
    pub(super) fn is_in_sync(&self) -> bool {
        self.was_in_sync && self.is_idle()
    }

    fn is_idle(&self) -> bool {
        self.sessions_open() == 0 && self.pending.is_empty()
    }

    /// What a client lacks of the union, ordered by key.
    fn lacks<'a>(
        &'a self,
        id: PeerId,
        peer: &'a Peer,
    ) -> impl Iterator<Item = (&'a UnionEntry, Lack)> {
        let entries = peer.lacking.iter().filter_map(|key| self.union.get(key));
        entries.map(move |entry| {
            let own_copy = peer.speaks_v2() && self.has_content(id, entry.content);
            let source = self.willing(entry.content).filter(|holder| *holder != id).min();
            let lack = match (self.withheld(id, peer, entry), source) {
                (Some(reason), _) => Lack::Withheld(reason),
                _ if self.waits_forever(id, peer, entry) => Lack::Withheld(Withheld::OnlyCopy),
                _ if own_copy || self.store.is_stored(entry.content) => Lack::Here,
                (None, Some(source)) => Lack::From(source),
                (None, None) => Lack::Withheld(Withheld::NoSource),
            };
            (entry, lack)
        })
    }

    /// What somebody who only looks may want to know beside the files of the union.
    pub(super) fn remarks(&self) -> Remarks {
        let allowed = |path: &RelPath| self.is_allowed(path.key());
        let out_of_reach = |entry: &&UnionEntry| {
            let sources = self.willing(entry.content).next();
            sources.is_none() && !self.store.is_stored(entry.content)
        };
        let authored = |path: &RelPath| OwnedFile {
            rel_path: path.as_str().to_owned(),
            member: self.union.author(path.key()).map(|author| author.to_string()),
        };
        // Nobody brought a file to a name that only rivals claim.
        let claimed = |conflict: &Conflict| match conflict.established {
            Some(_) => authored(&conflict.path),
            None => OwnedFile {
                rel_path: conflict.path.as_str().to_owned(),
                member: self.union.owner(conflict.path.livery()).map(|owner| owner.to_string()),
            },
        };
        let distributed = self.union.iter().filter(|entry| allowed(&entry.path));
        let unavailable = distributed.filter(out_of_reach);
        let conflicts = self.union.conflicts().into_iter();
        let conflicts = conflicts.filter(|conflict| allowed(&conflict.path));
        // Conflict copies of what is allowed are, too; their suffix is this server's own.
        let names = self.allowed.as_ref().map(|names| {
            let liveries = self.union.iter().map(|entry| &entry.path).filter(|path| allowed(path));
            let liveries = liveries.map(|path| path.key().livery().to_owned());
            liveries.chain(names.iter().cloned()).collect::<BTreeSet<_>>().into_iter().collect()
        });
        let retired = self.union.retired().map(|(path, contents)| RetiredName {
            rel_path: path.as_str().to_owned(),
            contents: contents.iter().map(|content| content.hash.short()).collect(),
        });
        Remarks {
            allowed: names,
            retired: retired.collect(),
            whole_liveries: self.config.naming.scope == Scope::Livery,
            unavailable: unavailable.map(|entry| entry.path.as_str().to_owned()).collect(),
            conflicts: conflicts
                .map(|conflict| NameConflict {
                    established: claimed(&conflict),
                    copies: conflict.rivals.iter().map(|(path, _)| authored(path)).collect(),
                })
                .collect(),
        }
    }

    /// How the league stands.
    pub fn status(&mut self) -> Status {
        let union_hash = self.current_union_hash();
        let greeted = self.peers.iter().filter(|(_, peer)| peer.greeted);
        let naming = &self.config.naming;
        let paths = self.union.iter().map(|entry| &entry.path);
        let rivals = paths.filter(|path| is_conflict_name(path, naming));
        Status {
            files: self.union.len(),
            bytes: self.union.iter().map(|entry| entry.content.size).sum(),
            union_hash,
            conflicts: rivals.cloned().collect(),
            sessions: self.sessions_open(),
            peers: greeted.map(|(id, peer)| self.status_of(*id, peer)).collect(),
        }
    }

    fn status_of(&self, id: PeerId, peer: &Peer) -> PeerStatus {
        let missing = self.lacks(id, peer).map(|(entry, lack)| Missing {
            path: entry.path.clone(),
            bytes: entry.content.size,
            withheld: if let Lack::Withheld(reason) = lack { Some(reason) } else { None },
        });
        let manifest = peer.manifest.as_ref();
        PeerStatus {
            peer: id,
            name: peer.name.clone(),
            address: peer.address.clone(),
            protocol: peer.protocol,
            files: manifest.map(Manifest::len),
            bytes: manifest.map(Manifest::total_bytes),
            missing: missing.collect(),
        }
    }
}
