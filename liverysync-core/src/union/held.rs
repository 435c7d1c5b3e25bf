//! Holds: an admin approves what changes, or nothing changes before a race.
//!
//! All that a peer's folder would change in a livery is put aside as a whole, so that no livery is ever torn: the
//! others keep the livery that they have, and that peer keeps its own. It is judged again whenever that folder or a
//! decision changes.
//!
//! The union remembers what is held of each member's livery, so that an admin can decide while the member is away. A member's
//! next report shows whether they still have it. Members without a key cannot be told apart, so theirs is remembered
//! together, and only while they are connected. So many liveries are held of each member and in all; a livery beyond that is
//! kept back all the same, but only its member has it.
//!
//! Everything that the union has is approved, under its name or in conflict with it: no other set of approved contents
//! exists.

use std::collections::{BTreeMap, BTreeSet};

use super::{Claimant, Outcome, PeerId, Union, limits::Planned, moved::Moves, placing::Lineage};
use crate::{
    conflict::{Scope, in_claimed_livery, parse_conflict_name},
    hash::Content,
    league::{
        ActError, HeldFile, HeldLivery, HoldCause, HoldReason, HoldState, Lint, MemberId, Record,
        Setting,
    },
    manifest::Entry,
    path::{PathKey, fold},
    time::UnixTime,
};

/// The held files, by the folded name of the livery and its member.
pub(super) type Holds = BTreeMap<(String, Option<MemberId>), HeldLivery>;

/// The number of the first peer that stands for an absent member. No connection ever gets it.
pub(super) const ABSENT: u64 = 1 << 63;

/// Most liveries that are held of one member. Nobody paints as many in a season, and an admin looks at each of them.
const HELD_OF_MEMBER_MAX: usize = 100;

/// Most liveries that are held in all: whoever makes up keys must not fill the league's database and its store.
const HELD_MAX: usize = 2000;

impl Union {
    /// Puts aside what must not change a livery now. Returns the other claimants.
    pub(super) fn hold_changes(
        &mut self,
        claimants: Vec<Claimant>,
        outcome: &mut Outcome,
    ) -> Vec<Claimant> {
        if !self.settings.approval
            && self.settings.frozen.iter().len() == 0
            && self.holds.is_empty()
            && self.blocked.is_empty()
            && !self.settings.limits.are_set()
            && self.settings.lint != Lint::Hold
            && !claimants.iter().any(|claimant| self.is_damage(claimant))
        {
            return claimants;
        }
        let mut folders: BTreeMap<(String, PeerId), Vec<Claimant>> = BTreeMap::new();
        for claimant in claimants {
            let folder = (claimant.key().livery().to_owned(), claimant.peer);
            folders.entry(folder).or_default().push(claimant);
        }
        let (mut placed, mut planned) = (Vec::new(), Planned::default());
        for ((livery, _), claims) in folders {
            let (changes, others) = self.split_changes(&livery, claims, outcome);
            if self.must_wait(&livery, &changes, &mut planned) {
                changes.into_iter().for_each(|change| self.unplaced.hold(change));
            } else {
                placed.extend(changes);
            }
            placed.extend(others);
        }
        placed
    }

    /// Splits a folder's claims into those that would change the union and those that would not.
    fn split_changes(
        &mut self,
        livery: &str,
        claims: Vec<Claimant>,
        outcome: &mut Outcome,
    ) -> (Vec<Claimant>, Vec<Claimant>) {
        let is_folder = claims.iter().any(|claim| claim.entry.path.folder().is_some());
        let claims = match self.settings.naming.scope {
            Scope::Livery if is_folder => self.reattach(livery, claims, outcome),
            _ => claims,
        };
        let is_file_by_file = self.settings.naming.scope == Scope::File;
        let rivals = self.known_rivals(&claims);
        let is_rival =
            |claim: &Claimant| rivals.contains(&(claim.key().clone(), claim.entry.content));
        claims.into_iter().partition(|claim| match self.classify(claim) {
            Lineage::Same | Lineage::Outdated => false,
            Lineage::Update => true,
            // In a conflict folder already, or part of a livery that nobody has. An owner's file gets its plain name all
            // the same.
            Lineage::New => {
                is_file_by_file
                    || claim.begins
                    || self.owns(claim.member, livery)
                    || !is_rival(claim)
            }
            Lineage::Conflict | Lineage::Foreign => !is_rival(claim),
        })
    }

