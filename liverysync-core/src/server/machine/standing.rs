//! How each client stands to the union.

use super::*;

impl ServerMachine {
    pub(super) fn standing_soon(&mut self) {
        let earliest = self.standings_sent + STANDING_INTERVAL;
        self.standing_at.get_or_insert(earliest.max(self.now));
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
        let mut wanted: HashMap<MemberId, u64> = HashMap::new();
        let mut standings = Vec::new();
        let mut missing_in_all = 0;
        for (id, member) in &self.members {
            let (Some(manifest_hash), true) = (member.manifest_hash, member.manifest.is_some())
            else {
                continue;
            };
            if self.pending.contains_key(id) {
                continue;
            }
            let copies = own_contents(member);
            let (mut missing, mut missing_bytes, mut withheld) = (0, 0, 0);
            for entry in member.lacking.iter().filter_map(|key| self.union.get(key)) {
                let own_copy = member.is_ours() && copies.contains_key(&entry.content.hash);
                let sources = self.sources(*id, entry);
                if self.withheld(*id, member, entry).is_some()
                    || (sources.is_empty() && !own_copy)
                    || self.waits_in_vain(*id, member, entry)
                {
                    withheld += 1;
                    continue;
                }
                missing += 1;
                missing_bytes += entry.content.size;
                // One of those who hold it is answerable, so that not all wait and not all leave.
                if let (Some(first), false) = (sources.iter().min(), own_copy) {
                    *wanted.entry(*first).or_default() += 1;
                }
            }
            missing_in_all += missing;
            let standing = Standing { manifest_hash, missing, missing_bytes, wanted: 0, withheld };
            standings.push((*id, standing));
        }
        let union_hash = self.current_union_hash();
        let clients = standings.len();
        for (id, mut standing) in standings {
            standing.wanted = wanted.get(&id).copied().unwrap_or_default();
            let Some(member) = self.members.get_mut(&id).filter(|member| member.is_ours()) else {
                continue;
            };
            if member.standing.replace(standing) != Some(standing) {
                let current_hash = union_hash.unwrap_or(standing.manifest_hash).to_string();
                let state = ServerState { current_hash, standing: Some(standing) };
                self.outputs.push_back(Output::to(id, Message::ServerState(state)));
            }
        }
        let in_step = missing_in_all == 0 && self.sessions.is_empty() && self.pending.is_empty();
        if let (true, false, Some(union_hash)) = (in_step, self.was_in_step, union_hash) {
            let files = self.union.len();
            self.event(Event::InStep { clients, files, union_hash });
        }
        self.was_in_step = in_step;
    }
}
