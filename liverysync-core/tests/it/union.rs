//! The laws of the union, checked over random steps and over every small history.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::{BTreeMap, BTreeSet};

use liverysync_core::{
    conflict::{Naming, Policy, parse_conflict_name},
    hash::Content,
    manifest::{Entry, Manifest},
    path::{Extensions, PathKey, RelPath},
    time::UnixTime,
    union::{Change, Outcome, PeerId, Union},
};
use proptest::prelude::*;

const POLICIES: [Policy; 3] = [Policy::Established, Policy::LowestHash, Policy::NewestMtime];

fn path(text: &str) -> RelPath {
    RelPath::parse(text, &Extensions::default()).unwrap()
}

/// Returns a file whose content and date are derived from one byte.
fn entry(text: &str, byte: u8) -> Entry {
    let mtime = Some(UnixTime::from_nanos(i64::from(byte.wrapping_mul(37))));
    Entry { path: path(text), content: Content::of(&[byte]), mtime }
}

fn manifest(files: &[(&str, u8)]) -> Manifest {
    let mut manifest = Manifest::new();
    for (text, byte) in files {
        let _those_that_fit = manifest.insert(entry(text, *byte));
    }
    manifest
}

/// Returns the key of the plain name.
fn plain(path: &RelPath) -> PathKey {
    let parsed = parse_conflict_name(path, &Naming::default());
    parsed.map_or_else(|| path.key().clone(), |(plain, _)| plain.key().clone())
}

fn contents(union: &Union) -> BTreeMap<PathKey, Content> {
    union.iter().map(|entry| (entry.path.key().clone(), entry.content)).collect()
}

/// A union with the manifests of its members.
#[derive(Clone)]
struct League {
    union: Union,
    members: BTreeMap<PeerId, Manifest>,
    arrivals: u64,
}

impl League {
    fn new(policy: Policy) -> Self {
        let union = Union::new(policy, Naming::default());
        Self { union, members: BTreeMap::new(), arrivals: 0 }
    }

    /// Reports new manifests of members in one step. An empty one means leaving.
    fn step(&mut self, reports: &[(u64, Manifest)]) -> Outcome {
        let (before, members) = (contents(&self.union), self.members.clone());
        let mut changes = Vec::new();
        for (number, new) in reports {
            let member = PeerId(*number);
            let old = self.members.insert(member, new.clone()).unwrap_or_default();
            self.arrivals += 1;
            changes.push(Change::between(member, self.arrivals, &old, new));
        }
        let hash = self.union.manifest().union_hash();
        let outcome = self.union.step(changes);
        let same = self.union.manifest().union_hash() == hash;
        let unchanged = outcome.changed.is_empty();
        assert!(same || !unchanged, "a hash that is kept would be that of another union");
        self.check(&before, &members, &outcome);
        outcome
    }

    fn check(
        &self,
        before: &BTreeMap<PathKey, Content>,
        members: &BTreeMap<PeerId, Manifest>,
        outcome: &Outcome,
    ) {
        let union = &self.union;
        let whole = union.manifest();
        assert_eq!(whole.len(), union.len(), "all names could exist below one root");
        for entry in union.iter() {
            let again = RelPath::parse(entry.path.as_str(), &Extensions::default());
            assert_eq!(again.as_ref(), Ok(&entry.path), "a valid name");
            assert!(entry.copies() > 0, "{} is held by nobody", entry.path);
            for (holder, local) in entry.holders() {
                let own = self.members[&holder].get(local.key());
                let own = own.unwrap_or_else(|| panic!("{holder:?} has no {local}"));
                assert_eq!(own.content, entry.content, "{holder:?} holds {local}");
            }
        }
        for (member, manifest) in &self.members {
            for own in manifest {
                self.check_held(*member, own, &whole);
            }
        }
        // A name keeps its content as long as someone holds it there.
        for (key, content) in before {
            let holds =
                |manifest: &Manifest| manifest.get(key).is_some_and(|own| own.content == *content);
            let held =
                members.iter().any(|(member, old)| holds(old) && holds(&self.members[member]));
            let now = union.get(key).map(|entry| entry.content);
            assert!(!held || now == Some(*content), "{key} lost its content");
        }
        for (key, content) in contents(union) {
            let changed = before.get(&key) != Some(&content);
            assert!(!changed || outcome.changed.contains(&key), "{key} changed untold");
            let named = union.with_content(content).any(|entry| *entry.path.key() == key);
            assert!(named, "{key} is not found by its content");
        }
        for (key, content) in before.iter().filter(|(key, _)| union.get(key).is_none()) {
            assert!(outcome.changed.contains(key), "{key} went untold");
            let names = union.with_content(*content).map(|entry| entry.path.key());
            assert!(!names.into_iter().any(|name| name == key), "{key} is found and not there");
        }
        assert!(outcome.changed.is_subset(&outcome.touched));
    }

