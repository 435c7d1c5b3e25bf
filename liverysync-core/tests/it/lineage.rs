//! The union's rules in a second, naive wording, held against the union over random histories.
//!
//! The model keeps what is known of each name and of each member's file in plain maps, and looks through all of
//! them whenever it has a question.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use liverysync_core::{
    conflict::{Naming, Policy, Scope},
    hash::{Content, ContentHash},
    league::{Act, Author, MemberKey, Record, Updates},
    manifest::Entry,
    path::{Extensions, RelPath},
    time::UnixTime,
    union::{Change, Gained, MemberId, Outcome, Union},
};
use proptest::prelude::*;

/// Ordered as their keys are. One is what the rival 1 of the first would be called.
const NAMES: [&str; 6] = [
    "loose.png",
    "t/a.png",
    "t/a__CONFLICT__4bf5122f.png",
    "t/b.json",
    "u/a.png",
    "u/a__CONFLICT__00000000.png",
];
/// The last is no folder, so no other can be called like it.
const LIVERIES: [&str; 4] = ["t", "u", "v", "loose.png"];
const MEMBERS: u64 = 4;
const CONTENTS: u8 = 5;

fn content(byte: u8) -> Content {
    Content::of(&[byte])
}

/// The file name that a file name was made from; any other as it is.
fn plain(name: &str) -> String {
    let (folder, file) = name.rsplit_once('/').map_or(("", name), |(folder, file)| (folder, file));
    let (stem, extension) = file.rsplit_once('.').unwrap();
    let stem = stem.split_once("__CONFLICT__").map_or(stem, |(stem, _)| stem);
    let slash = if folder.is_empty() { "" } else { "/" };
    format!("{folder}{slash}{stem}.{extension}")
}

/// The folder that a folder's name was made from; any other as it is.
fn plain_folder(folder: &str) -> &str {
    folder.split_once("__CONFLICT__").map_or(folder, |(plain, _)| plain)
}

/// The name that a file of a rival livery has in the livery whose name that one claims; any other as it is.
fn in_claimed(name: &str) -> String {
    match name.split_once('/') {
        Some((folder, rest)) => format!("{}/{rest}", plain_folder(folder)),
        None => name.to_owned(),
    }
}

fn livery(name: &str) -> &str {
    name.split('/').next().unwrap()
}

/// What a name is for a member's file.
#[derive(Clone, Debug, PartialEq)]
enum Standing {
    /// The file is what this name holds.
    For(String),
    /// The file is something that was replaced, or turned down: here, or at the name that it counted for.
    Behind(String),
    /// It will claim its name anew.
    Refused,
}

#[derive(Clone, Debug)]
struct Claim {
    member: u64,
    name: String,
    content: Content,
    base: Option<ContentHash>,
    arrival: u64,
    /// Its member was not here before.
    returned: bool,
}

impl Claim {
    fn of(change: &Change, gained: &Gained) -> Self {
        Self {
            member: change.member.0,
            name: gained.entry.path.as_str().to_owned(),
            content: gained.entry.content,
            base: gained.base,
            arrival: change.arrival,
            returned: change.whole,
        }
    }
}

/// All that there is to know of a league.
#[derive(Clone, Default)]
struct Model {
    policy: Policy,
    updates: Updates,
    scope: Scope,
    /// What each name has held: from which step on, and what.
    past: BTreeMap<String, Vec<(u64, Option<Content>)>>,
    /// Who brought what a name has held: by the number of the change.
    authors: BTreeMap<(String, usize), Option<Author>>,
    /// Which of that took something back that nobody ever sent.
    takings_back: BTreeSet<(String, usize)>,
    turned_down: BTreeSet<(String, Content)>,
    /// Names whose first content was a rival.
    rival_names: BTreeSet<String>,
    proven: BTreeSet<Content>,
    owners: BTreeMap<String, BTreeSet<Author>>,
    files: BTreeMap<(u64, String), (Claim, Standing)>,
    /// Where a file that is what its own name holds counts for a name of a rival livery, too.
    also: BTreeMap<(u64, String), String>,
    steps: u64,
    /// The number of the step that is taken.
    step: u64,
    /// Names that have lost somebody who had what they hold.
    left: BTreeSet<String>,
}

impl Model {
    fn now(&self, name: &str) -> Option<Content> {
        self.past.get(name)?.last()?.1
    }

    fn names(&self) -> Vec<(String, Content)> {
        let held = self.past.keys().filter_map(|name| Some((name.clone(), self.now(name)?)));
        held.collect()
    }

    fn names_of(&self, of: &str) -> Vec<(String, Content)> {
        self.names().into_iter().filter(|(name, _)| livery(name) == of).collect()
    }

    fn had(&self, name: &str, is: impl Fn(Content) -> bool) -> bool {
        let took_back = |at: usize| self.takings_back.contains(&(name.to_owned(), at));
        let past = self.past.get(name).into_iter().flatten().enumerate();
        let for_good = past.filter(|(at, _)| !took_back(at + 1));
        let held = for_good.filter_map(|(_, (_, content))| *content);
        let turned_down = self.turned_down.iter().filter(|(there, _)| there == name);
        held.chain(turned_down.map(|(_, content)| *content)).any(is)
    }

    /// Whether a name's last change was to take this content back.
    fn just_took_back(&self, name: &str, content: Content) -> bool {
        let past = self.past.get(name).map_or(&[][..], Vec::as_slice);
        let last = past.len().saturating_sub(1);
        let before = past.iter().rev().nth(1).and_then(|(_, content)| *content);
        self.takings_back.contains(&(name.to_owned(), last)) && before == Some(content)
    }

    /// Who brought what a name holds.
    fn author_of(&self, name: &str) -> Option<Author> {
        *self.authors.get(&(name.to_owned(), self.past[name].len() - 1)).unwrap()
    }

    fn holders(&self, name: &str) -> BTreeSet<u64> {
        let for_it = |standing: &Standing| *standing == Standing::For(name.to_owned());
        let files = self.files.values().filter(|(_, standing)| for_it(standing));
        let also = self.also.iter().filter(|(_, other)| *other == name);
        let also = also.map(|((member, _), _)| *member);
        files.map(|(claim, _)| claim.member).chain(also).collect()
    }

    /// Takes a file out. What it counted for has one less who has it.
    fn take_out(&mut self, member: u64, name: &str) {
        let file = (member, name.to_owned());
        self.left.extend(self.also.remove(&file));
        if let Some((_, Standing::For(name))) = self.files.remove(&file) {
            self.left.insert(name);
        }
    }

    /// Whether a name holds what nobody has and nobody ever sent.
    fn is_vain(&self, name: &str) -> bool {
        let now = self.now(name);
        now.is_some_and(|now| !self.proven.contains(&now)) && self.holders(name).is_empty()
    }