    /// Returns those of the claims that the league has in conflict already, if they are in conflict: name and content.
    pub(super) fn known_rivals(&self, claims: &[Claimant]) -> BTreeSet<(PathKey, Content)> {
        if self.settings.naming.scope == Scope::Livery {
            return self.rival_claims(claims);
        }
        let known = claims.iter().filter(|claim| self.has_conflict_copy(claim));
        known.map(|claim| (claim.key().clone(), claim.entry.content)).collect()
    }

    /// Returns the names that conflict copies with the claims' contents claim, each with the content.
    fn rival_claims(&self, claims: &[Claimant]) -> BTreeSet<(PathKey, Content)> {
        let naming = &self.settings.naming;
        // Once for each content: a hostile peer may have thousands of claims and names with one.
        let contents: BTreeSet<_> = claims.iter().map(|claim| claim.entry.content).collect();
        let entries = contents.into_iter().flat_map(|content| self.with_content(content));
        let claimed = entries.flat_map(|entry| {
            let beside = parse_conflict_name(&entry.path, naming).map(|(plain, _)| plain);
            let claimed = [beside, in_claimed_livery(&entry.path, naming)];
            claimed.into_iter().flatten().map(|plain| (plain.key().clone(), entry.content))
        });
        claimed.collect()
    }

    /// Returns true if a claim's conflict name has its content, or had it before. A copy elsewhere does not count: the claim
    /// would get one more name.
    fn has_conflict_copy(&self, claim: &Claimant) -> bool {
        let name = self.name_of_rival(&claim.entry);
        name.is_ok_and(|name| self.knows(name.key(), claim.entry.content))
    }

    /// Returns true if the changes of one peer to a livery must wait. Otherwise they are planned.
    fn must_wait(&self, livery: &str, changes: &[Claimant], planned: &mut Planned) -> bool {
        let Some(first) = changes.first() else { return false };
        if self.has_blocked(changes) || changes.iter().any(|change| self.is_damage(change)) {
            return true;
        }
        let hold = self.holds.get(&(livery.to_owned(), first.member));
        let files = || changes.iter().map(|change| (change.key(), change.entry.content));
        let decided = hold.filter(|hold| covers(hold, files()));
        let state = decided.map_or(HoldState::Waiting, |hold| hold.state);
        self.waits_as(livery, state)
            || self.breaks_rules(livery, changes, state)
            || self.is_too_much(livery, changes, state, planned)
    }

    /// Returns true if changes break a rule of the league and nobody has approved them.
    fn breaks_rules(&self, livery: &str, changes: &[Claimant], state: HoldState) -> bool {
        // Those that wait for contents are judged once these have come.
        state == HoldState::Waiting
            && !self.is_to_lint(changes)
            && !self.lint_changes(livery, changes).is_empty()
    }

    /// Returns true if changes exceed a limit and nobody has approved them. Otherwise they are planned.
    fn is_too_much(
        &self,
        livery: &str,
        changes: &[Claimant],
        state: HoldState,
        planned: &mut Planned,
    ) -> bool {
        if !self.settings.limits.are_set() {
            return false;
        }
        let demand = self.demand(livery, changes);
        let exceeds = state == HoldState::Waiting && self.exceeded(&demand, planned).is_some();
        if !exceeds {
            planned.add(demand);
        }
        exceeds
    }

    /// Returns true if what is held of an absent member has to wait on. Otherwise it is planned.
    fn is_waiting(&self, livery: &str, hold: &HeldLivery, planned: &mut Planned) -> bool {
        self.blocked_file(hold).is_some()
            || self.damaged_in(hold).next().is_some()
            || self.waits_as(livery, hold.state)
            || self.breaks_rules(livery, &claims_of(hold, ABSENT), hold.state)
            || self.is_too_much(livery, &claims_of(hold, ABSENT), hold.state, planned)
    }