    /// Checks that a member's file is in the union, under its own or a conflict name, unless it collides.
    fn check_held(&self, peer: PeerId, own: &Entry, whole: &Manifest) {
        let key = own.path.key();
        let Some(counts) = self.union.filed_under(peer, key, own.content.hash) else {
            let collides = whole.get(key).is_none() && whole.check(&own.path).is_err();
            assert!(collides, "{peer:?}: {} is in the union under no name", own.path);
            return;
        };
        assert_eq!(counts.content, own.content);
        assert_eq!(plain(&counts.path), plain(&own.path));
        assert!(counts.local(peer).is_some(), "{peer:?} holds {}", counts.path);
    }
}

const NAMES: [&str; 9] = [
    "a.png",
    "A.PNG",
    "a.png/x.png",
    "T/a.png",
    "t/A.png",
    "T/a__CONFLICT__4bf5122f.png",
    "T/a__CONFLICT__4bf5122f_1.png",
    "T/b.json",
    "T/b__CONFLICT__00000000.json",
];

fn any_manifest() -> impl Strategy<Value = Manifest> {
    prop::collection::vec((prop::sample::select(NAMES.to_vec()), 0_u8..4), 0..6)
        .prop_map(|files| manifest(&files))
}

fn any_policy() -> impl Strategy<Value = Policy> {
    prop::sample::select(POLICIES.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_laws_hold_after_every_step(
        policy in any_policy(),
        steps in prop::collection::vec(prop::collection::vec((0_u64..4, any_manifest()), 1..4), 1..8),
    ) {
        let mut league = League::new(policy);
        let mut replayed = League::new(policy);
        for reports in &steps {
            // A member reports at most once in a step.
            let reports: BTreeMap<_, _> = reports.iter().cloned().collect();
            let reports: Vec<_> = reports.into_iter().collect();
            let (one, other) = (league.step(&reports), replayed.step(&reports));
            prop_assert_eq!(one, other);
        }
        prop_assert_eq!(league.union.manifest(), replayed.union.manifest());
        // When everyone leaves, nothing is left.
        for member in league.members.keys().copied().collect::<Vec<_>>() {
            let _checked = league.step(&[(member.0, Manifest::new())]);
        }
        prop_assert!(league.union.is_empty());
    }

    #[test]
    fn merging_a_union_again_changes_nothing(
        policy in any_policy(),
        manifests in prop::collection::vec(any_manifest(), 1..4),
    ) {
        let (union, _) = Union::merge(&manifests, policy, Naming::default());
        let (again, outcome) = Union::merge([&union.manifest()], policy, Naming::default());
        prop_assert_eq!(again.manifest(), union.manifest());
        prop_assert_eq!(outcome.refused, []);
        // A member with all of the union changes nothing either.
        let mut more = manifests;
        more.push(union.manifest());
        let (more, _) = Union::merge(&more, policy, Naming::default());
        prop_assert_eq!(contents(&more), contents(&union));
    }

    #[test]
    fn policies_without_arrival_do_not_depend_on_order(
        policy in prop::sample::select(vec![Policy::LowestHash, Policy::NewestMtime]),
        manifests in prop::collection::vec(any_manifest(), 1..4),
        turn in 0_usize..3,
    ) {
        let (union, _) = Union::merge(&manifests, policy, Naming::default());
        let mut turned = manifests;
        let by = turn % turned.len();
        turned.rotate_left(by);
        turned.reverse();
        let (other, _) = Union::merge(&turned, policy, Naming::default());
        prop_assert_eq!(contents(&union), contents(&other));
    }
}

/// Checks every history of three reports by three members with two names and two contents each.
fn exhaust(names: [&str; 2], policy: Policy) -> usize {
    let contents = [None, Some(1), Some(2)];
    let manifests: Vec<_> = contents
        .iter()
        .flat_map(|first| contents.iter().map(move |second| [*first, *second]))
        .map(|bytes| {
            let files = names.iter().zip(bytes).filter_map(|(name, byte)| Some((*name, byte?)));
            manifest(&files.collect::<Vec<_>>())
        })
        .collect();
    let mut histories = 0;
    let mut open = vec![(League::new(policy), 0)];
    while let Some((league, depth)) = open.pop() {
        histories += 1;
        if depth == 3 {
            continue;
        }
        for member in 0..3 {
            for report in &manifests {
                let mut next = league.clone();
                let _checked = next.step(&[(member, report.clone())]);
                open.push((next, depth + 1));
            }
        }
    }
    histories
}

#[test]
fn the_laws_hold_in_every_small_history() {
    let hash = Content::of(&[2]).hash.short();
    let rival = format!("a__CONFLICT__{hash}.png");
    let pairs = [["a.png", "b.png"], ["a.png", &rival], ["a.png", "A.png/x.png"]];
    let mut histories = 0;
    for (pair, policy) in pairs.into_iter().zip(POLICIES) {
        histories += exhaust(pair, policy);
    }
    assert_eq!(histories, 3 * (1 + 27 + 27 * 27 + 27 * 27 * 27));
}

/// Checks every single step of three members, each with one of nine manifests.
#[test]
fn the_laws_hold_in_every_small_step() {
    let bytes = [None, Some(1), Some(2)];
    let manifests: Vec<_> = bytes
        .iter()
        .flat_map(|first| bytes.iter().map(move |second| [*first, *second]))
        .map(|bytes| {
            let files = ["a.png", "T/b.png"].iter().zip(bytes);
            manifest(&files.filter_map(|(name, byte)| Some((*name, byte?))).collect::<Vec<_>>())
        })
        .collect();
    for policy in POLICIES {
        let mut unions = BTreeSet::new();
        for a in &manifests {
            for b in &manifests {
                for c in &manifests {
                    let mut league = League::new(policy);
                    let _checked = league.step(&[(0, a.clone()), (1, b.clone()), (2, c.clone())]);
                    unions.insert(league.union.manifest().hash());
                    // Each may leave again, and the files of the others stay.
                    for gone in 0..3 {
                        let _checked = league.clone().step(&[(gone, Manifest::new())]);
                    }
                }
            }
        }
        // Each name has nothing, either content alone, or both with one of them established.
        let per_name = if policy == Policy::Established { 5 } else { 4 };
        assert_eq!(unions.len(), per_name * per_name, "{policy:?}");
    }
}

#[test]
fn a_content_is_found_under_all_its_names() {
    let files = [("b.png", 1), ("a.png", 1), ("c.png", 2)];
    let (mut union, _) = Union::merge([&manifest(&files)], Policy::Established, Naming::default());
    let names = |union: &Union, byte| -> Vec<String> {
        let found = union.with_content(Content::of(&[byte]));
        found.map(|entry| entry.path.to_string()).collect()
    };
    assert_eq!(names(&union, 1), ["a.png", "b.png"]);
    assert_eq!(names(&union, 3), [""; 0]);
    let (lost, gained) = (vec![entry("a.png", 1)], vec![entry("a.png", 3).into()]);
    let outcome = union.step(vec![Change {
        peer: PeerId(0),
        arrival: 1,
        member: None,
        complete: false,
        lost,
        gained,
    }]);
    assert_eq!((names(&union, 1), names(&union, 3)), (vec!["b.png".into()], vec!["a.png".into()]));
    assert_eq!(outcome.changed, BTreeSet::from([path("a.png").key().clone()]));
}

#[test]
fn another_holder_changes_no_content() {
    let league = manifest(&[("a.png", 1), ("b.png", 2)]);
    let (mut union, _) = Union::merge([&league], Policy::Established, Naming::default());
    let change = Change::between(PeerId(1), 1, &Manifest::new(), &league);
    let outcome = union.step(vec![change]);
    assert_eq!((outcome.touched.len(), outcome.changed.len()), (2, 0));
}
