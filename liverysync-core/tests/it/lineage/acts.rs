//! The acts of an admin in the model.

use liverysync_core::league::HoldState;

use super::*;

impl Model {
    pub(super) fn act(&mut self, act: &Act) {
        self.step = self.steps + 1;
        match act {
            Act::Retire { liveries, .. } => {
                for named in liveries {
                    let names = self.names().into_iter().map(|(name, _)| name);
                    let names = names.filter(|name| livery(name) == named || name == named);
                    for name in names.collect::<Vec<_>>() {
                        self.put(&name, None, None);
                    }
                }
            }
            Act::Replace { old, new } => {
                for (name, _) in self.names_of(old) {
                    self.put(&name, None, None);
                }
                for (name, content) in self.names_of(new) {
                    let author = self.author_of(&name);
                    self.put(&name, Some(content), author);
                }
            }
            Act::Set { setting, value } => match setting {
                Setting::ConflictPolicy => self.policy = choice(&Policy::WORDS, value),
                Setting::ConflictScope => self.scope = choice(&Scope::WORDS, value),
                Setting::Approval => self.approval = value == "on",
                Setting::Frozen => {
                    let lines = value.lines().map(|line| line.split('\t'));
                    self.frozen = lines
                        .map(|mut line| (line.next().unwrap().to_owned(), line.next().map(|_| 0)))
                        .collect();
                }
                Setting::MaxLiveriesPerMember => self.limits.liveries = value.parse().ok(),
                Setting::MaxBytesPerMember => self.limits.bytes = value.parse().ok(),
                Setting::MaxBytesPerLivery => self.limits.livery_bytes = value.parse().ok(),
                _ => self.updates = choice(&Updates::WORDS, value),
            },
            Act::Own { livery, member } => {
                self.owners.entry(livery.clone()).or_default().insert(*member);
                self.presumed.remove(livery);
            }
            Act::OwnAll { former, member } => {
                for owners in self.owners.values_mut().filter(|owners| owners.contains(former)) {
                    owners.remove(former);
                    owners.insert(*member);
                }
            }
            Act::Merge { former, member } => {
                let renamed = |one: &mut MemberId| {
                    if *one == *former {
                        *one = *member;
                    }
                };
                self.authors.values_mut().flatten().for_each(renamed);
                self.act(&Act::OwnAll { former: *former, member: *member });
            }
            Act::Resolve { path, keep } => self.resolve(path, keep),
            // Only the spelling changes.
            Act::Rename { livery, new } if livery == new => self.steps = self.step,
            Act::Rename { livery, new } => {
                for (name, content) in self.names_of(livery) {
                    let author = self.author_of(&name);
                    self.put(&name.replacen(livery, new, 1), Some(content), author);
                    self.put(&name, None, None);
                }
                self.copy_owners(livery, new);
            }
            Act::Restore { livery, version } => self.restore(livery, version.as_deref()),
            // Who may connect is no matter of the union.
            Act::Ban { .. } | Act::Unban { .. } => {}
            Act::Block { content } => {
                let blocked = (0..CONTENTS).map(super::content);
                let blocked = blocked.filter(|one| one.hash.to_string() == *content);
                self.blocked.extend(blocked);
                for (name, now) in self.names() {
                    if self.is_blocked(now) {
                        self.put(&name, None, None);
                    }
                }
            }
            Act::Unblock { content } => {
                self.blocked.retain(|one| one.hash.to_string() != *content);
            }
            Act::Approve { liveries, from } => self.decide(liveries, *from, HoldState::Approved),
            Act::Reject { liveries, from } => self.decide(liveries, *from, HoldState::Rejected),
        }
        let refused: Vec<_> =
            self.files.values().filter(|(_, s)| *s == SyncStatus::Refused).collect();
        let claims = refused.into_iter().map(|(claim, _)| claim.clone()).collect();
        self.files.retain(|_, (_, sync_status)| *sync_status != SyncStatus::Refused);
        self.settle_held(claims);
    }

    fn copy_owners(&mut self, from: &str, to: &str) {
        let owners = self.owners.get(from).cloned().unwrap_or_default();
        let is_presumed = self.presumed.contains(from);
        if self.owners.insert(to.to_owned(), owners.clone()) == Some(owners.clone())
            && is_presumed == self.presumed.contains(to)
        {
            return;
        }
        self.presumed.remove(to);
        if is_presumed {
            owners.into_iter().for_each(|owner| self.presume(to, owner));
        }
    }

    fn rivals(&self, name: &str) -> Vec<(String, Content)> {
        let rivals = self.names().into_iter().filter(|(rival, content)| {
            let beside =
                (livery(rival) == livery(name) || !name.contains('/')) && plain(rival) == name;
            let another = Some(*content) != self.now(name);
            rival != name && (beside || another && in_claimed(rival) == name)
        });
        rivals.collect()
    }

    /// Returns true if a name got its first content in a conflict.
    fn began_in_conflict(&self, name: &str) -> bool {
        self.rival_names.contains(name)
    }

