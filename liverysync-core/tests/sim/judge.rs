//! The judge: compares the disks with a model that is too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};

use liverysync_core::{
    conflict::{Naming, in_claimed_livery, parse_conflict_name},
    hash::Content,
    path::{Extensions, PathKey, RelPath, fold},
    select::{Chosen, Reason, Rules, select},
    server::Withheld,
    union::{PeerId, Union, UnionEntry},
};

use crate::{
    net::LinkId,
    old_pc::carried_by_104,
    rig::{Brain, SimServer, World},
};

impl World {
    /// Checks what holds after every step.
    pub(crate) fn judge_step(&mut self) {
        if let SimServer::New(server) = &self.server {
            self.book.judge(server.machine.union());
        }
    }

    /// Returns the shared files of an honest PC, by a plain reading of its disk.
    fn publishable(&self, pc: usize) -> Vec<(RelPath, Content)> {
        let this = &self.pcs[pc];
        let listed: Vec<_> = this
            .disk
            .list()
            .into_iter()
            .filter(|item| match &this.brain {
                Brain::Old(old) => !old.careful || carried_by_104(&item.path),
                _ => true,
            })
            .collect();
        let rules = match &this.brain {
            Brain::New(new_pc) => new_pc.config.rules.clone(),
            // The server leaves out of an old client's manifest what the game made.
            _ => Rules::default(),
        };
        let selection = select(&listed, &rules);
        let mut chosen = selection.publish;
        // What the union brought stays shared although it looks like the game's.
        for item in selection.skipped.iter().filter(|item| item.reason == Reason::Placeholder) {
            let node = this.disk.get(&item.path).unwrap();
            let path = RelPath::parse(&item.path, &rules.extensions).unwrap();
            let known = match (&this.brain, &self.server) {
                (Brain::New(new_pc), _) => new_pc.machine.as_ref().and_then(|machine| {
                    let manifest = machine.manifest();
                    let known = manifest.iter().find(|entry| entry.path == path);
                    known.map(|entry| entry.content)
                }),
                (_, SimServer::New(server)) => {
                    server.machine.union().get(path.key()).map(|entry| entry.content)
                }
                _ => None,
            };
            if known == Some(node.content) {
                let _fits = chosen.insert(Chosen { path, stamp: node.stamp(), change_tag: 0 });
            }
        }
        let content = |chosen: &Chosen| this.disk.get(chosen.path.as_str()).unwrap().content;
        chosen.iter().map(|chosen| (chosen.path.clone(), content(chosen))).collect()
    }

    /// Judges the world at rest, with everybody connected.
    pub(crate) fn judge_rest(&mut self, old_server: bool) {
        for pc in &self.pcs {
            assert!(pc.running && pc.link.is_some(), "{} is not connected", pc.name);
            assert!(pc.disk.tmp_is_empty(), "{}: .tmp is not empty", pc.name);
        }
        self.judge_treasures();
        if old_server {
            return self.judge_old_league();
        }
        self.judge_database();
        self.judge_manifests();
        self.judge_union();
        for pc in 0..self.pcs.len() {
            self.judge_member(pc);
            self.judge_spelling(pc);
        }
        self.judge_offers();
    }

    /// Checks that nothing a driver had is gone, unless they gave it up themselves.
    fn judge_treasures(&self) {
        for content in &self.treasured {
            if self.given_up.contains(&content.hash) {
                continue;
            }
            let there = self.pcs.iter().any(|pc| pc.disk.holds(*content));
            let place = self.replaced.get(content);
            let backed_up = self.pcs.iter().any(|pc| pc.disk.backs_up(*content));
            assert!(there || backed_up, "{:?} is lost; it was at {place:?}", content.hash);
            // A client of 1.0.4 and the game's own files are all that a backup is enough for.
            let excused = self.pcs.iter().any(|pc| matches!(pc.brain, Brain::Old(_)));
            let excused = excused || place.is_none() || self.put_away.contains(content);
            // So is it for what its driver replaced themself, on the one of their PCs or the other.
            let excused = excused || self.book.outdone.contains(content);
            assert!(
                there || excused,
                "{:?} is in a backup only; it was at {place:?}",
                content.hash
            );
        }
    }

    /// Checks that each machine knows its folder as it is.
    fn judge_manifests(&self) {
        for (number, pc) in self.pcs.iter().enumerate() {
            let Brain::New(new_pc) = &pc.brain else { continue };
            let manifest = new_pc.machine.as_ref().unwrap().manifest();
            let held: BTreeMap<_, _> =
                manifest.iter().map(|entry| (entry.path.clone(), entry.content)).collect();
            let truth: BTreeMap<_, _> = self.publishable(number).into_iter().collect();
            assert_eq!(held, truth, "{}: the manifest is not what the folder holds", pc.name);
        }
    }

    fn union_entries(&self) -> Vec<UnionEntry> {
        self.server().union().iter().cloned().collect()
    }

