//! What each client may be offered now, and the sessions that come of it.

use super::*;

impl ServerMachine {
    pub(super) fn schedule_soon(&mut self) {
        self.schedule_at = Some(self.now);
        self.standing_soon();
    }

    pub(super) fn schedule(&mut self) {
        let mut loads: BTreeMap<MemberId, Load> =
            self.members.iter().map(|(id, member)| (*id, member.load(&self.config))).collect();
        let mut targets: Vec<_> = self
            .members
            .iter()
            .filter(|(_, member)| member.is_known() && !member.lacking.is_empty())
            .map(|(id, member)| (member.sessions.len(), *id))
            .collect();
        targets.sort_unstable();
        for (_, target) in targets {
            if self.sessions.len() >= self.config.sessions_max {
                return;
            }
            let left = self.config.sessions_max - self.sessions.len();
            let Some(load) = loads.get_mut(&target).filter(|load| load.free > 0) else { continue };
            load.free = load.free.min(left);
            self.schedule_copies(target, &mut loads);
            let wants = self.wants(target);
            let one_by_one = self.members.get(&target).is_some_and(|member| member.one_by_one);
            let most = if one_by_one { 1 } else { self.config.files_per_session_max };
            for session in schedule::plan(target, &wants, &mut loads, most) {
                self.open_session(Some(session.source), target, &session.keys);
            }
        }
    }

    /// What `target` may be offered now, with those who may be asked for it.
    pub(super) fn wants(&mut self, target: MemberId) -> Vec<Want> {
        let Some(member) = self.members.get(&target) else { return Vec::new() };
        let under_way = self.under_way(member);
        let copies = own_contents(member);
        let mut withheld = Vec::new();
        let mut wants = Vec::new();
        for key in &member.lacking {
            let Some(entry) = self.union.get(key) else { continue };
            if let Some(reason) = self.withheld(target, member, entry) {
                withheld.push((entry.path.clone(), reason));
                continue;
            }
            let own_copy = member.is_ours() && copies.contains_key(&entry.content.hash);
            let ready = !own_copy
                && !under_way.contains(key)
                && member.may_retry(entry, self.now)
                && !self.would_lose(target, member, entry);
            if ready {
                let sources = self.sources(target, entry);
                wants.push(Want { key: key.clone(), copies: entry.copies(), sources });
            }
        }
        self.tell_withheld(target, withheld);
        wants
    }

    pub(super) fn under_way<'a>(&'a self, member: &'a Member) -> BTreeSet<&'a PathKey> {
        let sessions = member.sessions.iter().filter_map(|id| self.sessions.get(id));
        let files = sessions.flat_map(|session| &session.files);
        files.filter(|file| file.state != State::Failed).map(|file| file.path.key()).collect()
    }

    pub(super) fn withheld(
        &self,
        id: MemberId,
        member: &Member,
        entry: &UnionEntry,
    ) -> Option<Withheld> {
        let key = entry.path.key();
        if !allows(self.allowed.as_ref(), key) {
            return Some(Withheld::NotAllowed);
        }
        if let Some(reason) = member.withheld(entry, &self.union, &self.config) {
            return Some(reason);
        }
        let own = member.manifest.as_ref().and_then(|manifest| manifest.get(key));
        let uncounted =
            own.is_some_and(|own| self.union.counts_for(id, key, own.content.hash).is_none());
        uncounted.then_some(Withheld::WouldLose)
    }

    pub(super) fn tell_withheld(&mut self, target: MemberId, withheld: Vec<(RelPath, Withheld)>) {
        for (path, reason) in withheld {
            let Some(member) = self.members.get_mut(&target) else { return };
            if member.told_withheld.insert(path.key().clone()) {
                let name = member.name.clone();
                self.event(Event::Withheld { name, path, reason });
            }
        }
    }

    /// Whether taking `entry` now would overwrite a rival that is not yet safe elsewhere: for a
    /// client of ours under its conflict name on its own PC, for any other client on another PC
    /// that could still take it.
    pub(super) fn would_lose(&self, id: MemberId, member: &Member, entry: &UnionEntry) -> bool {
        let key = entry.path.key();
        let Some(own) = member.manifest.as_ref().and_then(|manifest| manifest.get(key)) else {
            return false;
        };
        let Some(rival) = self.union.counts_for(id, key, own.content.hash) else { return true };
        let declines = |member: &Member, id| self.withheld(id, member, rival).is_some();
        if member.is_ours() {
            return !member.has(rival) && !declines(member, id);
        }
        let safe = rival.holders().any(|(holder, _)| holder != id);
        let takers = self.members.iter().filter(|(other, _)| **other != id);
        !safe
            && takers
                .into_iter()
                .any(|(other, member)| member.manifest.is_some() && !declines(member, *other))
    }

    /// The entry that a client's own file at `key` counts for.
    fn rival_at(&self, id: MemberId, member: &Member, key: &PathKey) -> Option<&UnionEntry> {
        let own = member.manifest.as_ref()?.get(key)?;
        self.union.counts_for(id, key, own.content.hash)
    }

    /// Whether taking `entry` has to wait for a rival that nobody delivers: as things are, for ever.
    pub(super) fn waits_in_vain(&self, id: MemberId, member: &Member, entry: &UnionEntry) -> bool {
        let rival = self.rival_at(id, member, entry.path.key());
        !member.is_ours()
            && rival.is_some_and(|rival| self.willing(rival).next().is_none())
            && self.would_lose(id, member, entry)
    }

    pub(super) fn sources(&self, target: MemberId, entry: &UnionEntry) -> Vec<MemberId> {
        self.willing(entry).filter(|holder| *holder != target).collect()
    }

    /// Those who hold a content and have not failed to send it.
    pub(super) fn willing<'a>(
        &'a self,
        entry: &'a UnionEntry,
    ) -> impl Iterator<Item = MemberId> + 'a {
        let willing = entry.holders().filter(|(holder, local)| {
            let member = self.members.get(holder);
            member.is_some_and(|m| m.may_serve(local.key(), entry.content.hash, self.now))
        });
        willing.map(|(holder, _)| holder)
    }

    /// Opens a session in which a client of ours copies what it has under another name already.
    pub(super) fn schedule_copies(
        &mut self,
        target: MemberId,
        loads: &mut BTreeMap<MemberId, Load>,
    ) {
        let Some(member) = self.members.get(&target).filter(|member| member.is_ours()) else {
            return;
        };
        let under_way = self.under_way(member);
        let copies = own_contents(member);
        let copyable: BTreeMap<_, _> = member
            .lacking
            .iter()
            .filter_map(|key| Some((key, self.union.get(key)?)))
            .filter(|(key, entry)| {
                copies.contains_key(&entry.content.hash)
                    && !under_way.contains(*key)
                    && member.may_retry(entry, self.now)
                    && self.withheld(target, member, entry).is_none()
            })
            .collect();
        // What one copy replaces may be what another one brings: both are staged before the switch.
        let brought = |entry: &UnionEntry| {
            let rival = self.rival_at(target, member, entry.path.key());
            rival.is_some_and(|rival| copyable.contains_key(rival.path.key()))
        };
        let keys: Vec<_> = copyable
            .values()
            .filter(|entry| !self.would_lose(target, member, entry) || brought(entry))
            .map(|entry| entry.path.key().clone())
            .take(self.config.files_per_session_max.max(1))
            .collect();
        if keys.is_empty() {
            return;
        }
        if let Some(load) = loads.get_mut(&target) {
            load.free = load.free.saturating_sub(1);
            load.open += 1;
        }
        self.open_session(None, target, &keys);
    }
}
