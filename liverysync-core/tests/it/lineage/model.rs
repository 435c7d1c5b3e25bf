//! A second, naive implementation of the union's rules.
//!
//! The model keeps its facts about each name and each member's file in plain maps, and searches all of them for every
//! answer.

pub(super) mod placing;

use super::{held::Holds, limits::Limits, *};

/// The relation of a member's file to a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SyncStatus {
    /// The name has the file's content.
    For(String),
    /// The file's content was replaced or declined, here or at the name under which it was filed.
    Behind(String),
    /// The file will be placed again.
    Refused,
    /// The file waits for an admin, or for the end of a freeze.
    Held,
    /// The file waits for the contents of the update that it is part of.
    Awaited,
}

impl SyncStatus {
    /// Returns true if the file is not placed yet.
    pub(super) fn waits(&self) -> bool {
        matches!(self, Self::Held | Self::Awaited)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) member: u64,
    pub(super) name: String,
    pub(super) content: Content,
    pub(super) base: Option<ContentHash>,
    /// Set if nobody has looked yet whether it is damaged.
    pub(super) unchecked: bool,
    pub(super) arrival: u64,
    /// Set if its member has just returned.
    pub(super) returned: bool,
    /// The other name under which the file there was filed until now, if any.
    pub(super) replaces: Option<String>,
    /// Set if it is part of a new livery under a retired name.
    pub(super) begins: bool,
}

impl Claim {
    fn of(change: &Change, gained: &Gained) -> Self {
        Self {
            member: change.peer.0,
            name: gained.entry.path.as_str().to_owned(),
            content: gained.entry.content,
            base: gained.base,
            unchecked: gained.unchecked,
            arrival: change.arrival,
            returned: change.complete,
            replaces: None,
            begins: false,
        }
    }
}

/// The complete state of a league.
#[derive(Clone, Default)]
pub(super) struct Model {
    pub(super) policy: Policy,
    pub(super) updates: Updates,
    pub(super) scope: Scope,
    /// The contents of each name, with the step from which it had them.
    pub(super) past: BTreeMap<String, Vec<(u64, Option<Content>)>>,
    /// The authors of each name's contents, by the number of the change.
    pub(super) authors: BTreeMap<(String, usize), Option<MemberId>>,
    /// The changes in which an earlier content expired.
    pub(super) takings_back: BTreeSet<(String, usize)>,
    pub(super) declined: BTreeSet<(String, Content)>,
    /// Names that got their first content in a conflict.
    pub(super) rival_names: BTreeSet<String>,
    pub(super) verified: BTreeSet<Content>,
    pub(super) owners: BTreeMap<String, BTreeSet<MemberId>>,
    /// Liveries whose owner has only brought them first.
    pub(super) presumed: BTreeSet<String>,
    /// Liveries with the members who have had them, or were offered them.
    pub(super) met: BTreeSet<(String, MemberId)>,
    pub(super) files: BTreeMap<(u64, String), (Claim, SyncStatus)>,
    /// Files with their own name's content that are filed in a conflict folder too.
    pub(super) also: BTreeMap<(u64, String), String>,
    pub(super) approval: bool,
    /// The frozen liveries, each with the end if it has one.
    pub(super) frozen: Vec<(String, Option<i64>)>,
    pub(super) holds: Holds,
    /// The members with updates for which contents have arrived, each with the livery.
    pub(super) arrived: BTreeSet<(String, u64)>,
    pub(super) blocked: BTreeSet<Content>,
    pub(super) limits: Limits,
    /// The connected members.
    pub(super) here: BTreeSet<u64>,
    pub(super) steps: u64,
    /// Number of the current step.
    pub(super) step: u64,
    /// Names that have lost a holder.
    pub(super) left: BTreeSet<String>,
}

impl Model {
    pub(super) fn now(&self, name: &str) -> Option<Content> {
        self.past.get(name)?.last()?.1
    }