    fn is_refused(&self, pc: usize, path: &RelPath) -> bool {
        let name = self.pcs[pc].name.clone();
        self.refused.contains(&(name, path.key().as_str().to_owned()))
    }

    /// Returns true if a PC has a damaged file in a livery where the league has another content of that name. It is judged
    /// again when its folder changes.
    fn waits_for_damage(&self, pc: usize, path: &RelPath) -> bool {
        let is_damaged = |content: &Content| {
            let mut disks = self.pcs.iter().flat_map(|pc| pc.disk.tree.values());
            let node = disks.find(|node| node.content == *content);
            node.is_some_and(|node| !node.data.is_empty() && node.data.iter().all(|b| *b == 0))
        };
        self.publishable(pc).into_iter().any(|(own, content)| {
            let entry = self.server().union().get(own.key());
            own.key().livery() == path.key().livery()
                && is_damaged(&content)
                && entry.is_some_and(|entry| entry.content != content)
        })
    }

    /// Checks that the union has what its members have, and what was sent to it.
    fn judge_union(&self) {
        let union = self.server().union();
        let mut held: BTreeSet<Content> = BTreeSet::new();
        for (number, pc) in self.pcs.iter().enumerate() {
            match &pc.brain {
                Brain::Liar(liar) => {
                    held.extend(liar.claims.values().map(|(content, _)| *content));
                }
                _ => {
                    for (path, content) in self.publishable(number) {
                        held.insert(content);
                        let refused =
                            self.is_refused(number, &path) || self.waits_for_damage(number, &path);
                        let found = is_in(&path, content, union.get(path.key()))
                            || self.is_of_the_past(&path, content)
                            || union.iter().any(|entry| is_in(&path, content, Some(entry)));
                        assert!(
                            found || refused,
                            "{}: {path} {:?} is not in the union",
                            pc.name,
                            content.hash
                        );
                    }
                }
            }
        }
        for entry in union.iter() {
            let stored = entry.local(PeerId(0)).is_some();
            let remembered = union.is_verified(entry.content);
            let there = stored || remembered || held.contains(&entry.content);
            assert!(there, "nobody holds {}", entry.path);
        }
    }

    /// Returns true if a name, its conflict name for this content, or its name in a conflict livery had the content before.
    fn is_of_the_past(&self, path: &RelPath, content: Content) -> bool {
        let union = self.server().union();
        let name = Naming::default().conflict_name(path, content.hash, |_| false);
        let in_folder = || {
            let folders = union.liveries().into_iter().map(|livery| livery.livery);
            let rest = &path.as_str()[path.livery().len()..];
            let names = folders.map(|folder| format!("{folder}{rest}"));
            let names = names.filter_map(|name| RelPath::parse(&name, &Extensions::default()).ok());
            let mut rivals = names.filter(|name| {
                let claimed = in_claimed_livery(name, &Naming::default());
                claimed.is_some_and(|claimed| plain(&claimed) == plain(path))
            });
            rivals.any(|name| union.knows(name.key(), content))
        };
        union.knows(path.key(), content)
            || name.is_ok_and(|name| union.knows(name.key(), content))
            || in_folder()
    }

    /// Checks that the records describe all of the union.
    pub(crate) fn judge_database(&self) {
        let SimServer::New(server) = &self.server else { return };
        let recalled = Union::replay(self.server_config.initial_settings(), &self.records);
        assert_eq!(
            recalled.manifest(),
            server.machine.union().manifest(),
            "the records and the union differ"
        );
        let held = server.machine.union().held();
        assert!(recalled.held().eq(held), "the records and the union hold different liveries");
    }

    /// Checks that a client has all of the union, except where there is a reason.
    fn judge_member(&self, pc: usize) {
        if matches!(self.pcs[pc].brain, Brain::Liar(_)) {
            return;
        }
        let name = &self.pcs[pc].name;
        let is_new = matches!(self.pcs[pc].brain, Brain::New(_));
        let own: BTreeMap<PathKey, (RelPath, Content)> = self
            .publishable(pc)
            .into_iter()
            .map(|(path, content)| (path.key().clone(), (path, content)))
            .collect();
        let nothing = BTreeMap::new();
        let told = self.withheld.get(name).unwrap_or(&nothing);
        for entry in self.union_entries() {
            let key = entry.path.key();
            let there = own.get(key).is_some_and(|(_, content)| *content == entry.content);
            let reason = told.get(key.as_str());
            // A content that the league remembers and no connected PC has arrives with a PC that has it.
            if there || entry.copies() == 0 || self.only_liars_hold(entry.content) {
                continue;
            }
            let excused = match reason {
                Some(Withheld::NotAllowed) | None => false,
                Some(
                    Withheld::Cache | Withheld::OldClientRefuses | Withheld::OldClientKeepsNewer,
                ) => !is_new,
                Some(_) => true,
            };
            assert!(
                excused,
                "{name} lacks {} {:?}, told {reason:?}",
                entry.path, entry.content.hash
            );
        }
        for (path, content) in own.values() {
            let entry = self.server().union().get(path.key());
            let same = entry.is_some_and(|entry| entry.content == *content);
            // An old client cannot be told to put a file away.
            let stays = !is_new && self.is_of_the_past(path, *content);
            let excused = self.is_refused(pc, path)
                || self.waits_for_damage(pc, path)
                || stays
                || told.contains_key(path.key().as_str())
                || entry.is_some_and(|entry| self.only_liars_hold(entry.content));
            assert!(same || excused, "{name} keeps {path} {:?} to itself", content.hash);
        }
    }

