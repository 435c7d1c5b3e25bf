//! Holds in the model.

use liverysync_core::{league::HoldState, union::Union};

use super::{
    limits::{Limits, Planned},
    model::{Claim, Model, SyncStatus, placing::copy_names},
    *,
};

/// The held files of each livery and member, with the decision about them.
pub(super) type Holds = BTreeMap<(String, Option<MemberId>), (HoldState, Files)>;
type Files = BTreeMap<String, (Content, Option<ContentHash>)>;

impl Model {
    pub(super) fn note_presence(&mut self, change: &Change) {
        let has_left = change.member.is_none() && author(change.peer.0).is_some();
        if has_left {
            self.here.remove(&change.peer.0);
        } else {
            self.here.insert(change.peer.0);
        }
    }

    pub(super) fn is_frozen(&self, of: &str) -> bool {
        self.frozen.iter().any(|(frozen, _)| frozen == "*" || frozen == of)
    }

    fn waits_as(&self, of: &str, state: HoldState) -> bool {
        let waits = self.approval && state == HoldState::Waiting;
        waits || state == HoldState::Rejected || self.is_frozen(of)
    }

    fn take_held(&mut self, is_meant: impl Fn(&Claim) -> bool) -> Vec<Claim> {
        let held =
            self.files.extract_if(.., |_, (claim, status)| status.waits() && is_meant(claim));
        held.map(|(_, (claim, _))| claim).collect()
    }

    /// Takes out the held files of the liveries that a change is about.
    pub(super) fn take_held_of(&mut self, change: &Change) -> Vec<Claim> {
        let gained = change.gained.iter().map(|gained| &gained.entry);
        let all = change.lost.iter().chain(gained);
        let liveries: BTreeSet<_> = all.map(|entry| entry.path.livery()).collect();
        self.take_held(|claim| {
            claim.member == change.peer.0 && liveries.contains(livery(&claim.name))
        })
    }

    /// Adds the held files of the liveries that claims are about.
    pub(super) fn join_held(&mut self, mut claims: Vec<Claim>) -> Vec<Claim> {
        let held = self.take_held(|file| {
            let is_of = |claim: &Claim| {
                claim.member == file.member && livery(&claim.name) == livery(&file.name)
            };
            claims.iter().any(is_of)
        });
        claims.extend(held);
        claims
    }

    /// Holds the claims that must wait. Returns the others.
    pub(super) fn hold_changes(&mut self, claims: Vec<Claim>) -> Vec<Claim> {
        let is_open = !self.approval && self.frozen.is_empty() && self.holds.is_empty();
        let is_intact = !claims.iter().any(|claim| self.is_damage(claim));
        if is_open && self.blocked.is_empty() && self.limits == Limits::default() && is_intact {
            return claims;
        }
        let is_left = |claim: &Claim| self.is_free(claim) && self.name_to_reattach(claim).is_some();
        let (left, claims): (Vec<_>, Vec<_>) = claims.into_iter().partition(is_left);
        left.into_iter().for_each(|claim| self.reattach(claim));
        let folders = claims.iter().map(|claim| (livery(&claim.name).to_owned(), claim.member));
        let (mut placed, mut planned) = (Vec::new(), Planned::default());
        for (of, member) in folders.collect::<BTreeSet<_>>() {
            let is_in = |claim: &&Claim| claim.member == member && livery(&claim.name) == of;
            let (changes, others): (Vec<_>, Vec<_>) =
                claims.iter().filter(is_in).cloned().partition(|claim| self.changes(claim));
            placed.extend(others);
            let hold = self.holds.get(&(of.clone(), author(member)));
            let state = hold.filter(|(_, files)| {
                changes.iter().all(|change| {
                    files.get(&change.name).is_some_and(|(held, _)| *held == change.content)
                })
            });
            let state = state.map_or(HoldState::Waiting, |(state, _)| *state);
            if !changes.is_empty() && self.must_wait(&of, &changes, state, &mut planned) {
                changes.into_iter().for_each(|claim| self.keep(claim, SyncStatus::Held));
            } else {
                placed.extend(changes);
            }
        }
        placed
    }