    pub(super) fn names(&self) -> Vec<(String, Content)> {
        let held = self.past.keys().filter_map(|name| Some((name.clone(), self.now(name)?)));
        held.collect()
    }

    pub(super) fn names_of(&self, of: &str) -> Vec<(String, Content)> {
        self.names().into_iter().filter(|(name, _)| livery(name) == of).collect()
    }

    pub(super) fn had(&self, name: &str, is: impl Fn(Content) -> bool) -> bool {
        let took_back = |at: usize| self.takings_back.contains(&(name.to_owned(), at));
        let past = self.past.get(name).into_iter().flatten().enumerate();
        let for_good = past.filter(|(at, _)| !took_back(at + 1));
        let held = for_good.filter_map(|(_, (_, content))| *content);
        let declined = self.declined.iter().filter(|(there, _)| there == name);
        held.chain(declined.map(|(_, content)| *content)).any(is)
    }

    /// Returns true if a name had a content that somebody sent, or declined it.
    fn had_for_good(&self, name: &str, content: Content) -> bool {
        self.declined.contains(&(name.to_owned(), content))
            || self.verified.contains(&content) && self.had(name, |had| had == content)
    }

    /// Returns true if a livery was retired and nobody has begun another one.
    fn is_retired(&self, of: &str) -> bool {
        let mut names = self.past.iter().filter(|(name, _)| livery(name) == of);
        self.is_vacant(of) && names.any(|(_, past)| past.last().unwrap().1.is_none())
    }

    /// Makes a member's folder a new livery if it has a file that the retired livery of its name never had.
    fn begin_liveries(&mut self, mut claims: Vec<Claim>) -> Vec<Claim> {
        let folders = claims.iter().map(|claim| (claim.member, livery(&claim.name).to_owned()));
        for (member, of) in folders.collect::<BTreeSet<_>>() {
            let is_in = |claim: &Claim| claim.member == member && livery(&claim.name) == of;
            let unplaced = |claim: &Claim, sync_status: &SyncStatus| {
                is_in(claim) && !matches!(sync_status, SyncStatus::For(_))
            };
            let kept = self.files.values().filter(|(claim, status)| unplaced(claim, status));
            let folder = kept.map(|(claim, _)| claim).chain(claims.iter().filter(|c| is_in(c)));
            let is_old = folder.clone().all(|file| self.had_for_good(&file.name, file.content));
            if is_old || !self.is_retired(&of) {
                continue;
            }
            let first = claims.iter().find(|claim| is_in(claim)).unwrap();
            let (arrival, has_returned) = (first.arrival, first.returned);
            let kept = self.files.extract_if(.., |_, (claim, status)| unplaced(claim, status));
            for (_, (file, status)) in kept.collect::<Vec<_>>() {
                let is_refused = status == SyncStatus::Refused;
                let returned = if is_refused { file.returned } else { has_returned };
                if !claims.iter().any(|claim| is_in(claim) && claim.name == file.name) {
                    claims.push(Claim { arrival, returned, ..file });
                }
            }
            for claim in claims.iter_mut().filter(|claim| is_in(claim)) {
                (claim.base, claim.replaces, claim.begins) = (None, None, true);
            }
        }
        claims
    }

    /// Returns true if a name's last change was the expiry of this content.
    fn just_expired(&self, name: &str, content: Content) -> bool {
        let past = self.past.get(name).map_or(&[][..], Vec::as_slice);
        let last = past.len().saturating_sub(1);
        let before = past.iter().rev().nth(1).and_then(|(_, content)| *content);
        self.takings_back.contains(&(name.to_owned(), last)) && before == Some(content)
    }

    /// Returns the author of a name's content.
    pub(super) fn author_of(&self, name: &str) -> Option<MemberId> {
        *self.authors.get(&(name.to_owned(), self.past[name].len() - 1)).unwrap()
    }