    /// Checks that all names of the union spell a folder in one way, and that a client spells them so too, if its driver has
    /// not renamed anything.
    fn judge_spelling(&self, pc: usize) {
        let entries = self.union_entries();
        let folders = |paths: Vec<&str>| -> Vec<(String, String)> {
            let ends = paths.into_iter().flat_map(|path| {
                path.match_indices('/').map(|(at, _)| (fold(&path[..at]), path[..at].to_owned()))
            });
            ends.collect::<BTreeSet<_>>().into_iter().collect()
        };
        let of_union = folders(entries.iter().map(|entry| entry.path.as_str()).collect());
        for pair in of_union.windows(2) {
            assert_ne!(pair[0].0, pair[1].0, "the union spells a folder in two ways");
        }
        let Brain::New(_) = &self.pcs[pc].brain else { return };
        let disk = &self.pcs[pc].disk;
        let on_disk = folders(disk.tree.values().map(|node| node.path.as_str()).collect());
        let twice = on_disk.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        let twice: BTreeSet<_> = twice.map(|pair| pair[0].0.clone()).collect();
        for (path, content) in self.publishable(pc) {
            let entry = self.server().union().get(path.key());
            let Some(entry) = entry.filter(|entry| entry.content == content) else { continue };
            let livery = path.key().livery().to_owned();
            let excused = path.key().ancestors().any(|folder| twice.contains(folder))
                || disk.blocked.contains(&livery)
                || self.spelled_by_hand.contains(&(pc, livery));
            assert!(
                path == entry.path || excused,
                "{} has {path}, the league {}",
                self.pcs[pc].name,
                entry.path
            );
        }
    }

    fn only_liars_hold(&self, content: Content) -> bool {
        let honest =
            (0..self.pcs.len()).filter(|pc| !matches!(self.pcs[*pc].brain, Brain::Liar(_)));
        let mut honest = honest.filter(|pc| self.pcs[*pc].disk.holds(content));
        !honest.any(|pc| self.publishable(pc).iter().any(|(_, held)| *held == content))
    }

    /// Checks that 1.0.4 is not offered what it refuses, and that a liar is not asked forever.
    fn judge_offers(&self) {
        for ((link, path, _), times) in &self.begun {
            let Brain::Old(old) = &self.pcs[self.links[*link].pc].brain else { continue };
            let refused = old.careful && !carried_by_104(path);
            let name = &self.pcs[self.links[*link].pc].name;
            assert!(!refused || *times <= 1, "{name} was offered {path} {times} times");
        }
    }

    fn judge_old_league(&mut self) {
        // Two old clients and an old server may wait for each other for ever, if one of them crashes.
        let open: Vec<_> = self.old_server().sessions_open().flatten().collect();
        let is_new = |link: &LinkId| matches!(self.pcs[self.links[*link].pc].brain, Brain::New(_));
        assert!(!open.iter().any(is_new), "a session of the old server hangs");
        for pc in 0..self.pcs.len() {
            // The later server never serves a client that has nothing that it knows.
            let own = self.publishable(pc);
            let is_known = own.iter().any(|(path, _)| carried_by_104(path.as_str()));
            let served = !self.old_server().later || is_known;
            if served && matches!(self.pcs[pc].brain, Brain::New(_)) {
                let missing = self.old_server_missing(pc);
                assert!(missing.is_empty(), "{} lacks {missing:?}", self.pcs[pc].name);
            }
        }
    }
}

/// Returns true if the union has a content of `path`, under its own or a conflict name.
fn is_in(path: &RelPath, content: Content, entry: Option<&UnionEntry>) -> bool {
    let Some(entry) = entry.filter(|entry| entry.content == content) else { return false };
    plain(&entry.path) == plain(path)
}

/// Returns a path without its conflict name.
fn plain(path: &RelPath) -> PathKey {
    let naming = Naming::default();
    let path = in_claimed_livery(path, &naming).unwrap_or_else(|| path.clone());
    let parsed = parse_conflict_name(&path, &naming);
    parsed.map_or_else(|| path.key().clone(), |(plain, _)| plain.key().clone())
}