    fn must_wait(
        &self,
        of: &str,
        changes: &[Claim],
        state: HoldState,
        planned: &mut Planned,
    ) -> bool {
        changes.iter().any(|change| self.is_blocked(change.content) || self.is_damage(change))
            || self.waits_as(of, state)
            || self.is_too_much(of, changes, state, planned)
    }

    /// Returns true if a claim would put a damaged file in the place of an intact one, or beside it.
    fn is_damage(&self, claim: &Claim) -> bool {
        let is_seen = self.verified.contains(&claim.content);
        is_seen && claim.content == content(DAMAGED) && self.is_against_intact(claim)
    }

    fn is_to_inspect(&self, claim: &Claim) -> bool {
        let is_unseen = claim.unchecked && !self.verified.contains(&claim.content);
        let is_known = !self.is_update(claim) && self.is_known_rival(claim);
        is_unseen && self.is_against_intact(claim) && !is_known
    }

    fn is_against_intact(&self, claim: &Claim) -> bool {
        let is_intact = |now| self.verified.contains(&now) && now != content(DAMAGED);
        self.now(&claim.name).is_some_and(is_intact)
            && (self.is_update(claim) || self.is_rival(claim))
    }

    /// Sets updates aside of which not all contents have arrived. Returns the other claims.
    pub(super) fn await_contents(&mut self, claims: Vec<Claim>) -> Vec<Claim> {
        let waits = |claim: &Claim| self.waits_for_contents(claim, &claims);
        let (waiting, others): (Vec<_>, Vec<_>) = claims.iter().cloned().partition(waits);
        waiting.into_iter().for_each(|claim| self.keep(claim, SyncStatus::Awaited));
        others
    }

    /// Returns true if a claim is part of an update that has not arrived. The other claims are those of the same step.
    fn waits_for_contents(&self, claim: &Claim, claims: &[Claim]) -> bool {
        let changes = |claim: &Claim| {
            let is_more = self.is_free(claim) && self.may_add(claim) && !claim.begins;
            self.is_update(claim) || is_more && !self.is_vacant(livery(&claim.name))
        };
        let of = livery(&claim.name);
        let is_in = |other: &&Claim| other.member == claim.member && livery(&other.name) == of;
        if claims.iter().filter(is_in).any(|other| self.is_to_inspect(other)) {
            return self.is_update(claim) || self.is_rival(claim) || self.is_free(claim);
        }
        let all: Vec<_> = claims.iter().filter(is_in).filter(|claim| changes(claim)).collect();
        let is_complete = all.iter().all(|change| self.verified.contains(&change.content));
        let replaces = all.iter().any(|change| self.is_update(change));
        let in_conflict = |claim: &Claim| self.is_rival(claim) || self.is_foreign(claim);
        let is_separated =
            self.scope == Scope::Livery && claims.iter().filter(is_in).any(in_conflict);
        changes(claim) && all.len() > 1 && replaces && !is_complete && !is_separated
    }

    /// Takes out what waits for contents and is no update of several files any more.
    pub(super) fn take_overtaken(&mut self) -> Vec<Claim> {
        let waiting = self.files.values().filter(|(_, status)| *status == SyncStatus::Awaited);
        let waiting: Vec<_> = waiting.map(|(claim, _)| claim.clone()).collect();
        let folder = |claim: &Claim| (livery(&claim.name).to_owned(), claim.member);
        let still: BTreeSet<_> = waiting
            .iter()
            .filter(|claim| self.waits_for_contents(claim, &waiting))
            .map(|claim| (claim.member, claim.name.clone()))
            .collect();
        let over = waiting
            .iter()
            .filter(|claim| !still.contains(&(claim.member, claim.name.clone())))
            .map(folder);
        let over: BTreeSet<_> = over.collect();
        self.take_held(|claim| over.contains(&folder(claim)))
    }