    /// Returns the first held file with a blocked content.
    fn blocked_file<'a>(&self, hold: &'a HeldLivery) -> Option<&'a HeldFile> {
        hold.files.iter().find(|file| self.is_blocked(file.entry.content))
    }

    /// Returns why a livery is held.
    #[doc(hidden)]
    #[must_use]
    pub fn hold_cause(&self, hold: &HeldLivery) -> HoldCause {
        let frozen = self.settings.frozen.end_for(&hold.livery);
        let exceeded = || {
            let demand = self.demand(&fold(&hold.livery), &claims_of(hold, ABSENT));
            self.exceeded(&demand, &Planned::default())
        };
        let unknown = HoldCause::new(HoldReason::Approval);
        let broken = || self.findings_in(hold).into_iter().next();
        match frozen {
            _ if hold.state == HoldState::Rejected => HoldCause::new(HoldReason::Rejected),
            _ if self.blocked_file(hold).is_some() => HoldCause::new(HoldReason::Blocked),
            _ if self.damaged_in(hold).next().is_some() => HoldCause::new(HoldReason::Damaged),
            // First of what ends by itself or by an admin: its driver can do something about it.
            _ if let finding @ Some(_) = broken() => {
                HoldCause { finding, ..HoldCause::new(HoldReason::Lint) }
            }
            Some(until) => HoldCause { until, ..HoldCause::new(HoldReason::Freeze) },
            None if self.settings.approval => HoldCause::new(HoldReason::Approval),
            // There may be room by now: that is noticed when the folder or a decision changes.
            None => exceeded().or_else(|| self.settings.limits.first()).unwrap_or(unknown),
        }
    }

    /// Returns true if a livery must wait, given the decision about it.
    fn waits_as(&self, livery: &str, state: HoldState) -> bool {
        match state {
            // Until its member changes it, whatever the settings are.
            HoldState::Rejected => true,
            HoldState::Approved => self.is_frozen(livery),
            HoldState::Waiting => self.settings.approval || self.is_frozen(livery),
        }
    }

    pub(super) fn is_frozen(&self, livery: &str) -> bool {
        self.settings.frozen.end_for(livery).is_some()
    }

    /// Adds the held files of the claimants' folders, which are judged together with them.
    pub(super) fn join_held(&mut self, mut claimants: Vec<Claimant>) -> Vec<Claimant> {
        let folder = |claim: &Claimant| (claim.key().livery().to_owned(), claim.peer);
        if !self.unplaced.holds_any() {
            return claimants;
        }
        let folders = claimants.iter().map(folder).collect();
        claimants.extend(self.take_held_in(&folders));
        claimants
    }

    /// Takes out the held files of some peers' folders.
    pub(super) fn take_held_in(&mut self, folders: &BTreeSet<(String, PeerId)>) -> Vec<Claimant> {
        let held =
            folders.iter().flat_map(|(livery, peer)| self.unplaced.take_held_in(livery, *peer));
        held.collect()
    }

    /// Records what is held of the liveries whose held files have changed. `departed` are peers that have left, and `returned`
    /// the members who have listed all their files.
    pub(super) fn record_held(
        &mut self,
        departed: &BTreeSet<PeerId>,
        returned: &BTreeSet<Option<MemberId>>,
        outcome: &mut Outcome,
    ) {
        let touched = self.unplaced.take_touched().into_iter();
        // Files of a member who has left stay held.
        let told = touched.filter(|(_, member, peer)| member.is_none() || !departed.contains(peer));
        let told = told.map(|(livery, member, _)| (livery, member));
        let listed = self.holds.keys().filter(|(_, member)| returned.contains(member));
        let folders: BTreeSet<_> = told.chain(listed.cloned()).collect();
        self.record_holds(folders, outcome);
    }

    fn record_holds(
        &mut self,
        folders: BTreeSet<(String, Option<MemberId>)>,
        outcome: &mut Outcome,
    ) {
        let is_over = |(livery, member): &(String, Option<MemberId>)| {
            self.unplaced.held_in(livery).all(|claim| claim.member != *member)
        };
        // What is held no more makes room for others.
        let (over, held): (Vec<_>, Vec<_>) = folders.into_iter().partition(is_over);
        for (livery, member) in over.into_iter().chain(held) {
            self.record_hold(&livery, member, outcome);
        }
    }

    /// Returns true if one more livery of a member can be held. Another one stays with its member, and waits until there is
    /// room.
    fn has_room_to_hold(&self, member: Option<MemberId>) -> bool {
        let theirs = self.holds.keys().filter(|(_, other)| *other == member).count();
        theirs < HELD_OF_MEMBER_MAX && self.holds.len() < HELD_MAX
    }

    /// Records what the peers of a member have of a livery that is held.
    fn record_hold(&mut self, livery: &str, member: Option<MemberId>, outcome: &mut Outcome) {
        let before = self.holds.get(&(livery.to_owned(), member));
        // An approved update stays recorded until it has arrived.
        let is_decided = |claim: &Claimant| {
            before.is_some() || !self.unplaced.is_awaited(claim.peer, claim.key())
        };
        let claims = self.unplaced.held_in(livery).filter(|claim| claim.member == member);
        let mut claims: Vec<_> = claims.filter(|claim| is_decided(claim)).collect();
        // Of two PCs of one member, the one that reported last counts. A mixture of both is a livery that nobody made.
        let last = claims.iter().map(|claim| (claim.arrival, claim.peer)).max();
        claims.retain(|claim| last.is_some_and(|(_, peer)| claim.peer == peer));
        claims.sort_by_key(|claim| claim.arrival);
        let file = |claim: &Claimant| HeldFile { entry: claim.entry.clone(), base: claim.base };
        let files = claims.iter().map(|claim| (claim.key().clone(), file(claim)));
        let files: BTreeMap<PathKey, _> = files.collect();
        let spelled = claims.last().map(|claim| claim.entry.path.livery().to_owned());
        let decided = before
            .filter(|hold| covers(hold, files.iter().map(|(key, file)| (key, file.entry.content))));
        let state = decided.map_or(HoldState::Waiting, |hold| hold.state);
        let livery = spelled.or_else(|| Some(before?.livery.clone()));
        let Some(livery) = livery else { return };
        if before.is_none() && !self.has_room_to_hold(member) {
            return;
        }
        let hold = HeldLivery { livery, member, state, files: files.into_values().collect() };
        if before != Some(&hold) {
            self.record(Record::Held(hold), outcome);
        }
    }

    pub(super) fn apply_held(&mut self, held: &HeldLivery) {
        let key = (fold(&held.livery), held.member);
        match held.files.is_empty() {
            true => drop(self.holds.remove(&key)),
            false => drop(self.holds.insert(key, held.clone())),
        }
    }

    /// Makes what is held of one member another one's. What is held of both stays with that member.
    pub(super) fn move_holds(&mut self, from: MemberId, to: MemberId, outcome: &mut Outcome) {
        let theirs = self.holds.values().filter(|hold| hold.member == Some(from));
        for hold in theirs.cloned().collect::<Vec<_>>() {
            let there = (fold(&hold.livery), Some(to));
            self.record(Record::Held(HeldLivery { files: Vec::new(), ..hold.clone() }), outcome);
            if !self.holds.contains_key(&there) {
                self.record(Record::Held(HeldLivery { member: Some(to), ..hold }), outcome);
            }
        }
    }

    /// Returns the liveries that are held, ordered by name.
    #[doc(hidden)]
    pub fn held(&self) -> impl Iterator<Item = &HeldLivery> {
        self.holds.values()
    }

    /// Returns the liveries of which `peer` has held files, each with the cause.
    #[cfg(feature = "server")]
    pub(crate) fn held_of(&self, peer: PeerId) -> BTreeMap<&str, HoldCause> {
        let mut liveries: BTreeMap<&str, Vec<&Claimant>> = BTreeMap::new();
        let held = self.unplaced.held_of(peer);
        for claim in held.filter(|claim| !self.unplaced.is_awaited(peer, claim.key())) {
            liveries.entry(claim.entry.path.livery()).or_default().push(claim);
        }
        let causes = liveries.into_iter().map(|(livery, claims)| {
            let files = || claims.iter().map(|claim| (claim.key(), claim.entry.content));
            let hold = claims
                .first()
                .and_then(|claim| self.holds.get(&(claim.key().livery().to_owned(), claim.member)));
            let member = claims.first().and_then(|claim| claim.member);
            if hold.is_none() && !self.has_room_to_hold(member) {
                let limit = Some(HELD_OF_MEMBER_MAX as u64);
                return (livery, HoldCause { limit, ..HoldCause::new(HoldReason::MemberLiveries) });
            }
            // What was decided about the member's other PC says nothing about this one.
            let own = hold.filter(|hold| covers(hold, files()));
            let state = own.map_or(HoldState::Waiting, |hold| hold.state);
            (livery, self.hold_cause(&held_livery(livery, state, &claims)))
        });
        causes.collect()
    }

    /// Returns true if `peer` has a held file at a name.
    #[cfg(feature = "server")]
    pub(crate) fn is_held(&self, peer: PeerId, key: &PathKey) -> bool {
        self.unplaced.held_file(peer, key).is_some()
    }

    /// Returns the files that are held and may still be approved, each with its content.
    #[cfg(feature = "server")]
    pub(crate) fn held_files(&self) -> impl Iterator<Item = (&PathKey, Content)> {
        let holds = self.holds.values().filter(|hold| hold.state != HoldState::Rejected);
        let files = holds.flat_map(|hold| &hold.files);
        let files = files.filter(|file| !self.is_blocked(file.entry.content));
        files.map(|file| (file.entry.path.key(), file.entry.content))
    }

    /// Forgets what members without a key had, who are all gone.
    #[doc(hidden)]
    pub fn release_strangers(&mut self) -> Vec<Record> {
        let mut outcome = Outcome::default();
        let strangers = self.holds.values().filter(|hold| hold.member.is_none());
        let gone = strangers.map(|hold| HeldLivery { files: Vec::new(), ..hold.clone() });
        for gone in gone.collect::<Vec<_>>() {
            self.record(Record::Held(gone), &mut outcome);
        }
        outcome.records
    }

    /// Ends the freezes that are over at a date.
    #[doc(hidden)]
    pub fn end_freezes(&mut self, date: UnixTime) -> Option<Outcome> {
        let lasting = self.settings.frozen.at(date);
        if lasting == self.settings.frozen {
            return None;
        }
        let mut outcome = self.begin_step();
        let (setting, value) = (Setting::Frozen, lasting.to_string());
        self.record(Record::Set { setting, value }, &mut outcome);
        self.place_held(Vec::new(), &mut outcome);
        Some(outcome)
    }

    /// Records a decision about held liveries: those named, or all that wait if none is named, of one member if `from` says so.
    pub(super) fn decide(
        &mut self,
        liveries: &[String],
        from: Option<MemberId>,
        state: HoldState,
        outcome: &mut Outcome,
    ) -> Result<(), ActError> {
        let named: BTreeSet<_> = liveries.iter().map(|livery| fold(livery)).collect();
        let is_held = |livery: &String| self.holds.keys().any(|(held, _)| *held == fold(livery));
        if let Some(livery) = liveries.iter().find(|livery| !is_held(livery)) {
            return Err(ActError::NotHeld { livery: livery.clone() });
        }
        let decided = self.holds.iter().filter(|((livery, member), hold)| {
            let is_meant = match named.is_empty() {
                true => hold.state == HoldState::Waiting,
                false => named.contains(livery),
            };
            is_meant && from.is_none_or(|from| *member == Some(from))
        });
        let decided = decided.map(|(_, hold)| HeldLivery { state, ..hold.clone() });
        for hold in decided.collect::<Vec<_>>() {
            self.record(Record::Held(hold), outcome);
        }
        Ok(())
    }

    /// Places `others`, and what is held and need not wait any more.
    pub(super) fn place_held(&mut self, others: Vec<Claimant>, outcome: &mut Outcome) {
        let held = self.unplaced.take_all_held();
        let absent = self.claims_of_absent(&held, outcome);
        let moves: Vec<_> = held.iter().filter_map(Moves::of_held).collect();
        let stand_ins = absent.iter().map(|claim| (claim.peer, claim.member, claim.entry.clone()));
        let stand_ins: Vec<_> = stand_ins.collect();
        self.place_claimants(others.into_iter().chain(held).chain(absent).collect(), outcome);
        let mut placed = Vec::new();
        for (peer, member, Entry { path, content, .. }) in stand_ins {
            self.remove_file(peer, path.key(), content, outcome);
            placed.push((path.key().livery().to_owned(), member));
        }
        self.retire_moved(&moves, outcome);
        let touched = self.unplaced.take_touched().into_iter();
        let touched = touched.map(|(livery, member, _)| (livery, member));
        self.record_holds(touched.chain(placed).collect(), outcome);
    }

    /// Returns claims for what is held of absent members and need not wait any more. Nobody but the server has these files, so
    /// they are placed once it has all of them. Their member brings the others.
    fn claims_of_absent(&mut self, held: &[Claimant], outcome: &mut Outcome) -> Vec<Claimant> {
        let present: BTreeSet<_> =
            held.iter().map(|claim| (claim.key().livery().to_owned(), claim.member)).collect();
        let mut planned = Planned::default();
        let absent = self.holds.iter().filter(|(key, _)| !present.contains(*key));
        let absent = absent.filter(|(key, hold)| !self.is_waiting(&key.0, hold, &mut planned));
        let absent: Vec<_> = absent.map(|(_, hold)| hold.clone()).collect();
        let mut claims = Vec::new();
        for (hold, number) in absent.into_iter().zip(0..) {
            if hold.files.iter().all(|file| self.is_verified(file.entry.content)) {
                claims.extend(claims_of(&hold, ABSENT + number));
            } else if hold.state == HoldState::Waiting {
                // Nothing was decided about it, so its member only has to bring it again.
                self.record(Record::Held(HeldLivery { files: Vec::new(), ..hold }), outcome);
            }
        }
        claims
    }

    /// Refuses an act on a livery that is frozen.
    pub(super) fn check_thawed(&self, livery: &str) -> Result<(), ActError> {
        match self.is_frozen(livery) {
            true => Err(ActError::Frozen { livery: livery.to_owned() }),
            false => Ok(()),
        }
    }
}

