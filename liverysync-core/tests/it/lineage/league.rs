//! A union beside its model: applies the deeds of members and admins to both, and checks both.

use liverysync_core::inspect::{ContentFacts, Damage};

use super::{deeds::Edit, limits::Limits, *};

/// The date at which freezes end that end by themselves.
const FREEZE_END: &str = "2026-12-05T20:00:00Z";

/// A union beside its model, and a second union that gets the same input.
pub(super) struct League {
    pub(super) model: Model,
    pub(super) union: Union,
    twin: Union,
    pub(super) records: Vec<Record>,
    /// The settings that the league began with.
    pub(super) first_settings: Settings,
    /// The files of the connected members, and those on the disks of the others.
    pub(super) here: BTreeSet<u64>,
    pub(super) disks: BTreeMap<u64, BTreeMap<String, (Content, Option<ContentHash>)>>,
    arrivals: u64,
    /// The members' folders that they spell in upper case, by the livery.
    pub(super) upper: BTreeSet<(u64, String)>,
}

impl League {
    pub(super) fn new(policy: Policy, updates: Updates) -> Self {
        Self::with_scope(policy, updates, Scope::File)
    }

    pub(super) fn with_scope(policy: Policy, updates: Updates, scope: Scope) -> Self {
        let naming = Naming::default().with_scope(scope);
        let union = Union::new(policy, naming).with_updates(updates);
        Self {
            model: Model { policy, updates, scope, ..Model::default() },
            twin: union.clone(),
            first_settings: union.settings().clone(),
            union,
            records: Vec::new(),
            here: BTreeSet::new(),
            disks: BTreeMap::new(),
            arrivals: 0,
            upper: BTreeSet::new(),
        }
    }

    pub(super) fn change(&mut self, member: u64) -> Change {
        self.arrivals += 1;
        let (peer, arrival, member) = (PeerId(member), self.arrivals, author(member));
        let (lost, gained) = (Vec::new(), Vec::new());
        Change { peer, arrival, member, complete: false, lost, gained }
    }

    /// Returns the first report of a returning member.
    fn greeting(&mut self, member: u64) -> Change {
        let mut change = self.change(member);
        if self.here.insert(member) {
            let disk = self.disks.entry(member).or_default();
            change.gained = disk.iter().map(|(name, file)| gained(name, *file)).collect();
            change.complete = true;
        }
        change
    }