    /// What a name held goes; who has it is behind. What it gets, others may have there already.
    fn put(&mut self, name: &str, content: Option<Content>, author: Option<Author>) {
        self.also.retain(|_, other| other != name);
        for (claim, standing) in self.files.values_mut() {
            if *standing == Standing::For(name.to_owned()) {
                *standing = Standing::Behind(name.to_owned());
            }
            if claim.name == name && Some(claim.content) == content {
                let before = std::mem::replace(standing, Standing::For(name.to_owned()));
                if let Standing::For(left) = before {
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

    /// Takes back what will never come. Returns the claims that are made anew.
    fn take_back(&mut self, name: &str) -> Vec<Claim> {
        let now = self.now(name);
        let is_behind = |content| {
            let mut files = self.files.values();
            files.any(|(claim, standing)| {
                let is_behind = matches!(standing, Standing::Behind(_));
                is_behind && claim.name == name && claim.content == content
            })
        };
        let held = self.past[name].iter().enumerate().rev();
        let held = held.filter_map(|(at, (_, content))| Some((at, (*content)?)));
        let mut others = held.filter(|(_, content)| Some(*content) != now);
        match others.find(|(_, content)| self.proven.contains(content) || is_behind(*content)) {
            Some((at, before)) => {
                self.takings_back.insert((name.to_owned(), self.past[name].len()));
                self.put(name, Some(before), self.authors[&(name.to_owned(), at)]);
                Vec::new()
            }
            None => {
                self.past.remove(name);
                self.rival_names.remove(name);
                self.takings_back.retain(|(there, _)| there != name);
                // What is still behind at the name itself was turned down, and stays so.
                let rivals = self.files.values_mut().filter(|(claim, _)| claim.name != name);
                for (_, standing) in rivals {
                    if *standing == Standing::Behind(name.to_owned()) {
                        *standing = Standing::Refused;
                    }
                }
                let whole = self.scope == Scope::Livery && name.contains('/');
                let of = livery(name);
                let open = !whole || self.names_of(of).is_empty();
                let free = |claim: &Claim, standing: &Standing| {
                    let asked = if whole { livery(&claim.name) == of } else { claim.name == name };
                    *standing == Standing::Refused
                        || open && asked && matches!(standing, Standing::For(_))
                };
                let anew = self.files.extract_if(.., |_, (claim, standing)| free(claim, standing));
                let (anew, standings): (Vec<_>, Vec<_>) = anew.map(|(_, file)| file).unzip();
                for standing in standings {
                    if let Standing::For(left) = standing {
                        self.left.insert(left);
                    }
                }
                anew
            }
        }
    }

    fn step(&mut self, changes: &[Change]) {
        self.step = self.steps + 1;
        let mut claims = Vec::new();
        for change in changes {
            for lost in &change.lost {
                self.take_out(change.member.0, lost.path.as_str());
            }
            let claimed = change.gained.iter().map(|gained| Claim::of(change, gained));
            claims.extend(claimed.filter(|claim| !self.is_known(claim)));
        }
        let in_place = |claim: &mut Claim| self.now(&claim.name) == Some(claim.content);
        for claim in claims.extract_if(.., in_place).collect::<Vec<_>>() {
            let standing = Standing::For(claim.name.clone());
            self.files.insert((claim.member, claim.name.clone()), (claim, standing));
        }
        for change in changes.iter().filter(|change| change.whole) {
            let names = self.names().into_iter().map(|(name, _)| name);
            let brought = names.filter(|name| self.author_of(name) == change.author);
            let missed = brought.filter(|name| !claims.iter().any(|claim| claim.name == *name));
            let missed: Vec<_> = missed.collect();
            self.left.extend(missed);
        }
        self.settle(claims);
    }

    fn settle(&mut self, mut claims: Vec<Claim>) {
        loop {
            claims.extend(self.give_up());
            if claims.is_empty() {
                return;
            }
            claims = self.place_all(claims);
        }
    }

    /// Takes back what nobody has any more. Returns the claims that are made anew.
    fn give_up(&mut self) -> Vec<Claim> {
        let mut anew = Vec::new();
        loop {
            let left = std::mem::take(&mut self.left);
            let vain: Vec<_> = left.into_iter().filter(|name| self.is_vain(name)).collect();
            if vain.is_empty() {
                return anew;
            }
            for name in vain {
                anew.extend(self.take_back(&name));
            }
        }
    }

    /// Whether a claim says once more what is known, where its name has something else.
    fn is_known(&self, claim: &Claim) -> bool {
        let file = self.files.get(&(claim.member, claim.name.clone()));
        file.is_some_and(|(known, standing)| {
            *standing != Standing::For(claim.name.clone()) && known.content == claim.content
        })
    }

    /// Returns the claims that are made anew.
    fn place_all(&mut self, claims: Vec<Claim>) -> Vec<Claim> {
        if self.scope == Scope::File {
            return self.place_files(claims);
        }
        let (folders, loose) = claims.into_iter().partition(|claim| claim.name.contains('/'));
        let mut anew = self.place_files(loose);
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
                };
                (!claims.iter().any(|claim| self.is_update(claim)), rank)
            });
            for claims in groups {
                for claim in &claims {
                    anew.extend(self.clear_way(claim));
                }
                let is_left =
                    |claim: &Claim| self.is_free(claim) && self.diverted_name(claim).is_some();
                let (left, claims): (Vec<_>, Vec<_>) = claims.into_iter().partition(is_left);
                left.into_iter().for_each(|claim| self.place_one(claim));
                let is_apart = self.is_apart(&claims);
                if is_apart {
                    let names = self.names_of(&of).into_iter().map(|(name, _)| name);
                    let vain: Vec<_> = names.filter(|name| self.is_vain(name)).collect();
                    anew.extend(vain.iter().flat_map(|name| self.take_back(name)));
                }
                let is_apart = is_apart && !self.names_of(&of).is_empty();
                if is_apart || claims.iter().any(|claim| self.is_rival(claim)) {
                    self.divert(&claims);
                } else {
                    claims.into_iter().for_each(|claim| self.place_one(claim));
                }
            }
        }
        anew
    }

    /// Whether a claim is for a name that has nothing, and never had this or what this was made of.
    fn is_free(&self, claim: &Claim) -> bool {
        let known = |had: Content| had == claim.content || Some(had.hash) == claim.base;
        self.now(&claim.name).is_none() && !self.had(&claim.name, known)
    }

    /// Whether a member brings files that collide with nothing to a livery in which he has no part, or whose rival he
    /// has.
    fn is_apart(&self, claims: &[Claim]) -> bool {
        let is_new = |claim: &Claim| self.is_free(claim) && self.may_add(claim);
        let Some(claim) = claims.iter().find(|claim| is_new(claim)) else { return false };
        let of = livery(&claim.name);
        let is_rival = self.files.values().any(|(file, standing)| {
            let elsewhere = matches!(standing, Standing::For(name) if *name != file.name);
            let taken = elsewhere && self.now(&file.name).is_some();
            taken && file.member == claim.member && livery(&file.name) == of
        });
        let held = |file: &Claim| {
            let past = self.past.get(&file.name).map_or(&[][..], Vec::as_slice);
            let took_back = |at: usize| self.takings_back.contains(&(file.name.clone(), at + 1));
            let held = |(at, (_, had)): (usize, &(u64, Option<Content>))| {
                *had == Some(file.content) && !took_back(at)
            };
            self.now(&file.name).is_some() && past.iter().enumerate().any(held)
        };
        let owners = self.owners.get(of);
        let owns = author(claim.member).is_some_and(|a| owners.is_some_and(|o| o.contains(&a)));
        let has_base = claims.iter().any(|claim| claim.base.is_some());
        is_rival || !owns && !has_base && !self.files_of(claims).iter().any(held)
    }

