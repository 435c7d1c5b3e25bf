//! The placing of claims: updates, conflicts, conflict folders and names of their own.

use super::*;

impl Model {
    /// Returns the claims to place again.
    pub(super) fn place_all(&mut self, claims: Vec<Claim>) -> Vec<Claim> {
        let claims = self.join_held(claims);
        let claims = self.begin_liveries(claims);
        let claims = self.hold_changes(claims);
        let claims = self.await_contents(claims);
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
    pub(in super::super) fn is_free(&self, claim: &Claim) -> bool {
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

    pub(in super::super) fn owns(&self, of: &str, member: u64) -> bool {
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

    /// Returns true if a member may add a file to its livery.
    pub(in super::super) fn may_add(&self, claim: &Claim) -> bool {
        let of = livery(&claim.name);
        let copied = format!("__CONFLICT__{}", claim.content.hash.short());
        self.updates == Updates::Anyone
            || self.owners.get(of).is_none_or(BTreeSet::is_empty)
            || self.owns(of, claim.member)
            || claim.name.rsplit('/').next().unwrap().contains(&copied)
            || self.is_vacant(of)
    }

    pub(in super::super) fn is_foreign(&self, claim: &Claim) -> bool {
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
        let there = self.files.values().filter(|(_, status)| !status.waits());
        let own = there.map(|(claim, sync_status)| match sync_status {
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
        let mut files = self.files_of(claims);
        files.retain(|file| !self.is_blocked(file.content));
        let blocked = claims.iter().filter(|claim| self.is_blocked(claim.content));
        for claim in blocked.cloned().collect::<Vec<_>>() {
            self.place_one(claim);
        }
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
            self.owners.insert(of.clone(), BTreeSet::new());
            self.presumed.remove(&of);
            author(claim.member).into_iter().for_each(|author| self.presume(&of, author));
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
    pub(in super::super) fn reattach(&mut self, claim: Claim) {
        let other = self.name_to_reattach(&claim).unwrap();
        let has_it = self.now(&other) == Some(claim.content);
        let sync_status = if has_it { SyncStatus::For(other) } else { SyncStatus::Behind(other) };
        self.keep(claim, sync_status);
    }

    fn place_one(&mut self, claim: Claim) {
        let sync_status = self.place(&claim);
        self.keep(claim, sync_status);
    }

    pub(in super::super) fn is_rival(&self, claim: &Claim) -> bool {
        let now = self.now(&claim.name);
        let had = || self.had(&claim.name, |had| had == claim.content);
        now.is_some_and(|now| now != claim.content) && !self.is_update(claim) && !had()
    }

    /// Returns the name in its conflict folder of a file that is the rest of a separated livery.
    pub(in super::super) fn name_to_reattach(&self, claim: &Claim) -> Option<String> {
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

    pub(in super::super) fn is_update(&self, claim: &Claim) -> bool {
        let owners = self.owners.get(livery(&claim.name));
        let author = author(claim.member).filter(|_| self.updates == Updates::Owner);
        let may = match self.updates {
            Updates::Anyone => true,
            Updates::Owner => {
                let may = |author| owners.is_none_or(|o| o.is_empty() || o.contains(&author));
                author.is_some_and(may)
            }
            other => unreachable!("{other:?}"),
        };
        let now = self.now(&claim.name);
        let author = super::super::author(claim.member);
        let made_of_it = |now: Content| match (author, claim.base) {
            _ if self.just_expired(&claim.name, claim.content) => true,
            (None, _) => false,
            (Some(_), Some(base)) => base == now.hash,
            (Some(_), None) => {
                self.author_of(&claim.name) == author
                    && mtime_of(claim.content) > mtime_of(now)
                    && !self.had(&claim.name, |had| had == claim.content)
            }
        };
        may && now.is_some_and(|now| now != claim.content && made_of_it(now))
    }

    fn place(&mut self, claim: &Claim) -> SyncStatus {
        let name = claim.name.clone();
        let now = self.now(&name);
        if now == Some(claim.content) {
            return SyncStatus::For(name);
        }
        if self.is_update(claim) && self.is_blocked(claim.content) {
            return SyncStatus::Held;
        }
        if self.is_update(claim) {
            self.put(&name, Some(claim.content), author(claim.member));
            self.confirm(livery(&name), claim.member);
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
        if self.is_blocked(claim.content) {
            return SyncStatus::Held;
        }
        self.establish(&name, claim);
        SyncStatus::For(name)
    }

    fn place_rival(&mut self, claim: &Claim) -> SyncStatus {
        let home = plain(&claim.name);
        if self.now(&home) == Some(claim.content) {
            return SyncStatus::For(home);
        }
        for name in copy_names(&home, claim.content) {
            let now = self.now(&name);
            if now != Some(claim.content) && self.had(&name, |had| had == claim.content) {
                return SyncStatus::Behind(name);
            }
            if now.is_none() && self.is_blocked(claim.content) {
                return SyncStatus::Held;
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

/// Returns the conflict names of a content beside a name, in the order in which they are tried.
pub(in super::super) fn copy_names(home: &str, content: Content) -> impl Iterator<Item = String> {
    let (stem, extension) = home.rsplit_once('.').unwrap();
    let counters = std::iter::once(String::new()).chain((1..9).map(|n| format!("_{n}")));
    counters.map(move |counter| {
        format!("{stem}__CONFLICT__{}{counter}.{extension}", content.hash.short())
    })
}