/// Returns the claims of a peer to what is held of a member.
pub(super) fn claims_of(hold: &HeldLivery, peer: u64) -> Vec<Claimant> {
    let claim = |file: &HeldFile| Claimant {
        peer: PeerId(peer),
        entry: file.entry.clone(),
        base: file.base,
        unchecked: true,
        arrival: peer,
        member: hold.member,
        returned: false,
        replaces: None,
        begins: false,
    };
    hold.files.iter().map(claim).collect()
}

/// Returns the held claims of a peer to a livery as what is held of it.
#[cfg(feature = "server")]
fn held_livery(livery: &str, state: HoldState, claims: &[&Claimant]) -> HeldLivery {
    let file = |claim: &&Claimant| HeldFile { entry: claim.entry.clone(), base: claim.base };
    let member = claims.first().and_then(|claim| claim.member);
    let files = claims.iter().map(file).collect();
    HeldLivery { livery: livery.to_owned(), member, state, files }
}

/// Returns true if all these files are held as they are.
fn covers<'a>(hold: &HeldLivery, mut files: impl Iterator<Item = (&'a PathKey, Content)>) -> bool {
    let held: BTreeMap<_, _> =
        hold.files.iter().map(|file| (file.entry.path.key(), file.entry.content)).collect();
    files.all(|(key, content)| held.get(key) == Some(&content))
}