    /// Notes that a content has arrived.
    pub(super) fn verify(&mut self, content: Content) {
        if self.verified.insert(content) {
            let waiting = self.files.values().filter(|(claim, status)| {
                *status == SyncStatus::Awaited && claim.content == content
            });
            let folders = waiting.map(|(claim, _)| (livery(&claim.name).to_owned(), claim.member));
            self.arrived.extend(folders);
        }
    }

    /// Takes out the updates for which contents have arrived.
    pub(super) fn take_arrived(&mut self) -> Vec<Claim> {
        let arrived = std::mem::take(&mut self.arrived);
        self.take_held(|claim| arrived.contains(&(livery(&claim.name).to_owned(), claim.member)))
    }

    /// Retires the conflict copies that are moved by the placing of a claim.
    pub(super) fn retire_moved_of(&mut self, claim: &Claim) {
        let gained = vec![gained(&claim.name, (claim.content, None))];
        let (peer, member) = (PeerId(claim.member), author(claim.member));
        let lost = Vec::new();
        self.retire_moved(&Change { peer, arrival: 0, member, complete: false, lost, gained });
    }

    /// Returns true if a claim would change what the league has.
    fn changes(&self, claim: &Claim) -> bool {
        let is_new = self.is_rival(claim) || self.is_free(claim);
        self.is_update(claim) || is_new && !self.is_known_rival(claim)
    }

    /// Returns true if the league has a claim's content in conflict with the claimed name, or had it there.
    fn is_known_rival(&self, claim: &Claim) -> bool {
        let claims_it = |name: &str| plain(name) == claim.name || in_claimed(name) == claim.name;
        let mut names = self.names().into_iter();
        let is_there = names.any(|(name, content)| {
            content == claim.content && name != claim.name && claims_it(&name)
        });
        if self.is_rival(claim) || self.is_foreign(claim) {
            return if self.scope == Scope::File { self.has_copy(claim) } else { is_there };
        }
        let may_add = self.owns(livery(&claim.name), claim.member);
        is_there && self.scope == Scope::Livery && !claim.begins && !may_add
    }

    /// Returns true if a claim's conflict name has its content, or had it before.
    fn has_copy(&self, claim: &Claim) -> bool {
        let home = plain(&claim.name);
        if self.now(&home) == Some(claim.content) {
            return true;
        }
        for name in copy_names(&home, claim.content) {
            if self.had(&name, |had| had == claim.content) {
                return true;
            }
            if self.now(&name).is_none() {
                return false;
            }
        }
        unreachable!("so many names are never taken");
    }

    /// Returns what connected members have that is held.
    fn held_now(&self) -> BTreeMap<(String, Option<MemberId>), Files> {
        let mut holds: BTreeMap<_, Files> = BTreeMap::new();
        for (claim, status) in self.files.values().filter(|(_, status)| status.waits()) {
            let key = (livery(&claim.name).to_owned(), author(claim.member));
            if *status == SyncStatus::Awaited && !self.holds.contains_key(&key) {
                continue;
            }
            let files = holds.entry(key);
            let file = (claim.content, claim.base);
            files.or_default().insert(claim.name.clone(), file);
        }
        holds
    }

    /// Remembers what is held. What absent members had stays as it is.
    pub(super) fn record_holds(&mut self) {
        let now = self.held_now();
        let here: BTreeSet<_> = self.here.iter().map(|member| author(*member)).collect();
        let is_absent = |member: &Option<MemberId>| member.is_some() && !here.contains(member);
        let before = std::mem::take(&mut self.holds);
        for (key, hold) in &before {
            if is_absent(&key.1) && !now.contains_key(key) {
                self.holds.insert(key.clone(), hold.clone());
            }
        }
        for (key, files) in now {
            let decided = before.get(&key).filter(|(_, held)| {
                files.iter().all(|(name, (content, _))| {
                    held.get(name).is_some_and(|(held, _)| held == content)
                })
            });
            let state = decided.map_or(HoldState::Waiting, |(state, _)| *state);
            self.holds.insert(key, (state, files));
        }
    }

