//! How each client stands to the union.

use super::*;
use crate::{
    conflict::{Scope, is_conflict_name},
    league::Conflict,
    server::{MemberStatus, Missing, Status},
    wire::v1::{Authored, Claimed, Remarks, Retired},
};

/// How a client gets a file that it lacks.
enum Lack {
    /// It copies what it has under another name, or the store has it.
    Here,
    /// Others send it. One of those who hold it is answerable, so that not all wait and not all leave.
    From(MemberId),
    /// It does not.
    Withheld(Withheld),
}

impl ServerMachine {
    pub(super) fn standing_soon(&mut self) {
        let lacking: usize = self.members.values().map(|member| member.lacking.len()).sum();
        let unanswered =
            |member: &Member| member.is_ours() && member.merged && member.standing.is_none();
        let interval = if lacking > LACKING_MANY {
            SLOW_INTERVAL
        } else if self.members.values().any(unanswered) {
            Duration::ZERO
        } else {
            STANDING_INTERVAL
        };
        let earliest = self.standings_sent + interval;
        let at = earliest.max(self.now);
        self.standing_at = Some(self.standing_at.map_or(at, |planned| planned.min(at)));
    }

    /// A client that has said something new of itself waits for an answer, even if it is the same.
    pub(super) fn stand_anew(&mut self, id: MemberId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.standing = None;
            self.standing_soon();
        }
    }

    /// Tells clients of ours how they stand, and people when the league is in step.
    pub(super) fn tell_standings(&mut self) {
        self.standings_sent = self.now;
        let mut wanted = self.wanted_for_the_archive();
        let archived = wanted.is_empty();
        let mut standings = Vec::new();
        let mut missing_in_all = 0;
        for (id, member) in &self.members {
            if !member.merged || self.pending.contains_key(id) {
                continue;
            }
            let (mut missing, mut missing_bytes, mut withheld) = (0, 0, 0);
            for (entry, lack) in self.lacks(*id, member) {
                match lack {
                    Lack::Withheld(_) => withheld += 1,
                    Lack::Here | Lack::From(_) => {
                        missing += 1;
                        missing_bytes += entry.content.size;
                    }
                }
                if let Lack::From(source) = lack {
                    *wanted.entry(source).or_default() += 1;
                }
            }
            missing_in_all += missing;
            let revision = member.revision;
            let standing = Standing { revision, missing, missing_bytes, wanted: 0, withheld };
            standings.push((*id, standing, self.behind(*id, member)));
        }
        let union_hash = self.current_union_hash();
        let clients = standings.len();
        for (id, mut standing, behind) in standings {
            standing.wanted = wanted.get(&id).copied().unwrap_or_default();
            self.tell_standing(id, standing, behind);
        }
        let in_step = missing_in_all == 0 && archived && self.is_idle();
        if let (true, false, Some(union_hash)) = (in_step, self.was_in_step, union_hash) {
            let files = self.union.len();
            self.event(Event::InStep { clients, files, union_hash });
        }
        self.was_in_step = in_step;
    }

    /// The paths at which a client of ours holds something else than the union, as it spells them.
    fn behind(&self, id: MemberId, member: &Member) -> Vec<String> {
        let Some(manifest) = member.manifest.as_ref().filter(|_| member.is_ours()) else {
            return Vec::new();
        };
        let refused = self.union.refused(id).filter(|key| !member.lacking.contains(*key));
        let own = member.lacking.iter().chain(refused).filter_map(|key| manifest.get(key));
        own.map(|own| own.path.as_str().to_owned()).collect()
    }

    /// How many files the store is still to get from whom, where it is to have all of the union: those that are
    /// asked for, and those that are to be as soon as their source is free.
    fn wanted_for_the_archive(&self) -> HashMap<MemberId, u64> {
        let mut wanted: HashMap<_, u64> = HashMap::new();
        if !self.config.archive {
            return wanted;
        }
        for upload in self.uploads.values() {
            let asked = upload.files.iter().filter(|file| file.asked).count();
            *wanted.entry(upload.source).or_default() += asked as u64;
        }
        let planned = self.plan.iter().flatten();
        for (source, keys) in
            planned.flat_map(|(source, plan)| plan.iter().map(move |k| (source, k)))
        {
            let entries = keys.iter().filter_map(|key| self.union.get(key));
            let fits = entries.filter(|entry| self.is_within(entry.content.size)).count();
            *wanted.entry(*source).or_default() += fits as u64;
        }
        wanted.retain(|_, files| *files > 0);
        wanted
    }

    /// Tells a client of ours how it stands, if that is news.
    pub(super) fn tell_standing(&mut self, id: MemberId, standing: Standing, behind: Vec<String>) {
        let current_hash = self.current_union_hash().map(|hash| hash.to_string());
        let Some(member) = self.members.get_mut(&id).filter(|member| member.is_ours()) else {
            return;
        };
        if member.standing.replace(standing) != Some(standing) {
            let current_hash = current_hash.unwrap_or_default();
            let state = ServerState { current_hash, standing: Some(standing), behind };
            self.outputs.push_back(Output::to(id, Message::ServerState(state)));
        }
    }

    /// Whether everybody had all that he can get when that was last looked at, and nothing has come since.
    pub(super) fn is_in_step(&self) -> bool {
        self.was_in_step && self.is_idle()
    }

    fn is_idle(&self) -> bool {
        self.sessions_open() == 0 && self.pending.is_empty()
    }

    /// What a client lacks of the union, ordered by key.
    fn lacks<'a>(
        &'a self,
        id: MemberId,
        member: &'a Member,
    ) -> impl Iterator<Item = (&'a UnionEntry, Lack)> {
        let entries = member.lacking.iter().filter_map(|key| self.union.get(key));
        entries.map(move |entry| {
            let own_copy = member.is_ours() && self.has_place(id, entry.content);
            let source = self.willing(entry.content).filter(|holder| *holder != id).min();
            let lack = match (self.withheld(id, member, entry), source) {
                (Some(reason), _) => Lack::Withheld(reason),
                _ if self.waits_in_vain(id, member, entry) => Lack::Withheld(Withheld::OnlyCopy),
                _ if own_copy || self.shelf.is_kept(entry.content) => Lack::Here,
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
            sources.is_none() && !self.shelf.is_kept(entry.content)
        };
        let authored = |path: &RelPath| Authored {
            rel_path: path.as_str().to_owned(),
            author: self.union.author(path.key()).map(|author| author.to_string()),
        };
        // Nobody brought a file to a name that only rivals claim.
        let claimed = |conflict: &Conflict| match conflict.established {
            Some(_) => authored(&conflict.path),
            None => Authored {
                rel_path: conflict.path.as_str().to_owned(),
                author: self.union.owner(conflict.path.livery()).map(|owner| owner.to_string()),
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
        let retired = self.union.retired().map(|(path, contents)| Retired {
            rel_path: path.as_str().to_owned(),
            contents: contents.iter().map(|content| content.hash.short()).collect(),
        });
        Remarks {
            allowed: names,
            retired: retired.collect(),
            whole_liveries: self.config.naming.scope == Scope::Livery,
            unavailable: unavailable.map(|entry| entry.path.as_str().to_owned()).collect(),
            conflicts: conflicts
                .map(|conflict| Claimed {
                    established: claimed(&conflict),
                    rivals: conflict.rivals.iter().map(|(path, _)| authored(path)).collect(),
                })
                .collect(),
        }
    }

    /// How the league stands.
    pub fn status(&mut self) -> Status {
        let union_hash = self.current_union_hash();
        let greeted = self.members.iter().filter(|(_, member)| member.greeted);
        let suffix = &self.config.naming.suffix;
        let paths = self.union.iter().map(|entry| &entry.path);
        let rivals = paths.filter(|path| is_conflict_name(path, suffix));
        Status {
            files: self.union.len(),
            bytes: self.union.iter().map(|entry| entry.content.size).sum(),
            union_hash,
            conflicts: rivals.cloned().collect(),
            sessions: self.sessions_open(),
            members: greeted.map(|(id, member)| self.status_of(*id, member)).collect(),
        }
    }

    fn status_of(&self, id: MemberId, member: &Member) -> MemberStatus {
        let missing = self.lacks(id, member).map(|(entry, lack)| Missing {
            path: entry.path.clone(),
            bytes: entry.content.size,
            withheld: if let Lack::Withheld(reason) = lack { Some(reason) } else { None },
        });
        let manifest = member.manifest.as_ref();
        MemberStatus {
            member: id,
            name: member.name.clone(),
            address: member.address.clone(),
            generation: member.generation,
            files: manifest.map(Manifest::len),
            bytes: manifest.map(Manifest::total_bytes),
            missing: missing.collect(),
        }
    }
}