    /// Returns the names that are listed as in conflict, with their conflict copies.
    pub(super) fn conflicts(&self) -> BTreeMap<String, Vec<(String, Content)>> {
        let mut conflicts = BTreeMap::new();
        let mut free: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (rival, content) in by_key(self.names()) {
            let is_beside = plain(&rival) != rival;
            if is_beside && (self.now(&plain(&rival)).is_some() || self.is_copy(&rival)) {
                let rivals: &mut Vec<_> = conflicts.entry(plain(&rival)).or_default();
                rivals.push((rival.clone(), content));
            }
            let claimed = in_claimed(&rival);
            let of = livery(&claimed).to_owned();
            if claimed == rival {
                continue;
            }
            match self.now(&claimed) {
                Some(now) if now != content => {
                    conflicts.entry(claimed).or_default().push((rival.clone(), content));
                    free.insert(livery(&rival).to_owned(), Vec::new());
                }
                None if self.began_in_conflict(&rival) && !self.is_vacant(&of) => {
                    let none_yet = !free.contains_key(livery(&rival));
                    let claims = free.entry(livery(&rival).to_owned()).or_default();
                    claims.extend(none_yet.then_some((claimed, rival, content)));
                }
                _ => {}
            }
        }
        for (claimed, rival, content) in free.into_values().flatten() {
            conflicts.entry(claimed).or_default().push((rival, content));
        }
        conflicts
    }

    fn resolve(&mut self, path: &str, keep: &str) {
        let now = self.now(path);
        let rivals = by_key(self.rivals(path));
        let mut all = rivals.iter().map(|(_, content)| *content).chain(now);
        let kept = all.find(|content| content.hash.to_string().starts_with(keep));
        let of = livery(path);
        let is_beside = |(rival, _): &(String, _)| !path.contains('/') || livery(rival) == of;
        let (rivals, folders): (Vec<_>, Vec<_>) = rivals.into_iter().partition(is_beside);
        let claiming: BTreeSet<_> = folders.iter().map(|(name, _)| livery(name)).collect();
        if let Some((chosen, _)) = folders.iter().find(|(_, content)| Some(*content) == kept) {
            return self.resolve_livery(of, Some(livery(chosen)), &claiming);
        }
        if kept == now {
            self.resolve_livery(of, None, &claiming);
        }
        let brought = rivals.iter().find(|(_, content)| Some(*content) == kept);
        let author = brought.and_then(|(rival, _)| self.author_of(rival));
        for (rival, _) in &rivals {
            self.put(rival, None, None);
        }
        if kept != now {
            self.put(path, kept, author);
        }
        let down = rivals.into_iter().filter(|(_, content)| Some(*content) != kept);
        self.declined.extend(down.map(|(_, content)| (path.to_owned(), content)));
    }

    fn resolve_livery(&mut self, of: &str, kept: Option<&str>, folders: &BTreeSet<&str>) {
        let rivals: Vec<_> = by_key(self.names())
            .into_iter()
            .filter(|(name, _)| folders.contains(livery(name)))
            .collect();
        let mut brought = Vec::new();
        for (name, content) in rivals {
            let author = self.author_of(&name);
            self.put(&name, None, None);
            brought.push((in_claimed(&name), content, author, kept == Some(livery(&name))));
        }
        if kept.is_some() {
            let stays: BTreeSet<_> =
                brought.iter().filter(|(.., kept)| *kept).map(|(name, ..)| name.clone()).collect();
            for (name, _) in self.names_of(of) {
                if !stays.contains(&name) {
                    self.put(&name, None, None);
                }
            }
        }
        if let Some(folder) = kept {
            let owners = self.owners.get(folder).cloned().unwrap_or_default();
            self.owners.insert(of.to_owned(), owners);
            self.presumed.remove(of);
        }
        for (name, content, author, kept) in &brought {
            if *kept && self.now(name) != Some(*content) {
                self.put(name, Some(*content), *author);
            }
        }
        for (name, content, _, kept) in brought {
            if !kept && self.now(&name) != Some(content) {
                self.declined.insert((name, content));
            }
        }
    }

    pub(super) fn at(&self, of: &str, step: u64) -> BTreeMap<String, (Content, Option<MemberId>)> {
        let names = self.past.iter().filter(|(name, _)| livery(name) == of);
        let then = names.filter_map(|(name, past)| {
            let at = past.iter().rposition(|(since, _)| *since <= step)?;
            let author = self.authors[&(name.clone(), at)];
            Some((name.clone(), (past[at].1?, author)))
        });
        then.collect()
    }

    fn restore(&mut self, of: &str, version: Option<&str>) {
        let steps = (1..=self.steps).rev().map(|step| self.at(of, step));
        let then = match version {
            Some(version) => {
                let hash = |files: &BTreeMap<String, (Content, Option<MemberId>)>| {
                    let mut manifest = Manifest::new();
                    for (name, (content, _)) in files {
                        let entry =
                            Entry { path: path(&fold(name)), content: *content, mtime: None };
                        manifest.insert(entry).unwrap();
                    }
                    manifest.hash().to_string()
                };
                steps.into_iter().find(|files| hash(files).starts_with(version)).unwrap()
            }
            None => steps.into_iter().find(|files| !files.is_empty()).unwrap(),
        };
        for (name, _) in self.names_of(of) {
            if !then.contains_key(&name) {
                self.put(&name, None, None);
            }
        }
        for (name, (content, author)) in then {
            if self.now(&name) != Some(content) {
                self.put(&name, Some(content), author);
            }
        }
    }
}

fn choice<T: Copy>(words: &[(&str, T)], value: &str) -> T {
    words.iter().find(|(word, _)| *word == value).map(|(_, choice)| *choice).unwrap()
}