    pub(super) fn holders(&self, name: &str) -> BTreeSet<u64> {
        let for_it = |sync_status: &SyncStatus| *sync_status == SyncStatus::For(name.to_owned());
        let files = self.files.values().filter(|(_, sync_status)| for_it(sync_status));
        let also = self.also.iter().filter(|(_, other)| *other == name);
        let also = also.map(|((member, _), _)| *member);
        files.map(|(claim, _)| claim.member).chain(also).collect()
    }

    /// Removes a file, and its member from the holders of its name.
    pub(super) fn take_out(&mut self, member: u64, name: &str) {
        let file = (member, name.to_owned());
        self.left.extend(self.also.remove(&file));
        if let Some((_, SyncStatus::For(name))) = self.files.remove(&file) {
            self.left.insert(name);
        }
    }

    /// Returns true if nobody holds a name's content and nobody ever sent it.
    fn is_orphan(&self, name: &str) -> bool {
        let now = self.now(name);
        now.is_some_and(|now| !self.verified.contains(&now)) && self.holders(name).is_empty()
    }

    /// Gives a name another content. Holders of the old one become outdated, and files with the new one become holders.
    pub(super) fn put(&mut self, name: &str, content: Option<Content>, author: Option<MemberId>) {
        self.also.retain(|_, other| other != name);
        for (claim, sync_status) in self.files.values_mut() {
            if *sync_status == SyncStatus::For(name.to_owned()) {
                *sync_status = SyncStatus::Behind(name.to_owned());
            }
            if claim.name == name && Some(claim.content) == content {
                let before = std::mem::replace(sync_status, SyncStatus::For(name.to_owned()));
                if let SyncStatus::For(left) = before {
                    self.left.insert(left);
                }
                self.left.extend(self.also.remove(&(claim.member, claim.name.clone())));
            }
        }
        let past = self.past.entry(name.to_owned()).or_default();
        self.authors.insert((name.to_owned(), past.len()), author);
        past.push((self.step, content));
        self.steps = self.step;
    }

    /// Expires the content of a name. Returns the claims to place again.
    fn expire(&mut self, name: &str) -> Vec<Claim> {
        let now = self.now(name);
        if now.is_none() {
            return Vec::new();
        }
        let is_behind = |content| {
            let mut files = self.files.values();
            files.any(|(claim, sync_status)| {
                let is_behind = matches!(sync_status, SyncStatus::Behind(_));
                is_behind && claim.name == name && claim.content == content
            })
        };
        let held = self.past[name].iter().enumerate().rev();
        let held = held.map_while(|(at, (_, content))| Some((at, (*content)?)));
        let mut others = held.filter(|(_, content)| Some(*content) != now);
        let exists = |content| {
            let is_there = self.verified.contains(&content) || is_behind(content);
            is_there && !self.is_blocked(content)
        };
        match others.find(|(_, content)| exists(*content)) {
            Some((at, before)) => {
                self.takings_back.insert((name.to_owned(), self.past[name].len()));
                self.put(name, Some(before), self.authors[&(name.to_owned(), at)]);
                Vec::new()
            }
            None => {
                let mut names = self.unfinished_with(name);
                names.push(name.to_owned());
                names.iter().flat_map(|name| self.free(name)).collect()
            }
        }
    }

    /// Returns the other names with which a name began a livery, of the same author, that nobody holds.
    fn unfinished_with(&self, name: &str) -> Vec<String> {
        let begun = |name: &str| {
            let since = self.past[name].iter().rev().take_while(|(_, content)| content.is_some());
            since.last().unwrap().0
        };
        let is_copy = |name: &str| plain(name) != name && self.rival_names.contains(name);
        let names = self.names_of(livery(name)).into_iter().map(|(name, _)| name);
        let names: Vec<_> = names.filter(|other| !is_copy(other)).collect();
        if is_copy(name) || names.iter().any(|other| begun(other) < begun(name)) {
            return Vec::new();
        }
        let has_outdated = |name: &String| {
            let mut files = self.files.values();
            files.any(|(claim, status)| {
                claim.name == *name && matches!(status, SyncStatus::Behind(_))
            })
        };
        let goes = |other: &String| {
            other != name
                && !has_outdated(other)
                && self.author_of(other) == self.author_of(name)
                && self.holders(other).is_empty()
        };
        names.into_iter().filter(goes).collect()
    }