    fn edit(&mut self, member: u64, edits: BTreeMap<usize, Edit>) -> Change {
        let mut change = self.greeting(member);
        for (name, (new, base)) in edits {
            let name = NAMES[name].to_owned();
            let in_sync = self.model.now(&name).map(|now| now.hash);
            let base = match base {
                Base::InSync => in_sync,
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
        // A departure is nothing that its member reports.
        let mut change = Change { member: None, ..self.change(member) };
        if self.here.remove(&member) {
            let disk = self.disks.entry(member).or_default();
            change.lost = disk.iter().map(|(name, (content, _))| entry(name, *content)).collect();
        }
        change
    }

    pub(super) fn do_deed(&mut self, deed: Deed) {
        match deed {
            Deed::Edits(edits) => {
                let single = edits.len() == 1;
                let changes: Vec<_> =
                    edits.into_iter().map(|(member, edits)| self.edit(member, edits)).collect();
                self.step(changes.clone());
                if single {
                    self.check_repeated_report(changes);
                }
            }
            Deed::Leave(member) => {
                let change = self.leave(member);
                self.step(vec![change]);
            }
            Deed::Spell(member, livery, is_upper) => self.spell(member, livery, is_upper),
            Deed::CatchUp(member) => self.catch_up(member),
            Deed::Verify(byte) => self.verify(&[content(byte)]),
            Deed::VerifyAll => {
                let held = self.model.files.values().filter(|(_, status)| status.waits());
                let held = held.map(|(claim, _)| claim.content);
                let placed = self.model.names().into_iter().map(|(_, now)| now);
                let all: Vec<_> = placed.chain(held).collect();
                self.verify(&all);
            }
            Deed::Retire(livery) => {
                let liveries = vec![LIVERIES[livery].to_owned()];
                self.act(&Act::Retire { liveries, confirmed: true });
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
                let rivals = conflict.copies.iter().map(|(_, content)| Some(*content));
                let all: Vec<_> = rivals.chain([conflict.established]).collect();
                let keep = all[keep % all.len()];
                let keep = keep.map_or(Act::KEEP_NONE.to_owned(), |kept| kept.hash.short());
                self.act(&Act::Resolve { path: canon(&conflict.path), keep });
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
            Deed::Replace(old, new) => {
                let (old, new) = (LIVERIES[old].to_owned(), LIVERIES[new].to_owned());
                self.act(&Act::Replace { old, new });
            }
            Deed::OwnerAct(member, of, act) => self.owner_act(member, LIVERIES[of], &act),
            Deed::Set(setting, value) => {
                let value = words(setting)[value].to_owned();
                self.act(&Act::Set { setting, value });
            }
            Deed::Decide(approved, livery, from) => {
                let liveries: Vec<_> =
                    livery.map(|at| LIVERIES[at].to_owned()).into_iter().collect();
                let from = from.and_then(author);
                self.act(&match approved {
                    true => Act::Approve { liveries, from },
                    false => Act::Reject { liveries, from },
                });
            }
            Deed::Block(blocked, byte) => {
                let content = content(byte).hash.to_string();
                self.act(&match blocked {
                    true => Act::Block { content },
                    false => Act::Unblock { content },
                });
            }
            Deed::EndFreezes => self.end_freezes(),
            Deed::Restart => self.restart(),
        }
    }

    pub(super) fn step(&mut self, changes: Vec<Change>) {
        let before = (self.histories(), spelling::spellings(&self.union));
        self.model.step(&changes);
        let changes = self.as_spelled(changes);
        let outcome = self.union.step(changes.clone());
        assert_eq!(outcome, self.twin.step(changes.clone()), "the same step has one outcome");
        self.check_history_is_kept(&before.0, &outcome);
        self.check_spelling(&before.1, &changes);
        let respells =
            |record: &Record| matches!(record, Record::Placed { cause: Cause::Renamed, .. });
        if outcome.records.iter().any(respells) {
            self.model.steps = self.model.step;
        }
        self.records.extend(outcome.records);
        // As a database has them: after everything else.
        let reported = changes.into_iter().filter_map(|change| {
            let Change { complete, lost, gained, .. } = change;
            let lost = lost.into_iter().map(|lost| lost.path).collect();
            let gained = gained.into_iter().map(|gained| gained.entry).collect();
            Some(Record::Reported { member: change.member?, complete, lost, gained })
        });
        self.records.extend(reported);
    }

    pub(super) fn act(&mut self, act: &Act) {
        let before = self.histories();
        let Ok((_, outcome)) = self.union.act(act) else {
            assert_eq!(self.histories(), before, "what is refused changes nothing");
            return;
        };
        assert_eq!(self.twin.act(act).unwrap().1, outcome);
        self.model.act(act);
        self.check_history_is_kept(&before, &outcome);
        self.records.extend(outcome.records);
    }

    fn owner_act(&mut self, member: u64, of: &str, act: &Act) {
        let before = self.histories();
        let foreseen = self.union.check_act_of(author(member), act);
        let done = self.union.act_of(author(member), act);
        // What was refused before may join now, too.
        assert_eq!(done.as_ref().err(), foreseen.as_ref().err());
        let is_owner = self.model.owns(of, member);
        let Ok((_, outcome)) = done else {
            assert_eq!(self.histories(), before, "what is refused changes nothing");
            return;
        };
        assert!(is_owner, "only owners may");
        assert_eq!(self.twin.act_of(author(member), act).unwrap().1, outcome);
        self.model.act(act);
        self.check_history_is_kept(&before, &outcome);
        self.records.extend(outcome.records);
    }

    fn end_freezes(&mut self) {
        let outcome = self.union.end_freezes(FREEZE_END.parse().unwrap());
        assert_eq!(self.twin.end_freezes(FREEZE_END.parse().unwrap()), outcome);
        if let Some(outcome) = outcome {
            self.model.end_freezes();
            self.records.extend(outcome.records);
        }
    }

    fn verify(&mut self, contents: &[Content]) {
        contents.iter().for_each(|content| self.model.verify(*content));
        let inspected = || contents.iter().map(|content| (*content, facts(*content)));
        self.records.extend(self.union.mark_inspected(inspected()));
        self.twin.mark_inspected(inspected());
        // As a server does it: what waits for contents is placed by a step.
        self.step(Vec::new());
    }

    fn catch_up(&mut self, member: u64) {
        let mut change = self.greeting(member);
        if !change.gained.is_empty() {
            // A returning member reports first, then downloads.
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
        for (author, file) in
            author(member).into_iter().flat_map(|a| change.gained.iter().map(move |f| (a, f)))
        {
            let key = file.entry.path.key();
            self.union.mark_offered(author, key);
            self.twin.mark_offered(author, key);
            self.model.met.insert((livery(file.entry.path.as_str()).to_owned(), author));
        }
        self.step(vec![change]);
        let again = self.disks[&member].clone();
        for (name, (content, _)) in again {
            let (peer, path) = (PeerId(member), path(&name));
            let counts = self.union.filed_under(peer, path.key(), content.hash);
            assert!(counts.is_some_and(|entry| canon(&entry.path) == name), "{name} is in sync");
            assert!(!self.union.is_outdated(peer, path.key(), content), "{name} is behind");
        }
        assert_eq!(self.union.refused(PeerId(member)).count(), 0);
    }

    /// Checks that reporting the same again changes nothing.
    fn check_repeated_report(&self, mut changes: Vec<Change>) {
        changes.iter_mut().for_each(|change| change.lost.clear());
        let changes = self.as_spelled(changes);
        let (mut again, mut last) = (self.union.clone(), Vec::new());
        // What exceeds a limit, or has a blocked file beside it, is judged in rounds: it may take one more report to come to its
        // end.
        let is_bounded = self.model.limits != Limits::default() || !self.model.blocked.is_empty();
        for _ in 0..if is_bounded { 4 } else { 1 } {
            last = again.step(changes.clone()).records;
            if last.is_empty() {
                break;
            }
        }
        assert_eq!(last, []);
        assert!(is_bounded || again.manifest() == self.union.manifest());
    }

    fn restart(&mut self) {
        self.union = self.replayed();
        self.records.extend(self.union.release_strangers());
        self.twin = self.union.clone();
        self.here.clear();
        self.model.files.clear();
        self.model.here.clear();
        self.model.arrived.clear();
        self.model.holds.retain(|(_, member), _| member.is_some());
        self.model.also.clear();
    }

    pub(super) fn replayed(&self) -> Union {
        Union::replay(self.first_settings.clone(), &self.records)
    }

    fn histories(&self) -> BTreeMap<String, BTreeSet<Content>> {
        histories(&self.union)
    }

    /// Checks that accepted contents stay in the history, unless a record says otherwise. What the server has had goes only
    /// with the rest of its livery, of which a content never came.
    fn check_history_is_kept(
        &self,
        before: &BTreeMap<String, BTreeSet<Content>>,
        outcome: &Outcome,
    ) {
        let after = self.histories();
        let is_forgotten = |name: &str| {
            let mut records = outcome.records.iter();
            records
                .any(|record| matches!(record, Record::Forgotten { path } if canon(path) == *name))
        };
        let is_freed = |name: &str| {
            let is_retired = |record: &Record| matches!(record, Record::Retired { path, .. } if canon(path) == *name);
            is_forgotten(name) || outcome.records.iter().any(is_retired)
        };
        let is_missed = |of: &str| {
            before.iter().any(|(name, contents)| {
                livery(name) == of
                    && is_freed(name)
                    && contents.iter().any(|content| !self.union.is_verified(*content))
            })
        };
        for (name, contents) in before {
            let kept = |content: &Content| after.get(name).is_some_and(|a| a.contains(content));
            for content in contents.iter().filter(|content| !kept(content)) {
                assert!(is_forgotten(name), "{name} lost {content:?}");
                let is_there = self.union.is_verified(*content);
                assert!(!is_there || is_missed(livery(name)), "{name} lost what there is");
            }
        }
    }

    pub(super) fn check(&self) {
        let (model, union) = (&self.model, &self.union);
        let names: Vec<_> = union.iter().map(|entry| (canon(&entry.path), entry.content)).collect();
        assert_eq!(names, by_key(model.names()));
        for entry in union.iter() {
            let again = RelPath::parse(entry.path.as_str(), &Extensions::default());
            assert_eq!(again.as_ref(), Ok(&entry.path), "a valid name");
            let holders: BTreeSet<_> = entry.holders().map(|(holder, _)| holder.0).collect();
            assert_eq!(holders, model.holders(&canon(&entry.path)), "who has {}", entry.path);
        }
        assert_eq!(union.manifest().len(), union.len(), "all could exist below one root");
        for ((member, name), (claim, sync_status)) in &model.files {
            self.check_file(PeerId(*member), name, claim.content, sync_status);
        }
        for byte in 0..CONTENTS {
            let content = content(byte);
            assert_eq!(union.is_verified(content), model.verified.contains(&content));
        }
        for of in LIVERIES {
            self.check_history(of);
        }
        self.check_views();
        let recalled = self.replayed();
        assert_eq!(recalled.manifest(), union.manifest());
        assert_eq!(recalled.liveries(), union.liveries());
        assert_eq!(recalled.conflicts(), union.conflicts());
        held::check(union, model);
        held::check(&recalled, model);
        for of in LIVERIES {
            assert_eq!(recalled.history(of), union.history(of));
        }
    }

    fn check_file(&self, peer: PeerId, name: &str, content: Content, sync_status: &SyncStatus) {
        let (path, union) = (path(name), &self.union);
        let counts = union.filed_under(peer, path.key(), content.hash);
        // A server waits for the next step with a file that is none of these.
        let is_outdated = union.is_outdated(peer, path.key(), content);
        let is_refused = union.is_refused(peer, path.key(), content);
        let known = [counts.is_some(), is_outdated, is_refused];
        let known = known.into_iter().filter(|known| *known).count();
        assert_eq!(known, 1, "{name} of {peer:?} counts, is behind, or is refused");
        let counts = counts.filter(|entry| entry.local(peer).is_some());
        match sync_status {
            SyncStatus::For(name) => {
                assert_eq!(counts.map(|entry| canon(&entry.path)).as_ref(), Some(name));
            }
            SyncStatus::Behind(_) => {
                assert!(is_outdated, "{peer:?} is behind with {name}");
                let of = |name: &str| plain(&in_claimed(name));
                let mut names = self.model.past.keys().filter(|known| of(known) == of(name));
                let knows = |known: &str| self.model.had(known, |had| had == content);
                let known = names.any(|known| knows(known)) || knows(&plain(name));
                assert!(known, "{name} of {peer:?} would be lost");
            }
            SyncStatus::Refused | SyncStatus::Held | SyncStatus::Awaited => {
                assert!(is_refused, "{name} is refused");
                assert!(union.refused(peer).any(|key| key == path.key()), "{name} is among them");
            }
        }
    }

    fn check_history(&self, of: &str) {
        let mut told = Vec::new();
        for version in self.union.history(of) {
            let files = self.model.at(of, version.step);
            assert_eq!(version.files, files.len(), "{of} at {}", version.step);
            let changes = version.changes.into_iter();
            told.extend(changes.map(|c| (version.step, canon(&c.path), c.content)));
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
            let rivals = conflict.copies.into_iter();
            let rivals = rivals.map(|(path, content)| (canon(&path), content));
            (canon(&conflict.path), rivals.collect::<Vec<_>>())
        });
        let mut claimed: Vec<_> = model.conflicts().into_iter().collect();
        claimed.sort_by_key(|(name, _)| name.to_lowercase());
        assert_eq!(conflicts.collect::<Vec<_>>(), claimed);
        let liveries = self.union.liveries().into_iter();
        let liveries: Vec<_> = liveries
            .map(|of| (in_lower(&of.livery), of.files, of.owners.into_iter().collect(), of.retired))
            .collect();
        let known: BTreeSet<_> = model.past.keys().map(|name| livery(name)).collect();
        let expected = known.into_iter().map(|of| {
            let files = model.names_of(of).len();
            (of.to_owned(), files, model.owners.get(of).cloned().unwrap_or_default(), files == 0)
        });
        assert_eq!(liveries, expected.collect::<Vec<(_, _, BTreeSet<MemberId>, _)>>());
    }
}

pub(super) fn by_key(mut names: Vec<(String, Content)>) -> Vec<(String, Content)> {
    names.sort_by_key(|(name, _)| name.to_lowercase());
    names
}

pub(super) fn gained(name: &str, (content, base): (Content, Option<ContentHash>)) -> Gained {
    // A client of today looks at its edits itself.
    Gained { entry: entry(name, content), base, renamed: false, unchecked: base.is_none() }
}

fn facts(of: Content) -> ContentFacts {
    let damage = (of == content(DAMAGED)).then_some(Damage::Zeros);
    ContentFacts { png: damage, json: damage, pixels: None }
}

/// Returns all contents that each name had.
fn histories(union: &Union) -> BTreeMap<String, BTreeSet<Content>> {
    let mut histories: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for version in LIVERIES.iter().flat_map(|livery| union.history(livery)) {
        for change in version.changes {
            let contents = histories.entry(canon(&change.path)).or_default();
            contents.extend(change.content);
        }
    }
    histories
}