    /// Whether a member may bring a file that its livery does not have.
    fn may_add(&self, claim: &Claim) -> bool {
        let of = livery(&claim.name);
        let owners = self.owners.get(of).cloned().unwrap_or_default();
        let owns = author(claim.member).is_some_and(|author| owners.contains(&author));
        let copied = format!("__CONFLICT__{}", claim.content.hash.short());
        let is_copy = claim.name.rsplit('/').next().unwrap().contains(&copied);
        self.updates == Updates::Anyone
            || owners.is_empty()
            || owns
            || is_copy
            || self.names_of(of).is_empty()
    }

    /// All that a member has of a livery, with what he claims of it.
    fn files_of(&self, claims: &[Claim]) -> Vec<Claim> {
        let (member, of) = (claims[0].member, livery(&claims[0].name));
        let own = self.files.values().map(|(claim, standing)| match standing {
            // How he once claimed what is, or was, his name's own is forgotten.
            Standing::For(name) | Standing::Behind(name) if *name == claim.name => {
                Claim { arrival: claims[0].arrival, base: None, returned: false, ..claim.clone() }
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

    /// All of the livery goes into a folder of its own.
    fn divert(&mut self, claims: &[Claim]) {
        let files = self.files_of(claims);
        let plain = plain_folder(livery(&claims[0].name));
        let digits = hash_of(&files).short();
        let rest = |claim: &Claim| claim.name.split_once('/').unwrap().1.to_owned();
        let at_present = self.folders_of(claims[0].member, livery(&claims[0].name));
        let at_present = at_present.first().filter(|_| at_present.len() == 1).cloned();
        let counters = std::iter::once(String::new()).chain((1..9).map(|n| format!("_{n}")));
        let new = counters.map(|counter| format!("{plain}__CONFLICT__{digits}{counter}"));
        let mut folders = at_present.into_iter().chain(new);
        let has_another = |folder: &str, claim: &Claim| {
            let name = format!("{folder}/{}", rest(claim));
            self.now(&name).is_some_and(|now| now != claim.content)
                && !self.had(&name, |had| had == claim.content)
        };
        let folder = folders.find(|folder| !files.iter().any(|claim| has_another(folder, claim)));
        for claim in files {
            let name = format!("{}/{}", folder.as_ref().unwrap(), rest(&claim));
            let (content, member) = (claim.content, claim.member);
            let file = (member, claim.name.clone());
            let is_home = self.now(&claim.name) == Some(content);
            self.take_out(member, &claim.name);
            if name == claim.name {
                self.place_one(claim);
                continue;
            }
            if is_home {
                let standing = Standing::For(claim.name.clone());
                self.files.insert(file.clone(), (claim.clone(), standing));
            } else {
                self.left.insert(claim.name.clone());
            }
            if self.now(&name) != Some(content) && self.had(&name, |had| had == content) {
                if !is_home {
                    self.files.insert(file, (claim, Standing::Behind(name)));
                }
                continue;
            }
            if self.now(&name).is_none() {
                self.put_first(&name, &claim);
                self.rival_names.insert(name.clone());
            }
            if is_home {
                self.also.insert(file, name);
            } else {
                self.files.insert(file, (claim, Standing::For(name)));
            }
        }
    }

    /// The folders for which a member's files of a livery count.
    fn folders_of(&self, member: u64, of: &str) -> BTreeSet<String> {
        let elsewhere = self.files.values().filter_map(|(file, standing)| match standing {
            Standing::For(name) if *name != file.name => Some((file, name)),
            _ => None,
        });
        let his = elsewhere.filter(|(file, _)| file.member == member && livery(&file.name) == of);
        his.map(|(_, name)| livery(name).to_owned()).collect()
    }

    /// A name gets its content from a member, who owns its livery if he is the first.
    fn put_first(&mut self, name: &str, claim: &Claim) {
        let of = livery(name).to_owned();
        if let (true, Some(author)) = (self.names_of(&of).is_empty(), author(claim.member)) {
            self.owners.entry(of).or_insert_with(|| BTreeSet::from([author]));
        }
        self.put(name, Some(claim.content), author(claim.member));
    }

    /// Returns the claims that are made anew.
    fn place_files(&mut self, mut claims: Vec<Claim>) -> Vec<Claim> {
        let rank = |claim: &Claim| {
            let mtime = mtime_of(claim.content);
            let (arrival, hash) = (claim.arrival, claim.content.hash);
            match self.policy {
                Policy::Established => (Reverse(None), arrival, hash),
                Policy::LowestHash => (Reverse(None), 0, hash),
                Policy::NewestMtime => (Reverse(mtime), arrival, hash),
            }
        };
        claims.sort_by_key(|claim| {
            let ties = (claim.arrival, claim.member);
            (claim.name.to_lowercase(), !self.is_update(claim), rank(claim), ties)
        });
        let mut anew = Vec::new();
        for claim in claims {
            anew.extend(self.clear_way(&claim));
            self.place_one(claim);
        }
        anew
    }

    /// What will never come makes way. Returns the claims that are made anew.
    fn clear_way(&mut self, claim: &Claim) -> Vec<Claim> {
        let same = self.now(&claim.name) == Some(claim.content);
        if self.is_vain(&claim.name) && !same && !self.is_update(claim) {
            return self.take_back(&claim.name);
        }
        Vec::new()
    }

    fn place_one(&mut self, claim: Claim) {
        let standing = self.place(&claim);
        self.files.insert((claim.member, claim.name.clone()), (claim, standing));
    }

    fn is_rival(&self, claim: &Claim) -> bool {
        let now = self.now(&claim.name);
        let had = || self.had(&claim.name, |had| had == claim.content);
        let added = self.is_free(claim) && !self.may_add(claim);
        added || now.is_some_and(|now| now != claim.content) && !self.is_update(claim) && !had()
    }

    /// The name in a folder of its own of what its author left of a livery that went there.
    fn diverted_name(&self, claim: &Claim) -> Option<String> {
        let (folder, rest) = claim.name.split_once('/')?;
        let established = !self.names_of(folder).is_empty();
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
        };
        let now = self.now(&claim.name);
        let made_of_it = |now: Content| {
            claim.base == Some(now.hash) || self.just_took_back(&claim.name, claim.content)
        };
        may && now.is_some_and(|now| now != claim.content && made_of_it(now))
    }

    fn place(&mut self, claim: &Claim) -> Standing {
        let name = claim.name.clone();
        let now = self.now(&name);
        if now == Some(claim.content) {
            return Standing::For(name);
        }
        if self.is_update(claim) {
            self.put(&name, Some(claim.content), author(claim.member));
            return Standing::For(name);
        }
        if self.had(&name, |content| content == claim.content) {
            return Standing::Behind(name);
        }
        if now.is_some() {
            return self.place_rival(claim);
        }
        if self.had(&name, |content| Some(content.hash) == claim.base) {
            return Standing::Refused;
        }
        if let Some(other) = self.diverted_name(claim) {
            let has_it = self.now(&other) == Some(claim.content);
            let had_it = || self.had(&other, |had| had == claim.content);
            return if has_it || !had_it() {
                Standing::For(other)
            } else {
                Standing::Behind(other)
            };
        }
        if !self.may_add(claim) {
            return self.place_rival(claim);
        }
        self.put_first(&name, claim);
        Standing::For(name)
    }

    fn place_rival(&mut self, claim: &Claim) -> Standing {
        let home = plain(&claim.name);
        if self.now(&home) == Some(claim.content) {
            return Standing::For(home);
        }
        let (stem, extension) = home.rsplit_once('.').unwrap();
        let digits = claim.content.hash.short();
        let counters = std::iter::once(String::new()).chain((1..9).map(|n| format!("_{n}")));
        for counter in counters {
            let name = format!("{stem}__CONFLICT__{digits}{counter}.{extension}");
            let now = self.now(&name);
            if now != Some(claim.content) && self.had(&name, |had| had == claim.content) {
                return Standing::Behind(name);
            }
            if now.is_none() {
                self.put_first(&name, claim);
                self.rival_names.insert(name.clone());
            }
            if self.now(&name) == Some(claim.content) {
                return Standing::For(name);
            }
        }
        unreachable!("so many names are never taken");
    }

    fn act(&mut self, act: &Act) {
        self.step = self.steps + 1;
        match act {
            Act::Retire { liveries, .. } => {
                let names = liveries.iter().flat_map(|livery| self.names_of(livery));
                for (name, _) in names.collect::<Vec<_>>() {
                    self.put(&name, None, None);
                }
            }
            Act::Own { livery, member } => {
                self.owners.entry(livery.clone()).or_default().insert(*member);
            }
            Act::Resolve { path, keep } => self.resolve(path, keep),
            Act::Rename { livery, new } => {
                for (name, content) in self.names_of(livery) {
                    let author = self.author_of(&name);
                    self.put(&name.replacen(livery, new, 1), Some(content), author);
                    self.put(&name, None, None);
                }
                if let Some(owners) = self.owners.get(livery).cloned() {
                    self.owners.insert(new.clone(), owners);
                }
            }
            Act::Restore { livery, version } => self.restore(livery, version.as_deref()),
        }
        let refused: Vec<_> =
            self.files.values().filter(|(_, s)| *s == Standing::Refused).collect();
        let claims = refused.into_iter().map(|(claim, _)| claim.clone()).collect();
        self.files.retain(|_, (_, standing)| *standing != Standing::Refused);
        self.settle(claims);
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

    /// Whether a name's first content was a rival's.
    fn came_as_rival(&self, name: &str) -> bool {
        self.rival_names.contains(name)
    }

    /// The names that are listed as claimed by several, with their rivals.
    fn conflicts(&self) -> BTreeMap<String, Vec<(String, Content)>> {
        let mut conflicts = BTreeMap::new();
        let mut free: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (rival, content) in by_key(self.names()) {
            let is_beside = plain(&rival) != rival;
            if is_beside && (self.now(&plain(&rival)).is_some() || self.came_as_rival(&rival)) {
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
                None if self.came_as_rival(&rival) && !self.names_of(&of).is_empty() => {
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
        if let Some((chosen, _)) = folders.iter().find(|(_, content)| Some(*content) == kept) {
            return self.resolve_livery(of, Some(livery(chosen)));
        }
        if kept == now && !folders.is_empty() {
            self.resolve_livery(of, None);
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
        self.turned_down.extend(down.map(|(_, content)| (path.to_owned(), content)));
    }

    fn resolve_livery(&mut self, of: &str, kept: Option<&str>) {
        let is_rival = |name: &str| {
            name.contains('/') && livery(name) != of && plain_folder(livery(name)) == of
        };
        let rivals: Vec<_> =
            by_key(self.names()).into_iter().filter(|(name, _)| is_rival(name)).collect();
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
        if let Some(owners) = kept.and_then(|folder| self.owners.get(folder)).cloned() {
            self.owners.insert(of.to_owned(), owners);
        }
        for (name, content, author, kept) in &brought {
            if *kept && self.now(name) != Some(*content) {
                self.put(name, Some(*content), *author);
            }
        }
        for (name, content, _, kept) in brought {
            if !kept && self.now(&name) != Some(content) {
                self.turned_down.insert((name, content));
            }
        }
    }

    fn at(&self, of: &str, step: u64) -> BTreeMap<String, (Content, Option<Author>)> {
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
                let hash = |files: &BTreeMap<String, (Content, Option<Author>)>| {
                    let mut manifest = liverysync_core::manifest::Manifest::new();
                    for (name, (content, _)) in files {
                        let entry = Entry { path: path(name), content: *content, mtime: None };
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

/// The hash of a livery, whatever it is called.
fn hash_of(files: &[Claim]) -> ContentHash {
    let mut manifest = liverysync_core::manifest::Manifest::new();
    for claim in files {
        let rest = claim.name.to_lowercase().split_once('/').unwrap().1.to_owned();
        manifest.insert(entry(&rest, claim.content)).unwrap();
    }
    manifest.hash()
}

fn path(name: &str) -> RelPath {
    RelPath::parse(name, &Extensions::default()).unwrap()
}

fn mtime_of(content: Content) -> Option<UnixTime> {
    Some(UnixTime::from_nanos(i64::from(content.hash.as_bytes()[7])))
}

fn entry(name: &str, content: Content) -> Entry {
    Entry { path: path(name), content, mtime: mtime_of(content) }
}

/// All but the last have a key.
fn author(member: u64) -> Option<Author> {
    (member + 1 < MEMBERS).then(|| Author::of(&MemberKey::from_bytes([member as u8; 32])))
}

/// What an edit was made of.
#[derive(Clone, Copy, Debug)]
enum Base {
    InStep,
    Of(u8),
    None,
}

/// What a file is by now, if it is there, and what that was made of.
type Edit = (Option<u8>, Base);

#[derive(Clone, Debug)]
enum Deed {
    /// What members have done since the last step. Who comes back does so with what he has.
    Edits(Vec<(u64, BTreeMap<usize, Edit>)>),
    Leave(u64),
    /// A member gets all of the union.
    CatchUp(u64),
    Prove(u8),
    ProveAll,
    Retire(usize),
    Restore(usize, Option<usize>),
    Resolve(usize, usize),
    Rename(usize, usize),
    Own(usize, u64),
    /// The server starts anew, with what it wrote down.
    Recall,
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let base = prop_oneof![
        4 => Just(Base::InStep),
        2 => Just(Base::None),
        1 => (0..CONTENTS).prop_map(Base::Of),
    ];
    let content = prop::option::weighted(0.85, 0..CONTENTS);
    (content, base)
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let edits = prop::collection::btree_map(0..NAMES.len(), any_edit(), 1..5);
    let edits = prop::collection::btree_map(0..MEMBERS, edits, 1..4);
    let livery = 0..LIVERIES.len();
    prop_oneof![
        12 => edits.prop_map(|edits| Deed::Edits(edits.into_iter().collect())),
        3 => (0..MEMBERS).prop_map(Deed::Leave),
        2 => (0..MEMBERS).prop_map(Deed::CatchUp),
        3 => (0..CONTENTS).prop_map(Deed::Prove),
        1 => Just(Deed::ProveAll),
        1 => livery.clone().prop_map(Deed::Retire),
        1 => (livery.clone(), prop::option::of(0_usize..9)).prop_map(|(l, v)| Deed::Restore(l, v)),
        1 => (0_usize..9, 0_usize..9).prop_map(|(name, keep)| Deed::Resolve(name, keep)),
        1 => (livery.clone(), 0_usize..3).prop_map(|(old, new)| Deed::Rename(old, new)),
        1 => (livery, 0..MEMBERS).prop_map(|(livery, member)| Deed::Own(livery, member)),
        1 => Just(Deed::Recall),
    ]
}

/// A union beside its model, and a twin that is told the same.
struct League {
    model: Model,
    union: Union,
    twin: Union,
    records: Vec<Record>,
    /// What is connected, and what is on the disks of those who are not.
    here: BTreeSet<u64>,
    disks: BTreeMap<u64, BTreeMap<String, (Content, Option<ContentHash>)>>,
    arrivals: u64,
}

impl League {
    fn new(policy: Policy, updates: Updates) -> Self {
        Self::with_scope(policy, updates, Scope::File)
    }

    fn with_scope(policy: Policy, updates: Updates, scope: Scope) -> Self {
        let naming = Naming::default().with_scope(scope);
        let union = Union::new(policy, naming).with_updates(updates);
        Self {
            model: Model { policy, updates, scope, ..Model::default() },
            twin: union.clone(),
            union,
            records: Vec::new(),
            here: BTreeSet::new(),
            disks: BTreeMap::new(),
            arrivals: 0,
        }
    }

    fn change(&mut self, member: u64) -> Change {
        self.arrivals += 1;
        let (arrival, author) = (self.arrivals, author(member));
        let (lost, gained) = (Vec::new(), Vec::new());
        Change { member: MemberId(member), arrival, author, whole: false, lost, gained }
    }

    /// What a member says who was not here.
    fn greeting(&mut self, member: u64) -> Change {
        let mut change = self.change(member);
        if self.here.insert(member) {
            let disk = self.disks.entry(member).or_default();
            change.gained = disk.iter().map(|(name, file)| gained(name, *file)).collect();
            change.whole = true;
        }
        change
    }

    fn edit(&mut self, member: u64, edits: BTreeMap<usize, Edit>) -> Change {
        let mut change = self.greeting(member);
        for (name, (new, base)) in edits {
            let name = NAMES[name].to_owned();
            let in_step = self.model.now(&name).map(|now| now.hash);
            let base = match base {
                Base::InStep => in_step,
                Base::Of(byte) => Some(content(byte).hash),
                Base::None => None,
            };
            let disk = self.disks.entry(member).or_default();
            let old = disk.remove(&name);
            let untold = change.gained.iter().position(|new| new.entry.path.as_str() == name);
            match (untold, old) {
                (Some(at), _) => drop(change.gained.remove(at)),
                (None, Some((old, _))) => change.lost.push(entry(&name, old)),
                (None, None) => {}
            }
            if let Some(new) = new {
                let file = (content(new), base);
                disk.insert(name.clone(), file);
                change.gained.push(gained(&name, file));
            }
        }
        change
    }

    fn leave(&mut self, member: u64) -> Change {
        let mut change = self.change(member);
        if self.here.remove(&member) {
            let disk = self.disks.entry(member).or_default();
            change.lost = disk.iter().map(|(name, (content, _))| entry(name, *content)).collect();
        }
        change
    }

    fn do_deed(&mut self, deed: Deed) {
        match deed {
            Deed::Edits(edits) => {
                let single = edits.len() == 1;
                let changes: Vec<_> =
                    edits.into_iter().map(|(member, edits)| self.edit(member, edits)).collect();
                self.step(changes.clone());
                if single {
                    self.is_the_same_twice(changes);
                }
            }
            Deed::Leave(member) => {
                let change = self.leave(member);
                self.step(vec![change]);
            }
            Deed::CatchUp(member) => self.catch_up(member),
            Deed::Prove(byte) => self.prove(&[content(byte)]),
            Deed::ProveAll => {
                let all: Vec<_> = self.model.names().into_iter().map(|(_, now)| now).collect();
                self.prove(&all);
            }
            Deed::Retire(livery) => {
                let liveries = vec![LIVERIES[livery].to_owned()];
                self.act(&Act::Retire { liveries, yes: true });
            }
            Deed::Restore(livery, version) => {
                let livery = LIVERIES[livery].to_owned();
                let history = self.union.history(&livery);
                let chosen = version.and_then(|number| history.get(number));
                let version = chosen.map(|version| version.hash.clone());
                self.act(&Act::Restore { livery, version });
            }
            Deed::Resolve(name, keep) => {
                let conflicts = self.union.conflicts();
                let Some(conflict) = conflicts.get(name % conflicts.len().max(1)) else { return };
                let rivals = conflict.rivals.iter().map(|(_, content)| Some(*content));
                let all: Vec<_> = rivals.chain([conflict.established]).collect();
                let keep = all[keep % all.len()];
                let keep = keep.map_or(Act::KEEP_NONE.to_owned(), |kept| kept.hash.short());
                self.act(&Act::Resolve { path: conflict.path.as_str().to_owned(), keep });
            }
            Deed::Rename(livery, new) => {
                let (livery, new) = (LIVERIES[livery].to_owned(), LIVERIES[new].to_owned());
                self.act(&Act::Rename { livery, new });
            }
            Deed::Own(livery, member) => {
                let livery = LIVERIES[livery].to_owned();
                if let Some(member) = author(member) {
                    self.act(&Act::Own { livery, member });
                }
            }
            Deed::Recall => self.start_anew(),
        }
    }

    fn step(&mut self, changes: Vec<Change>) {
        let before = self.histories();
        self.model.step(&changes);
        let outcome = self.union.step(changes.clone());
        assert_eq!(outcome, self.twin.step(changes), "the same step has one outcome");
        self.nothing_goes_unsaid(&before, &outcome);
        self.records.extend(outcome.records);
    }

    fn act(&mut self, act: &Act) {
        let before = self.histories();
        let Ok((_, outcome)) = self.union.act(act) else {
            assert_eq!(self.histories(), before, "what is refused changes nothing");
            return;
        };
        assert_eq!(self.twin.act(act).unwrap().1, outcome);
        self.model.act(act);
        self.nothing_goes_unsaid(&before, &outcome);
        self.records.extend(outcome.records);
    }

    fn prove(&mut self, contents: &[Content]) {
        self.model.proven.extend(contents);
        self.records.extend(self.union.prove(contents.iter().copied()));
        self.twin.prove(contents.iter().copied());
    }

    fn catch_up(&mut self, member: u64) {
        let mut change = self.greeting(member);
        if !change.gained.is_empty() {
            // He takes what there is once he has come.
            self.step(vec![change]);
            change = self.change(member);
        }
        let taken = self.model.names().into_iter().map(|(name, now)| (name, (now, Some(now.hash))));
        let taken: BTreeMap<_, _> = taken.collect();
        let had = self.disks.insert(member, taken.clone()).unwrap_or_default();
        let kept = |name: &String, (content, _): &(Content, _)| {
            had.get(name).is_some_and(|(own, _)| own == content)
        };
        let lost =
            had.iter().filter(|(name, _)| !taken.get(*name).is_some_and(|file| kept(name, file)));
        change.lost = lost.map(|(name, (content, _))| entry(name, *content)).collect();
        let new = taken.iter().filter(|(name, file)| !kept(name, file));
        change.gained = new.map(|(name, file)| gained(name, *file)).collect();
        self.step(vec![change]);
        let again = self.disks[&member].clone();
        for (name, (content, _)) in again {
            let counts = self.union.counts_for(MemberId(member), path(&name).key(), content.hash);
            assert!(counts.is_some_and(|entry| entry.path.as_str() == name), "{name} is in step");
            assert!(!self.union.is_stale(MemberId(member), path(&name).key()), "{name} is behind");
        }
        assert_eq!(self.union.refused(MemberId(member)).count(), 0);
    }

    /// Who says once more what he has just said changes nothing.
    fn is_the_same_twice(&self, mut changes: Vec<Change>) {
        changes.iter_mut().for_each(|change| change.lost.clear());
        let mut again = self.union.clone();
        let outcome = again.step(changes);
        assert_eq!(outcome.records, []);
        assert_eq!(again.manifest(), self.union.manifest());
    }

    fn start_anew(&mut self) {
        self.union = self.recalled();
        self.twin = self.union.clone();
        self.here.clear();
        self.model.files.clear();
        self.model.also.clear();
    }

    fn recalled(&self) -> Union {
        let Model { policy, updates, scope, .. } = self.model;
        Union::recall(policy, Naming::default().with_scope(scope), updates, &self.records)
    }

    fn histories(&self) -> BTreeMap<String, BTreeSet<Content>> {
        histories(&self.union)
    }

    /// What was accepted once is remembered, unless it is said that it is not, and nobody ever sent it.
    fn nothing_goes_unsaid(&self, before: &BTreeMap<String, BTreeSet<Content>>, outcome: &Outcome) {
        let after = self.histories();
        for (name, contents) in before {
            let forgotten = outcome.records.iter().any(
                |record| matches!(record, Record::Forgotten { path } if path.as_str() == name),
            );
            let gone = contents
                .iter()
                .filter(|content| !after.get(name).is_some_and(|after| after.contains(content)));
            for content in gone {
                assert!(forgotten, "{name} lost {content:?}");
                assert!(!self.union.is_proven(*content), "{name} lost what there is");
            }
        }
    }

    fn check(&self) {
        let (model, union) = (&self.model, &self.union);
        let names: Vec<_> =
            union.iter().map(|entry| (entry.path.as_str().to_owned(), entry.content)).collect();
        assert_eq!(names, by_key(model.names()));
        for entry in union.iter() {
            let again = RelPath::parse(entry.path.as_str(), &Extensions::default());
            assert_eq!(again.as_ref(), Ok(&entry.path), "a valid name");
            let holders: BTreeSet<_> = entry.holders().map(|(holder, _)| holder.0).collect();
            assert_eq!(holders, model.holders(entry.path.as_str()), "who has {}", entry.path);
        }
        assert_eq!(union.manifest().len(), union.len(), "all could lie below one root");
        for ((member, name), (claim, standing)) in &model.files {
            self.check_file(MemberId(*member), name, claim.content, standing);
        }
        for byte in 0..CONTENTS {
            let content = content(byte);
            assert_eq!(union.is_proven(content), model.proven.contains(&content));
        }
        for of in LIVERIES {
            self.check_history(of);
        }
        self.check_views();
        let recalled = self.recalled();
        assert_eq!(recalled.manifest(), union.manifest());
        assert_eq!(recalled.liveries(), union.liveries());
        assert_eq!(recalled.conflicts(), union.conflicts());
        for of in LIVERIES {
            assert_eq!(recalled.history(of), union.history(of));
        }
    }

    fn check_file(&self, member: MemberId, name: &str, content: Content, standing: &Standing) {
        let (path, union) = (path(name), &self.union);
        let counts = union.counts_for(member, path.key(), content.hash);
        let counts = counts.filter(|entry| entry.local(member).is_some());
        match standing {
            Standing::For(name) => {
                assert_eq!(counts.map(|entry| entry.path.as_str()), Some(&**name));
            }
            Standing::Behind(_) => {
                assert!(union.is_stale(member, path.key()), "{member:?} is behind with {name}");
                let of = |name: &str| plain(&in_claimed(name));
                let mut names = self.model.past.keys().filter(|known| of(known) == of(name));
                let knows = |known: &str| self.model.had(known, |had| had == content);
                let known = names.any(|known| knows(known)) || knows(&plain(name));
                assert!(known, "{name} of {member:?} would be lost");
            }
            Standing::Refused => {
                assert!(union.refused(member).any(|key| key == path.key()), "{name} is refused");
            }
        }
    }

    fn check_history(&self, of: &str) {
        let mut told = Vec::new();
        for version in self.union.history(of) {
            let files = self.model.at(of, version.step);
            assert_eq!(version.files, files.len(), "{of} at {}", version.step);
            let changes = version.changes.into_iter();
            told.extend(changes.map(|c| (version.step, c.path.as_str().to_owned(), c.content)));
        }
        let past = self.model.past.iter().filter(|(name, _)| livery(name) == of);
        let mut known: Vec<_> = past
            .flat_map(|(name, past)| past.iter().map(|(step, now)| (*step, name.clone(), *now)))
            .collect();
        known.sort_by_key(|(step, name, _)| (*step, name.to_lowercase()));
        assert_eq!(told, known);
    }

    fn check_views(&self) {
        let model = &self.model;
        let conflicts = self.union.conflicts().into_iter().map(|conflict| {
            let rivals = conflict.rivals.into_iter();
            let rivals = rivals.map(|(path, content)| (path.as_str().to_owned(), content));
            (conflict.path.as_str().to_owned(), rivals.collect::<Vec<_>>())
        });
        let mut claimed: Vec<_> = model.conflicts().into_iter().collect();
        claimed.sort_by_key(|(name, _)| name.to_lowercase());
        assert_eq!(conflicts.collect::<Vec<_>>(), claimed);
        let liveries = self.union.liveries().into_iter();
        let liveries: Vec<_> = liveries
            .map(|of| (of.livery, of.files, of.owners.into_iter().collect(), of.retired))
            .collect();
        let known: BTreeSet<_> = model.past.keys().map(|name| livery(name)).collect();
        let expected = known.into_iter().map(|of| {
            let files = model.names_of(of).len();
            (of.to_owned(), files, model.owners.get(of).cloned().unwrap_or_default(), files == 0)
        });
        assert_eq!(liveries, expected.collect::<Vec<(_, _, BTreeSet<Author>, _)>>());
    }
}

fn by_key(mut names: Vec<(String, Content)>) -> Vec<(String, Content)> {
    names.sort_by_key(|(name, _)| name.to_lowercase());
    names
}

fn gained(name: &str, (content, base): (Content, Option<ContentHash>)) -> Gained {
    Gained { entry: entry(name, content), base }
}

/// All that each name has held.
fn histories(union: &Union) -> BTreeMap<String, BTreeSet<Content>> {
    let mut histories: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for version in LIVERIES.iter().flat_map(|livery| union.history(livery)) {
        for change in version.changes {
            let contents = histories.entry(change.path.as_str().to_owned()).or_default();
            contents.extend(change.content);
        }
    }
    histories
}

fn any_policy() -> impl Strategy<Value = Policy> {
    prop::sample::select(Policy::WORDS.map(|(_, policy)| policy).to_vec())
}

fn any_scope() -> impl Strategy<Value = Scope> {
    prop::sample::select(Scope::WORDS.map(|(_, scope)| scope).to_vec())
}

fn any_updates() -> impl Strategy<Value = Updates> {
    prop::sample::select(Updates::WORDS.map(|(_, updates)| updates).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn the_union_is_what_the_model_says(
        policy in any_policy(),
        updates in any_updates(),
        scope in any_scope(),
        deeds in prop::collection::vec(any_deed(), 1..25),
    ) {
        let mut league = League::with_scope(policy, updates, scope);
        for deed in deeds {
            league.do_deed(deed);
            league.check();
        }
    }

    #[test]
    fn without_rivals_the_order_does_not_matter(
        policy in any_policy(),
        holdings in prop::collection::vec(prop::collection::btree_set(0..NAMES.len(), 0..6), 1..5),
        split in prop::collection::vec(any::<bool>(), 5),
        turn in 0_usize..5,
    ) {
        let join = |order: Vec<usize>, split: &[bool]| {
            let mut league = League::new(policy, Updates::Anyone);
            let mut changes = Vec::new();
            for member in order {
                let mut change = league.change(member as u64);
                let files = holdings[member].iter();
                change.gained = files.map(|name| gained(NAMES[*name], (content(*name as u8), None))).collect();
                changes.push(change);
                if split[member] {
                    league.step(std::mem::take(&mut changes));
                }
            }
            league.step(changes);
            league.check();
            let files = league.union.iter().map(|entry| (entry.path.clone(), entry.content));
            files.collect::<Vec<_>>()
        };
        let order: Vec<_> = (0..holdings.len()).collect();
        let mut turned = order.clone();
        turned.rotate_left(turn % holdings.len());
        turned.reverse();
        prop_assert_eq!(join(order, &[false; 5]), join(turned, &split));
    }
}

fn edit(member: u64, name: usize, content: u8, base: Base) -> Deed {
    Deed::Edits(vec![(member, BTreeMap::from([(name, (Some(content), base))]))])
}

fn play(deeds: impl IntoIterator<Item = Deed>) -> League {
    play_in(League::new(Policy::Established, Updates::Anyone), deeds)
}

fn play_in(mut league: League, deeds: impl IntoIterator<Item = Deed>) -> League {
    for deed in deeds {
        league.do_deed(deed);
        league.check();
    }
    league
}

#[test]
fn a_rival_of_a_loose_file_is_a_conflict() {
    let league = play([edit(0, 0, 1, Base::None), edit(1, 0, 2, Base::None)]);
    assert_eq!(league.union.conflicts().len(), 1);
}

#[test]
fn a_rival_that_the_name_gets_is_none_any_more() {
    let league = play([
        edit(0, 1, 0, Base::None),
        edit(1, 1, 2, Base::None),
        edit(2, 1, 2, Base::InStep),
        Deed::CatchUp(1),
    ]);
    assert_eq!(league.model.holders("t/a.png"), BTreeSet::from([1, 2]));
}

#[test]
fn who_was_refused_what_the_name_gets_has_it() {
    let league = play([
        edit(0, 2, 1, Base::None),
        Deed::Retire(0),
        edit(0, 2, 3, Base::Of(1)),
        edit(1, 2, 3, Base::None),
    ]);
    assert_eq!(league.model.holders(NAMES[2]), BTreeSet::from([0, 1]));
}

#[test]
fn a_rival_that_was_turned_down_does_not_come_back_under_another_number() {
    let league = play([
        edit(0, 2, 0, Base::None),
        edit(0, 1, 2, Base::None),
        edit(1, 1, 1, Base::None),
        Deed::ProveAll,
        Deed::Resolve(0, 0),
        edit(2, 2, 2, Base::None),
        edit(0, 2, 1, Base::None),
    ]);
    assert_eq!(league.union.len(), 2);
}

#[test]
fn a_file_that_is_moved_to_its_conflict_name_is_still_a_rival() {
    let mut league = play([edit(0, 1, 0, Base::None), edit(1, 1, 1, Base::None)]);
    let moved = BTreeMap::from([(1, (Some(0), Base::InStep)), (2, (Some(1), Base::InStep))]);
    league.do_deed(Deed::Edits(vec![(1, moved)]));
    league.check();
    let forgotten = league.records.iter().filter(|r| matches!(r, Record::Forgotten { .. }));
    assert_eq!(forgotten.count(), 0);
}

/// Its bytes were never sent, and what replaced them never came.
#[test]
fn a_rival_whose_update_is_taken_back_claims_its_name_anew() {
    let league = play([
        edit(0, 1, 0, Base::None),
        edit(1, 1, 1, Base::None),
        edit(2, 2, 3, Base::InStep),
        Deed::Leave(2),
    ]);
    assert_eq!(league.model.holders(NAMES[2]), BTreeSet::from([1]));
}

/// Each says that he made his file of the other's.
#[test]
fn who_is_behind_makes_no_update_by_saying_the_same_once_more() {
    let both = [(0, BTreeMap::from([(3, (Some(1), Base::None))]))];
    let other = (1, BTreeMap::from([(3, (Some(2), Base::Of(0)))]));
    let both = Deed::Edits(both.into_iter().chain([other]).collect());
    let league = League::new(Policy::LowestHash, Updates::Anyone);
    let league = play_in(league, [both, edit(0, 3, 0, Base::Of(2))]);
    assert_eq!(league.model.now(NAMES[3]), Some(content(2)));
}

/// He was the last one who had what another name holds.
#[test]
fn who_comes_to_a_place_of_his_own_leaves_nothing_behind_that_nobody_has() {
    let rival_and_name = [
        (0, BTreeMap::from([(5, (Some(2), Base::None))])),
        (1, BTreeMap::from([(4, (Some(2), Base::InStep))])),
    ];
    let both = BTreeMap::from([(4, (Some(0), Base::None)), (5, (Some(2), Base::InStep))]);
    let league = play([
        edit(3, 5, 0, Base::InStep),
        Deed::Edits(rival_and_name.into_iter().collect()),
        Deed::Leave(1),
        Deed::Edits(vec![(1, both)]),
    ]);
    assert_eq!(league.model.now(NAMES[4]), Some(content(0)));
}

#[test]
fn a_rival_whose_conflict_name_is_forgotten_claims_its_name_in_the_same_step() {
    let league = play_in(
        League::new(Policy::Established, Updates::Owner),
        [
            edit(1, 3, 0, Base::InStep),
            edit(2, 2, 1, Base::InStep),
            Deed::Prove(2),
            edit(0, 1, 2, Base::InStep),
            edit(1, 2, 0, Base::InStep),
            edit(3, 1, 1, Base::InStep),
            Deed::Recall,
            edit(3, 2, 2, Base::InStep),
        ],
    );
    assert_eq!(league.union.conflicts().len(), 1);
}

/// The server came to its end before it had either.
#[test]
fn who_goes_on_with_what_the_server_never_got_makes_an_update() {
    let league = play([
        edit(0, 3, 0, Base::None),
        Deed::ProveAll,
        edit(0, 3, 1, Base::InStep),
        Deed::Recall,
        edit(0, 3, 2, Base::InStep),
    ]);
    assert_eq!(league.union.conflicts(), []);
    assert_eq!(league.model.now(NAMES[3]), Some(content(2)));
}

#[test]
fn what_its_author_gave_up_while_the_server_was_away_is_given_up() {
    let gone = BTreeMap::from([(3, (None, Base::None))]);
    let others = edit(1, 1, 3, Base::None);
    let league = play([edit(0, 3, 0, Base::None), Deed::Recall, others]);
    assert_eq!(league.union.len(), 2, "only its author knows");
    let league = play_in(league, [Deed::Edits(vec![(0, gone)])]);
    assert_eq!(league.union.len(), 1);
}

fn whole_liveries() -> League {
    League::with_scope(Policy::Established, Updates::Anyone, Scope::Livery)
}

fn name_with(league: &League, prefix: &str) -> Vec<String> {
    let names = league.union.iter().map(|entry| entry.path.as_str().to_owned());
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// One file is a rival, another one collides with nothing, and a third is the same.
#[test]
fn a_rival_livery_is_whole_in_a_folder_of_its_own() {
    let established = BTreeMap::from([(1, (Some(0), Base::None)), (3, (Some(1), Base::None))]);
    let rival = BTreeMap::from([
        (1, (Some(0), Base::None)),
        (2, (Some(3), Base::None)),
        (3, (Some(4), Base::None)),
    ]);
    let league = play_in(
        whole_liveries(),
        [Deed::Edits(vec![(0, established)]), Deed::Edits(vec![(1, rival)])],
    );
    assert_eq!(name_with(&league, "t/"), [NAMES[1], NAMES[3]]);
    let folder = name_with(&league, "t__CONFLICT__");
    let rest: Vec<_> = folder.iter().map(|name| name.split_once('/').unwrap().1).collect();
    assert_eq!(rest, ["a.png", "a__CONFLICT__4bf5122f.png", "b.json"]);
    let folders: BTreeSet<_> = folder.iter().map(|name| livery(name)).collect();
    assert_eq!(folders.len(), 1, "all of it lies together: {folder:?}");
    let conflicts = league.union.conflicts();
    let of_livery: Vec<_> =
        conflicts.iter().filter(|conflict| conflict.path.livery() == "t").collect();
    assert_eq!(of_livery.len(), 1, "only what differs is a conflict");
    assert_eq!(of_livery[0].path.as_str(), NAMES[3]);
}

#[test]
fn what_a_rival_livery_goes_elsewhere_from_is_given_up_if_nobody_has_it() {
    let both = BTreeMap::from([(1, (Some(3), Base::None)), (3, (Some(0), Base::None))]);
    let league = play_in(
        whole_liveries(),
        [
            Deed::Edits(vec![(1, both)]),
            Deed::Recall,
            edit(0, 3, 1, Base::None),
            edit(1, 1, 0, Base::InStep),
        ],
    );
    assert_eq!(name_with(&league, "t/"), [NAMES[3]]);
}

fn edits(member: u64, files: &[(usize, u8)]) -> Deed {
    let files = files.iter().map(|(name, byte)| (*name, (Some(*byte), Base::None)));
    Deed::Edits(vec![(member, files.collect())])
}

/// What lies below the one conflict folder of the livery `t`.
fn in_its_folder(league: &League) -> Vec<String> {
    let names = name_with(league, "t__CONFLICT__");
    let folders: BTreeSet<_> = names.iter().map(|name| livery(name)).collect();
    assert!(folders.len() < 2, "all of it lies together: {names:?}");
    names.iter().map(|name| name.split_once('/').unwrap().1.to_owned()).collect()
}

#[test]
fn a_livery_that_collides_with_nothing_is_not_mixed_into_another() {
    let mut league = play_in(whole_liveries(), [edits(0, &[(1, 0)]), edits(1, &[(3, 1)])]);
    assert_eq!(name_with(&league, "t/"), [NAMES[1]]);
    assert_eq!(in_its_folder(&league), ["b.json"]);
    let conflicts = league.union.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!((conflicts[0].path.as_str(), conflicts[0].established), (NAMES[3], None));
    // More of it comes there, even if that collides.
    league = play_in(league, [edits(1, &[(2, 2)]), edits(1, &[(1, 3)])]);
    assert_eq!(name_with(&league, "t/"), [NAMES[1]]);
    assert_eq!(in_its_folder(&league), ["a.png", "a__CONFLICT__4bf5122f.png", "b.json"]);
}

#[test]
fn whoever_has_a_part_in_a_livery_adds_to_it() {
    // Its author, who has nothing of it any more; who has some of it; who has what it was.
    let author = Deed::Edits(vec![(
        0,
        BTreeMap::from([(1, (None, Base::None)), (2, (Some(3), Base::None))]),
    )]);
    let holder = edits(1, &[(1, 0), (2, 3)]);
    let update = edit(0, 1, 4, Base::InStep);
    for deeds in [vec![author], vec![holder], vec![update, edits(2, &[(1, 0), (2, 3)])]] {
        let begun = play_in(whole_liveries(), [edits(0, &[(1, 0)]), Deed::ProveAll]);
        let league = play_in(begun, deeds);
        assert_eq!(name_with(&league, "t/"), [NAMES[1], NAMES[2]]);
        assert_eq!(league.union.len(), 2);
    }
}

#[test]
fn what_will_never_come_of_a_livery_takes_no_name() {
    let league =
        play_in(whole_liveries(), [edits(0, &[(1, 0)]), Deed::Recall, edits(1, &[(3, 1)])]);
    assert_eq!(name_with(&league, "t"), [NAMES[3]]);
}

#[test]
fn an_administrator_says_what_becomes_of_a_livery_that_collides_with_nothing() {
    let (first, second) = (content(0), content(1));
    let keep = second.hash.short();
    for (keep, stays) in [(&*keep, (NAMES[3], second)), (Act::KEEP_NONE, (NAMES[1], first))] {
        let deeds = [edits(0, &[(1, 0)]), edits(1, &[(3, 1)]), Deed::ProveAll];
        let mut league = play_in(whole_liveries(), deeds);
        league.act(&Act::Resolve { path: NAMES[3].to_owned(), keep: keep.to_owned() });
        league.check();
        let left = league.union.iter().map(|entry| (entry.path.as_str(), entry.content));
        assert_eq!(left.collect::<Vec<_>>(), [stays]);
        assert_eq!(league.union.conflicts(), []);
    }
}

#[test]
fn where_only_owners_update_only_they_add() {
    for scope in [Scope::File, Scope::Livery] {
        let begin = || League::with_scope(Policy::Established, Updates::Owner, scope);
        // The other one has all that there is.
        let deeds = [edits(0, &[(1, 0)]), edits(1, &[(1, 0), (3, 1)]), Deed::ProveAll];
        let mut league = play_in(begin(), deeds);
        assert!(league.union.get(path(NAMES[3]).key()).is_none());
        assert_eq!(league.union.conflicts().len(), 1);
        assert_eq!(league.union.len(), if scope == Scope::File { 2 } else { 3 });
        league.act(&Act::Resolve { path: NAMES[3].to_owned(), keep: Act::KEEP_NONE.to_owned() });
        league.check();
        assert_eq!(name_with(&league, "t"), [NAMES[1]]);

        let league = play_in(begin(), [edits(0, &[(1, 0)]), edits(0, &[(3, 1)])]);
        assert_eq!(name_with(&league, "t"), [NAMES[1], NAMES[3]]);
    }
}