    /// Frees a name. Returns the claims to place again.
    fn free(&mut self, name: &str) -> Vec<Claim> {
        let is_final =
            |content: Option<Content>| content.is_none_or(|content| self.is_blocked(content));
        if self.past[name].iter().any(|(_, content)| is_final(*content)) {
            self.put(name, None, None);
        } else {
            self.past.remove(name);
            self.rival_names.remove(name);
            self.takings_back.retain(|(there, _)| there != name);
        }
        // Files that are still outdated at the name itself were declined, and stay so.
        let rivals = self.files.values_mut().filter(|(claim, _)| claim.name != name);
        for (_, sync_status) in rivals {
            if *sync_status == SyncStatus::Behind(name.to_owned()) {
                *sync_status = SyncStatus::Refused;
            }
        }
        let of = livery(name);
        let open = self.is_vacant(of);
        let taken: BTreeSet<_> = self.names().into_iter().map(|(name, _)| name).collect();
        let free = |claim: &Claim, sync_status: &SyncStatus| {
            let asked = match self.scope {
                _ if open => livery(&claim.name) == of && !taken.contains(&claim.name),
                Scope::File => claim.name == name,
                Scope::Livery => false,
                other => unreachable!("{other:?}"),
            };
            *sync_status == SyncStatus::Refused
                || asked && matches!(sync_status, SyncStatus::For(_))
        };
        let again = self.files.extract_if(.., |_, (claim, sync_status)| free(claim, sync_status));
        let (again, sync_statuses): (Vec<_>, Vec<_>) = again.map(|(_, file)| file).unzip();
        for sync_status in sync_statuses {
            if let SyncStatus::For(left) = sync_status {
                self.left.insert(left);
            }
        }
        again
    }

    pub(super) fn step(&mut self, changes: &[Change]) {
        self.step = self.steps + 1;
        let mut claims = Vec::new();
        for change in changes {
            self.note_presence(change);
            let counted = |name: &str| match self.files.get(&(change.peer.0, name.to_owned())) {
                Some((_, SyncStatus::For(other))) if *other != name => Some(other.clone()),
                _ => None,
            };
            let lost = change.lost.iter().map(|lost| lost.path.as_str().to_owned());
            let counted: BTreeMap<_, _> =
                lost.filter_map(|lost| Some((lost.clone(), counted(&lost)?))).collect();
            for lost in &change.lost {
                self.take_out(change.peer.0, lost.path.as_str());
            }
            let claimed = change.gained.iter().map(|gained| {
                let claim = Claim::of(change, gained);
                Claim { replaces: counted.get(&claim.name).cloned(), ..claim }
            });
            claims.extend(claimed.filter(|claim| !self.is_known(claim)));
        }
        let in_place = |claim: &mut Claim| self.now(&claim.name) == Some(claim.content);
        for claim in claims.extract_if(.., in_place).collect::<Vec<_>>() {
            let sync_status = SyncStatus::For(claim.name.clone());
            self.keep(claim, sync_status);
        }
        for change in changes.iter().filter(|change| change.complete) {
            let names = self.names().into_iter().map(|(name, _)| name);
            let brought = names.filter(|name| self.author_of(name) == change.member);
            let held = |name: &String| {
                let mut files = self.files.values();
                files.any(|(file, status)| {
                    let is_theirs = author(file.member) == change.member;
                    is_theirs && file.name == *name && status.waits()
                })
            };
            let missed = brought
                .filter(|name| !claims.iter().any(|claim| claim.name == *name) && !held(name));
            let missed: Vec<_> = missed.collect();
            self.left.extend(missed);
        }
        for change in changes {
            claims.extend(self.take_held_of(change));
        }
        let arrived = self.take_arrived();
        claims.extend(arrived.iter().cloned());
        loop {
            let before = (self.steps, self.past.clone());
            self.settle(claims);
            changes.iter().for_each(|change| self.retire_moved(change));
            arrived.iter().for_each(|claim| self.retire_moved_of(claim));
            // What came and went may have made room for what is held, or have made it no change.
            if before == (self.steps, self.past.clone()) {
                break;
            }
            claims = changes.iter().flat_map(|change| self.take_held_of(change)).collect();
        }
        changes.iter().for_each(|change| self.end_presumptions(change));
        self.record_holds();
    }