    pub(super) fn decide(&mut self, liveries: &[String], from: Option<MemberId>, state: HoldState) {
        for ((of, member), (now, _)) in &mut self.holds {
            let is_meant = match liveries.is_empty() {
                true => *now == HoldState::Waiting,
                false => liveries.contains(of),
            };
            if is_meant && from.is_none_or(|from| *member == Some(from)) {
                *now = state;
            }
        }
    }

    /// Ends the freezes that end by themselves.
    pub(super) fn end_freezes(&mut self) {
        self.step = self.steps + 1;
        self.frozen.retain(|(_, end)| end.is_none());
        self.settle_held(Vec::new());
    }

    /// Places claims, and what is held and need not wait any more.
    pub(super) fn settle_held(&mut self, others: Vec<Claim>) {
        let held = self.take_held(|_| true);
        let present: BTreeSet<_> = held
            .iter()
            .map(|claim| (livery(&claim.name).to_owned(), author(claim.member)))
            .collect();
        let absent: Vec<_> =
            self.holds.iter().map(|(key, hold)| (key.clone(), hold.clone())).collect();
        let (mut stand_ins, mut number, mut done) = (Vec::new(), 0, Vec::new());
        let mut planned = Planned::default();
        for (key, (state, files)) in absent {
            if present.contains(&key) {
                continue;
            }
            let member = (0..MEMBERS).find(|member| author(*member) == key.1).unwrap();
            // An act has given a file of a member who is here its name.
            if files.keys().any(|name| self.files.contains_key(&(member, name.clone()))) {
                continue;
            }
            let claims: Vec<_> = files
                .iter()
                .map(|(name, (content, base))| Claim {
                    member,
                    name: name.clone(),
                    content: *content,
                    base: *base,
                    unchecked: true,
                    arrival: (1 << 63) + number,
                    returned: false,
                    replaces: None,
                    begins: false,
                })
                .collect();
            if self.must_wait(&key.0, &claims, state, &mut planned) {
                continue;
            }
            let is_complete = files.values().all(|(content, _)| self.verified.contains(content));
            if is_complete {
                stand_ins.extend(claims);
            }
            number += 1;
            if is_complete {
                done.push(key);
            } else if state == HoldState::Waiting {
                self.holds.remove(&key);
            }
        }
        let claims =
            others.into_iter().chain(held.iter().cloned()).chain(stand_ins.iter().cloned());
        self.settle(claims.collect());
        for claim in &stand_ins {
            self.take_out(claim.member, &claim.name);
        }
        done.iter().for_each(|key| drop(self.holds.remove(key)));
        held.iter().for_each(|claim| self.retire_moved_of(claim));
        self.record_holds();
    }
}

/// Checks that a union holds what its model does.
pub(super) fn check(union: &Union, model: &Model) {
    let held = union.held().map(|hold| {
        let files = hold
            .files
            .iter()
            .map(|file| (canon(&file.entry.path), (file.entry.content, file.base)));
        ((in_lower(&hold.livery), hold.member), (hold.state, files.collect()))
    });
    assert_eq!(held.collect::<Holds>(), model.holds);
}

// It has one in a conflict folder, from when conflicting liveries were kept whole.
#[test]
fn a_file_that_would_get_one_more_conflict_copy_is_held_with_the_others() {
    let in_sync = |byte| (Some(byte), Base::InSync);
    let first = [(0, BTreeMap::from([(5, in_sync(3))])), (2, BTreeMap::from([(4, in_sync(0))]))];
    let files = BTreeMap::from([(4, in_sync(3)), (5, in_sync(3))]);
    let league = play_in(
        League::with_scope(Policy::Established, Updates::Owner, Scope::Livery),
        [
            edit(3, 4, 4, Base::InSync),
            Deed::Edits(first.into_iter().collect()),
            Deed::Set(Setting::Approval, 1),
            Deed::Set(Setting::ConflictScope, 0),
            Deed::Edits(vec![(1, files)]),
        ],
    );
    let held: Vec<_> = league.union.held().map(|hold| hold.files.len()).collect();
    assert_eq!(held, [2]);
}
