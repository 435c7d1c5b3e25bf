//! A second, naive implementation of the union's rules.
//!
//! The model keeps its facts about each name and each member's file in plain maps, and searches all of them for every
//! answer.

use super::*;

/// The relation of a member's file to a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SyncStatus {
    /// The name has the file's content.
    For(String),
    /// The file's content was replaced or declined, here or at the name under which it was filed.
    Behind(String),
    /// The file will be placed again.
    Refused,
}

#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) member: u64,
    pub(super) name: String,
    pub(super) content: Content,
    pub(super) base: Option<ContentHash>,
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
    pub(super) files: BTreeMap<(u64, String), (Claim, SyncStatus)>,
    /// Files with their own name's content that are filed in a conflict folder too.
    pub(super) also: BTreeMap<(u64, String), String>,
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
            let arrival = claims.iter().find(|claim| is_in(claim)).unwrap().arrival;
            let kept = self.files.extract_if(.., |_, (claim, status)| unplaced(claim, status));
            for (_, (file, _)) in kept.collect::<Vec<_>>() {
                if !claims.iter().any(|claim| is_in(claim) && claim.name == file.name) {
                    claims.push(Claim { arrival, ..file });
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
    fn take_out(&mut self, member: u64, name: &str) {
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
        match others.find(|(_, content)| self.verified.contains(content) || is_behind(*content)) {
            Some((at, before)) => {
                self.takings_back.insert((name.to_owned(), self.past[name].len()));
                self.put(name, Some(before), self.authors[&(name.to_owned(), at)]);
                Vec::new()
            }
            None => {
                if self.past[name].iter().any(|(_, content)| content.is_none()) {
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
                let again =
                    self.files.extract_if(.., |_, (claim, sync_status)| free(claim, sync_status));
                let (again, sync_statuses): (Vec<_>, Vec<_>) = again.map(|(_, file)| file).unzip();
                for sync_status in sync_statuses {
                    if let SyncStatus::For(left) = sync_status {
                        self.left.insert(left);
                    }
                }
                again
            }
        }
    }

    pub(super) fn step(&mut self, changes: &[Change]) {
        self.step = self.steps + 1;
        let mut claims = Vec::new();
        for change in changes {
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
            let missed = brought.filter(|name| !claims.iter().any(|claim| claim.name == *name));
            let missed: Vec<_> = missed.collect();
            self.left.extend(missed);
        }
        self.settle(claims);
        changes.iter().for_each(|change| self.retire_moved(change));
    }

    /// Retires the conflict copies that a change has moved to names of their author's own.
    fn retire_moved(&mut self, change: &Change) {
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
        moved.iter().for_each(|name| self.put(name, None, None));
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

    fn keep(&mut self, claim: Claim, sync_status: SyncStatus) {
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

    /// Returns the claims to place again.
    fn place_all(&mut self, claims: Vec<Claim>) -> Vec<Claim> {
        let claims = self.begin_liveries(claims);
        if self.scope == Scope::File {
            return self.place_files(claims);
        }
        let (folders, loose) = claims.into_iter().partition(|claim| claim.name.contains('/'));
        let mut again = self.place_files(loose);
        let folders: Vec<Claim> = folders;
        let liveries: BTreeSet<_> =
            folders.iter().map(|claim| livery(&claim.name).to_lowercase()).collect();
        for of in liveries {
            let of_it = |claim: &&Claim| livery(&claim.name).to_lowercase() == of;
            let members: BTreeSet<_> = folders.iter().filter(of_it).map(|c| c.member).collect();
            let groups = members.into_iter().map(|member| {
                let own = folders.iter().filter(of_it).filter(|claim| claim.member == member);
                let mut own: Vec<_> = own.cloned().collect();
                own.sort_by_key(|claim| claim.name.to_lowercase());
                own
            });
            let mut groups: Vec<_> = groups.collect();
            groups.sort_by_cached_key(|claims| {
                let hash = hash_of(&self.files_of(claims));
                let mtime = claims.iter().filter_map(|claim| mtime_of(claim.content)).max();
                let arrival = claims.iter().map(|claim| claim.arrival).min().unwrap();
                let rank = match self.policy {
                    Policy::Established => (Reverse(None), arrival, hash),
                    Policy::LowestHash => (Reverse(None), 0, hash),
                    Policy::NewestMtime => (Reverse(mtime), arrival, hash),
                    other => unreachable!("{other:?}"),
                };
                (!claims.iter().any(|claim| self.is_update(claim)), rank)
            });
            for claims in groups {
                let of = livery(&claims[0].name).to_owned();
                for claim in &claims {
                    again.extend(self.expire_orphan_at(claim));
                }
                let is_left =
                    |claim: &Claim| self.is_free(claim) && self.name_to_reattach(claim).is_some();
                let (left, claims): (Vec<_>, Vec<_>) = claims.into_iter().partition(is_left);
                left.into_iter().for_each(|claim| self.reattach(claim));
                let is_another_livery = self.is_another_livery(&claims);
                if is_another_livery || claims.iter().any(|claim| self.is_foreign(claim)) {
                    again.extend(self.expire_orphans_of(&of));
                }
                let is_another_livery = is_another_livery && !self.is_vacant(&of);
                let goes = |claim: &Claim| {
                    let is_new = self.is_free(claim) && self.may_add(claim);
                    let goes = self.is_rival(claim) || self.is_foreign(claim);
                    goes || is_new && is_another_livery || self.completes_own_folder(&of, claim)
                };
                let (rivals, others): (Vec<_>, Vec<_>) = claims.into_iter().partition(goes);
                let own = rivals.first().map(|first| self.own_folders(&of, first));
                let mut own = own.into_iter().flatten();
                match own.find(|folder| self.fits(folder, &rivals)) {
                    _ if rivals.is_empty() => {
                        others.into_iter().for_each(|claim| self.place_one(claim));
                    }
                    Some(folder) => {
                        others.into_iter().for_each(|claim| self.place_one(claim));
                        rivals.into_iter().for_each(|claim| self.separate_one(&folder, claim));
                    }
                    None => self.separate(&rivals.into_iter().chain(others).collect::<Vec<_>>()),
                }
            }
        }
        again
    }

    /// Returns true if a claim's name is free, and never had its content or its base.
    fn is_free(&self, claim: &Claim) -> bool {
        self.now(&claim.name).is_none()
            && (claim.begins
                || self.is_declined_and_owners(claim)
                || !self.had_for_good(&claim.name, claim.content))
    }

    /// Returns true if an owner brings a content that was declined from others.
    fn is_declined_and_owners(&self, claim: &Claim) -> bool {
        let held = |(there, content): &(String, Content)| {
            *there == claim.name && *content == claim.content
        };
        let declined = self.declined.iter().any(held);
        let name = (claim.name.clone(), claim.content);
        let mut without = self.declined.clone();
        without.remove(&name);
        let alone = Self { declined: without, ..self.clone() };
        declined
            && self.owns(livery(&claim.name), claim.member)
            && !alone.had(&claim.name, |had| had == claim.content)
    }

    /// Returns true if a member brings files without any collision to a livery in which they have no part, or of which they have
    /// a conflicting one.
    fn is_another_livery(&self, claims: &[Claim]) -> bool {
        let is_new = |claim: &Claim| self.is_free(claim) && self.may_add(claim);
        let Some(claim) = claims.iter().find(|claim| is_new(claim)) else { return false };
        let of = livery(&claim.name);
        let held = |file: &Claim| {
            let past = self.past.get(&file.name).map_or(&[][..], Vec::as_slice);
            let took_back = |at: usize| self.takings_back.contains(&(file.name.clone(), at + 1));
            let for_good = past.iter().enumerate().filter(|(at, _)| !took_back(*at));
            let mut held = for_good.filter_map(|(_, (_, held))| *held);
            let is_his = |held: Content| held == file.content || Some(held.hash) == file.base;
            self.now(&file.name).is_some() && held.any(is_his)
        };
        let has_part = || self.files_of(claims).iter().any(held);
        !self.owns(of, claim.member) && (!self.own_folders(of, claim).is_empty() || !has_part())
    }

    fn owns(&self, of: &str, member: u64) -> bool {
        let owners = self.owners.get(of);
        author(member).is_some_and(|author| owners.is_some_and(|o| o.contains(&author)))
    }

    /// Returns the conflict folders of a member's own liveries.
    fn own_folders(&self, of: &str, claim: &Claim) -> BTreeSet<String> {
        if author(claim.member).is_none() {
            let elsewhere =
                self.files.values().filter_map(|(file, sync_status)| match sync_status {
                    SyncStatus::For(name) if *name != file.name => Some((file, name)),
                    _ => None,
                });
            let his = |file: &Claim| file.member == claim.member && livery(&file.name) == of;
            let his = elsewhere.filter(|(file, _)| his(file));
            let folders = his.map(|(_, name)| livery(name).to_owned());
            return folders.filter(|folder| folder != of).collect();
        }
        let names = self.names().into_iter().map(|(name, _)| name);
        let folders = names.filter(|name| {
            let folder = livery(name);
            name.contains('/') && folder != of && plain_folder(folder) == of
        });
        let own = folders.filter(|name| self.owns(livery(name), claim.member));
        own.map(|name| livery(&name).to_owned()).collect()
    }

    /// Returns true if an update is of a file that its member's own livery lacks.
    fn completes_own_folder(&self, of: &str, claim: &Claim) -> bool {
        let name = |folder: &String| format!("{folder}/{}", claim.name.split_once('/').unwrap().1);
        let lacks = |folder: &String| self.now(&name(folder)).is_none();
        self.is_update(claim)
            && !self.owns(of, claim.member)
            && self.own_folders(of, claim).iter().any(lacks)
    }

    fn is_change_of(&self, claim: &Claim, name: &str) -> bool {
        let now = self.now(name);
        now.is_some_and(|now| claim.base == Some(now.hash))
            || now.is_some() && claim.replaces.as_deref() == Some(name)
    }

    /// Returns true if files in conflict fit into their member's conflict folder.
    fn fits(&self, folder: &str, rivals: &[Claim]) -> bool {
        let fits = |claim: &Claim| {
            let name = format!("{folder}/{}", claim.name.split_once('/').unwrap().1);
            self.is_change_of(claim, &name) || !self.is_taken_for(&name, claim.content)
        };
        let has_owners = self.owners.get(folder).is_some_and(|owners| !owners.is_empty());
        let is_his = !has_owners || self.owns(folder, rivals[0].member);
        is_his && rivals.iter().all(fits)
    }

    /// Returns true if a name has another content, and never had this one.
    fn is_taken_for(&self, name: &str, content: Content) -> bool {
        let now = self.now(name);
        now.is_some_and(|now| now != content) && !self.had(name, |had| had == content)
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

    /// Returns true if a member may add a file to its livery.
    fn may_add(&self, claim: &Claim) -> bool {
        let of = livery(&claim.name);
        let copied = format!("__CONFLICT__{}", claim.content.hash.short());
        self.updates == Updates::Anyone
            || self.owners.get(of).is_none_or(BTreeSet::is_empty)
            || self.owns(of, claim.member)
            || claim.name.rsplit('/').next().unwrap().contains(&copied)
            || self.is_vacant(of)
    }

    fn is_foreign(&self, claim: &Claim) -> bool {
        self.is_free(claim) && !self.may_add(claim)
    }

    /// Expires all orphans of a livery. Returns the claims to place again.
    fn expire_orphans_of(&mut self, of: &str) -> Vec<Claim> {
        let names = by_key(self.names_of(of)).into_iter().map(|(name, _)| name);
        let vain: Vec<_> = names.filter(|name| self.is_orphan(name)).collect();
        vain.iter().flat_map(|name| self.expire(name)).collect()
    }

    /// Returns all files that a member has of a livery, including the claims.
    fn files_of(&self, claims: &[Claim]) -> Vec<Claim> {
        let (member, of) = (claims[0].member, livery(&claims[0].name));
        let own = self.files.values().map(|(claim, sync_status)| match sync_status {
            // The base of a file is forgotten once its own name has or had its content.
            SyncStatus::For(name) | SyncStatus::Behind(name) if *name == claim.name => {
                let (arrival, base, replaces) = (claims[0].arrival, None, None);
                Claim { arrival, base, returned: false, replaces, ..claim.clone() }
            }
            _ => claim.clone(),
        });
        let own = own.filter(|own| own.member == member && livery(&own.name) == of);
        let claimed = |name: &str| claims.iter().any(|claim| claim.name == name);
        let mut files: Vec<_> = own.filter(|own| !claimed(&own.name)).collect();
        files.extend(claims.iter().cloned());
        files.sort_by_key(|claim| claim.name.to_lowercase());
        files
    }

    /// Gives the whole livery a conflict folder.
    fn separate(&mut self, claims: &[Claim]) {
        let files = self.files_of(claims);
        let plain = plain_folder(livery(&claims[0].name));
        let digits = hash_of(&files).short();
        let counters = std::iter::once(String::new()).chain((1..9).map(|n| format!("_{n}")));
        let mut folders = counters.map(|counter| format!("{plain}__CONFLICT__{digits}{counter}"));
        let is_taken = |folder: &str| {
            let name =
                |claim: &Claim| format!("{folder}/{}", claim.name.split_once('/').unwrap().1);
            files.iter().any(|claim| self.is_taken_for(&name(claim), claim.content))
        };
        let is_own = |folder: &str| folder == livery(&claims[0].name);
        let folder = folders.find(|folder| !is_own(folder) && !is_taken(folder)).unwrap();
        files.into_iter().for_each(|claim| self.separate_one(&folder, claim));
    }

    fn separate_one(&mut self, folder: &str, claim: Claim) {
        let name = format!("{folder}/{}", claim.name.split_once('/').unwrap().1);
        let (content, member) = (claim.content, claim.member);
        let file = (member, claim.name.clone());
        let is_home = self.now(&claim.name) == Some(content);
        self.take_out(member, &claim.name);
        if is_home {
            let sync_status = SyncStatus::For(claim.name.clone());
            self.keep(claim.clone(), sync_status);
        } else {
            self.left.insert(claim.name.clone());
        }
        if self.now(&name) != Some(content) && self.is_change_of(&claim, &name) {
            self.put(&name, Some(content), author(member));
        }
        if self.now(&name) != Some(content) && self.had(&name, |had| had == content) {
            if !is_home {
                self.keep(claim, SyncStatus::Behind(name));
            }
            return;
        }
        if self.now(&name).is_none() {
            self.establish(&name, &claim);
            self.rival_names.insert(name.clone());
        }
        if is_home {
            self.also.insert(file, name);
        } else {
            self.keep(claim, SyncStatus::For(name));
        }
    }

    /// Gives a free name its content. The first member of a livery owns it.
    fn establish(&mut self, name: &str, claim: &Claim) {
        let of = livery(name).to_owned();
        if self.is_vacant(&of) && !self.owns(&of, claim.member) {
            self.owners.insert(of, author(claim.member).into_iter().collect());
        }
        self.put(name, Some(claim.content), author(claim.member));
    }

    /// Returns the claims to place again.
    fn place_files(&mut self, mut claims: Vec<Claim>) -> Vec<Claim> {
        let rank = |claim: &Claim| {
            let mtime = mtime_of(claim.content);
            let (arrival, hash) = (claim.arrival, claim.content.hash);
            match self.policy {
                Policy::Established => (Reverse(None), arrival, hash),
                Policy::LowestHash => (Reverse(None), 0, hash),
                Policy::NewestMtime => (Reverse(mtime), arrival, hash),
                other => unreachable!("{other:?}"),
            }
        };
        claims.sort_by_key(|claim| {
            let ties = (claim.arrival, claim.member);
            (claim.name.to_lowercase(), !self.is_update(claim), rank(claim), ties)
        });
        let mut again = Vec::new();
        for claim in claims {
            again.extend(self.expire_orphan_at(&claim));
            if self.is_foreign(&claim) {
                again.extend(self.expire_orphans_of(livery(&claim.name)));
            }
            self.place_one(claim);
        }
        again
    }

    /// Expires the claim's name if it is an orphan. Returns the claims to place again.
    fn expire_orphan_at(&mut self, claim: &Claim) -> Vec<Claim> {
        let same = self.now(&claim.name) == Some(claim.content);
        if self.is_orphan(&claim.name) && !same && !self.is_update(claim) {
            return self.expire(&claim.name);
        }
        Vec::new()
    }

    /// Files the rest of a separated livery in its conflict folder again.
    fn reattach(&mut self, claim: Claim) {
        let other = self.name_to_reattach(&claim).unwrap();
        let has_it = self.now(&other) == Some(claim.content);
        let sync_status = if has_it { SyncStatus::For(other) } else { SyncStatus::Behind(other) };
        self.keep(claim, sync_status);
    }

    fn place_one(&mut self, claim: Claim) {
        let sync_status = self.place(&claim);
        self.keep(claim, sync_status);
    }

    fn is_rival(&self, claim: &Claim) -> bool {
        let now = self.now(&claim.name);
        let had = || self.had(&claim.name, |had| had == claim.content);
        now.is_some_and(|now| now != claim.content) && !self.is_update(claim) && !had()
    }

    /// Returns the name in its conflict folder of a file that is the rest of a separated livery.
    fn name_to_reattach(&self, claim: &Claim) -> Option<String> {
        let (folder, rest) = claim.name.split_once('/')?;
        let established = !self.is_vacant(folder);
        if self.scope == Scope::File || !claim.returned || !established {
            return None;
        }
        let in_folders = self.past.iter().filter(|(name, _)| {
            let other = name.split_once('/');
            other.is_some_and(|(other, same)| {
                other != folder && plain_folder(other) == folder && same == rest
            })
        });
        let by_him = in_folders.filter(|(name, past)| {
            past.iter().enumerate().any(|(at, (_, content))| {
                *content == Some(claim.content)
                    && self.authors[&((*name).clone(), at)] == author(claim.member)
                    && self.had(name, |had| had == claim.content)
            })
        });
        let names: Vec<_> = by_him.map(|(name, _)| name.clone()).collect();
        let has_it = |name: &&String| self.now(name) == Some(claim.content);
        names.iter().find(has_it).or_else(|| names.first()).cloned()
    }

    fn is_update(&self, claim: &Claim) -> bool {
        let owners = self.owners.get(livery(&claim.name));
        let author = author(claim.member).filter(|_| self.updates == Updates::Owner);
        let may = match self.updates {
            Updates::Anyone => true,
            Updates::Owner => {
                author.is_some_and(|author| owners.is_some_and(|o| o.contains(&author)))
            }
            other => unreachable!("{other:?}"),
        };
        let now = self.now(&claim.name);
        let made_of_it = |now: Content| {
            claim.base == Some(now.hash) || self.just_expired(&claim.name, claim.content)
        };
        may && now.is_some_and(|now| now != claim.content && made_of_it(now))
    }

    fn place(&mut self, claim: &Claim) -> SyncStatus {
        let name = claim.name.clone();
        let now = self.now(&name);
        if now == Some(claim.content) {
            return SyncStatus::For(name);
        }
        if self.is_update(claim) {
            self.put(&name, Some(claim.content), author(claim.member));
            return SyncStatus::For(name);
        }
        let again = now.is_none() && (claim.begins || self.is_declined_and_owners(claim));
        let known = match now {
            Some(_) => self.had(&name, |content| content == claim.content),
            None => self.had_for_good(&name, claim.content),
        };
        if !again && known {
            return SyncStatus::Behind(name);
        }
        if now.is_some() {
            return self.place_rival(claim);
        }
        if !self.may_add(claim) {
            return self.place_rival(claim);
        }
        self.establish(&name, claim);
        SyncStatus::For(name)
    }

    fn place_rival(&mut self, claim: &Claim) -> SyncStatus {
        let home = plain(&claim.name);
        if self.now(&home) == Some(claim.content) {
            return SyncStatus::For(home);
        }
        let (stem, extension) = home.rsplit_once('.').unwrap();
        let digits = claim.content.hash.short();
        let counters = std::iter::once(String::new()).chain((1..9).map(|n| format!("_{n}")));
        for counter in counters {
            let name = format!("{stem}__CONFLICT__{digits}{counter}.{extension}");
            let now = self.now(&name);
            if now != Some(claim.content) && self.had(&name, |had| had == claim.content) {
                return SyncStatus::Behind(name);
            }
            if now.is_none() {
                self.establish(&name, claim);
                self.rival_names.insert(name.clone());
            }
            if self.now(&name) == Some(claim.content) {
                return SyncStatus::For(name);
            }
        }
        unreachable!("so many names are never taken");
    }
}

/// Returns the hash of a livery, independent of its name.
fn hash_of(files: &[Claim]) -> ContentHash {
    let mut manifest = Manifest::new();
    for claim in files {
        let rest = claim.name.to_lowercase().split_once('/').unwrap().1.to_owned();
        manifest.insert(entry(&rest, claim.content)).unwrap();
    }
    manifest.hash()
}