    /// Takes a livery from the member who brought it first, if another one brings the same files.
    fn end_presumptions(&mut self, change: &Change) {
        let Some(author) = change.member else { return };
        let names = change.gained.iter().map(|gained| gained.entry.path.as_str());
        for of in names.clone().map(livery).collect::<BTreeSet<_>>() {
            let reported: BTreeSet<_> = names.clone().collect();
            let own = self.names_of(of).into_iter().map(|(name, _)| name);
            let own: Vec<_> = own
                .filter(|name| plain(name) == *name || !self.rival_names.contains(name))
                .collect();
            let has_it = |name: &String| {
                let file = self.files.get(&(change.peer.0, name.clone()));
                reported.contains(&**name)
                    && file.is_some_and(|(_, status)| *status == SyncStatus::For(name.clone()))
            };
            let has_all = !own.is_empty() && own.iter().all(has_it);
            let is_first = self.met.insert((of.to_owned(), author));
            if is_first && has_all && !self.owns(of, change.peer.0) && self.presumed.remove(of) {
                self.owners.insert(of.to_owned(), BTreeSet::new());
            }
        }
    }

    /// Makes a member the presumed owner of a livery.
    pub(super) fn presume(&mut self, of: &str, owner: MemberId) {
        self.owners.insert(of.to_owned(), BTreeSet::from([owner]));
        self.presumed.insert(of.to_owned());
        self.met.retain(|(livery, _)| livery != of);
    }

    /// Makes the author of an update the owner, if there is none.
    pub(super) fn confirm(&mut self, of: &str, member: u64) {
        let Some(author) = author(member) else { return };
        let owners = self.owners.entry(of.to_owned()).or_default();
        if owners.is_empty() || owners.contains(&author) {
            owners.insert(author);
            self.presumed.remove(of);
        }
    }

    /// Retires the conflict copies that a change has moved to names of their author's own.
    pub(super) fn retire_moved(&mut self, change: &Change) {
        let member = change.peer.0;
        let gained = change.gained.iter().map(|gained| gained.entry.content);
        let contents: BTreeSet<_> =
            change.lost.iter().map(|lost| lost.content).chain(gained).collect();
        let copies = self
            .names()
            .into_iter()
            .filter(|(name, content)| contents.contains(content) && self.is_copy_of(name, member));
        let mut moved = BTreeSet::new();
        for (copy, content) in copies {
            let elsewhere = self.own_names(content, member).into_iter();
            if in_claimed(&copy) == copy {
                let mut elsewhere = elsewhere.filter(|name| {
                    livery(name) != livery(&copy) && livery(name) != livery(&plain(&copy))
                });
                if elsewhere.next().is_some() && self.is_left(&copy, member) {
                    moved.insert(copy);
                }
                continue;
            }
            let files = self.names_of(livery(&copy));
            let is_in = |other: &str| {
                files.iter().all(|(file, content)| {
                    let name = format!("{other}/{}", file.split_once('/').unwrap().1);
                    self.own_names(*content, member).contains(&name)
                })
            };
            let mut elsewhere = elsewhere.map(|name| livery(&name).to_owned());
            let is_theirs = |(file, _): &(String, _)| {
                self.is_left(file, member) && self.is_copy_of(file, member)
            };
            if files.iter().all(is_theirs)
                && elsewhere.any(|other| other != plain_folder(livery(&copy)) && is_in(&other))
            {
                moved.extend(files.into_iter().map(|(file, _)| file));
            }
        }
        let moved = moved.into_iter().filter(|name| !self.is_frozen(livery(name)));
        moved.collect::<Vec<_>>().iter().for_each(|name| self.put(name, None, None));
    }

    /// Returns true if a name is a conflict copy that a member brought.
    fn is_copy_of(&self, name: &str, member: u64) -> bool {
        let is_named = plain(name) != name || in_claimed(name) != name;
        let author = author(member);
        let is_theirs = author.is_some() && self.author_of(name) == author;
        self.rival_names.contains(name) && is_named && is_theirs
    }

    /// Returns the plain names with a content under which a member has it.
    fn own_names(&self, content: Content, member: u64) -> BTreeSet<String> {
        let names = self.names().into_iter().filter(|(name, now)| {
            let file = self.files.get(&(member, name.clone()));
            let is_home = file.is_some_and(|(_, status)| *status == SyncStatus::For(name.clone()));
            is_home && *now == content && plain(name) == *name && in_claimed(name) == *name
        });
        names.map(|(name, _)| name).collect()
    }

    /// Returns true if a member has left a conflict copy, and nobody has it under another name.
    fn is_left(&self, copy: &str, member: u64) -> bool {
        let mut files = self.files.values();
        let is_for_it = |status: &SyncStatus| *status == SyncStatus::For(copy.to_owned());
        files.all(|(claim, status)| {
            !is_for_it(status) || claim.member != member && claim.name == copy
        })
    }

    pub(super) fn settle(&mut self, mut claims: Vec<Claim>) {
        loop {
            claims.extend(self.expire_orphans());
            claims.extend(self.take_overtaken());
            if claims.is_empty() {
                return;
            }
            claims = self.place_all(claims);
        }
    }

    /// Expires all orphans. Returns the claims to place again.
    fn expire_orphans(&mut self) -> Vec<Claim> {
        let mut again = Vec::new();
        loop {
            let left = std::mem::take(&mut self.left);
            let vain: Vec<_> = left.into_iter().filter(|name| self.is_orphan(name)).collect();
            if vain.is_empty() {
                return again;
            }
            for name in vain {
                again.extend(self.expire(&name));
            }
        }
    }

    pub(super) fn keep(&mut self, claim: Claim, sync_status: SyncStatus) {
        let claim = Claim { begins: false, ..claim };
        self.files.insert((claim.member, claim.name.clone()), (claim, sync_status));
    }

    /// Returns true if a claim repeats a known file whose name has another content.
    fn is_known(&self, claim: &Claim) -> bool {
        let file = self.files.get(&(claim.member, claim.name.clone()));
        file.is_some_and(|(known, sync_status)| {
            *sync_status != SyncStatus::For(claim.name.clone()) && known.content == claim.content
        })
    }

    /// Returns true if a livery has no files, or only conflict copies.
    pub(super) fn is_vacant(&self, of: &str) -> bool {
        let is_copy = |name: &String| plain(name) != *name && self.rival_names.contains(name);
        self.names_of(of).iter().all(|(name, _)| is_copy(name))
    }

    /// Returns true if a name is the conflict name of a content that it had.
    pub(super) fn is_copy(&self, name: &str) -> bool {
        let file = name.rsplit('/').next().unwrap();
        let held = self.past.get(name).into_iter().flatten().filter_map(|(_, held)| *held);
        let mut marks = held.map(|held| format!("__CONFLICT__{}", held.hash.short()));
        marks.any(|change_tag| file.contains(&change_tag))
    }
}
