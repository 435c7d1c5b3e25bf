//! Compares the union with a naive model over random histories.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod acts;
mod deeds;
mod held;
mod league;
mod limits;
mod liveries;
mod model;
mod owners;
mod spelling;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use liverysync_core::{
    conflict::{Naming, Policy, Scope},
    hash::{Content, ContentHash},
    league::{Act, Cause, MemberId, MemberKey, Record, Setting, Settings, Updates},
    manifest::{Entry, Manifest},
    path::{Extensions, RelPath, fold},
    time::UnixTime,
    union::{Change, Gained, Outcome, PeerId, Union},
};
use proptest::{
    prelude::*,
    test_runner::{RngSeed, TestRunner},
};

use self::{
    deeds::{Base, Deed, any_deed, any_policy, any_scope, any_updates, words},
    league::{League, by_key, gained},
    model::{Model, SyncStatus},
};
use crate::share;

/// Ordered by key. One is the conflict name of content 1 of the first.
const NAMES: [&str; 6] = [
    "loose.png",
    "t/a.png",
    "t/a__CONFLICT__4bf5122f.png",
    "t/b.json",
    "u/a.png",
    "u/a__CONFLICT__00000000.png",
];
/// The last has no folder, so no conflict folder can have its name.
const LIVERIES: [&str; 4] = ["t", "u", "v", "loose.png"];
const MEMBERS: u64 = 4;
const CONTENTS: u8 = 6;
/// The content that is damaged under every name, once the server has seen it.
const DAMAGED: u8 = 5;

fn content(byte: u8) -> Content {
    Content::of(&[byte])
}

/// Returns the plain name of a conflict name; any other name as it is.
fn plain(name: &str) -> String {
    let (folder, file) = name.rsplit_once('/').map_or(("", name), |(folder, file)| (folder, file));
    let (stem, extension) = file.rsplit_once('.').unwrap();
    let stem = stem.split_once("__CONFLICT__").map_or(stem, |(stem, _)| stem);
    let slash = if folder.is_empty() { "" } else { "/" };
    format!("{folder}{slash}{stem}.{extension}")
}

/// Returns the plain name of a conflict folder; any other name as it is.
fn plain_folder(folder: &str) -> &str {
    folder.split_once("__CONFLICT__").map_or(folder, |(plain, _)| plain)
}

/// Returns the name that a file in a conflict folder claims; any other name as it is.
fn in_claimed(name: &str) -> String {
    match name.split_once('/') {
        Some((folder, rest)) => format!("{}/{rest}", plain_folder(folder)),
        None => name.to_owned(),
    }
}

fn livery(name: &str) -> &str {
    name.split('/').next().unwrap()
}

fn path(name: &str) -> RelPath {
    RelPath::parse(name, &Extensions::default()).unwrap()
}

/// Returns a name as the model knows it, whatever case its folder has.
fn canon(path: &RelPath) -> String {
    in_lower(path.as_str())
}

fn in_lower(name: &str) -> String {
    format!("{}{}", name[..1].to_ascii_lowercase(), &name[1..])
}

fn mtime_of(content: Content) -> Option<UnixTime> {
    Some(UnixTime::from_nanos(i64::from(content.hash.as_bytes()[7])))
}

fn entry(name: &str, content: Content) -> Entry {
    Entry { path: path(name), content, mtime: mtime_of(content) }
}

/// Returns the id of a member. All but the last have a key.
fn author(member: u64) -> Option<MemberId> {
    (member + 1 < MEMBERS).then(|| MemberId::of(&MemberKey::from_bytes([member as u8; 32])))
}

/// Number of rounds, each of as many cases as a property has.
const ROUNDS: u64 = 4;

/// Returns the seed of a round: another one for each, all chosen by the seed of the run.
fn seed_of(round: u64, run: RngSeed) -> RngSeed {
    match run {
        RngSeed::Fixed(seed) => RngSeed::Fixed(seed.wrapping_mul(ROUNDS).wrapping_add(round)),
        RngSeed::Random => RngSeed::Random,
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the share comes from the environment")]
fn the_union_equals_the_model() {
    let deeds = prop::collection::vec(any_deed(), 1..25);
    let histories = (any_policy(), any_updates(), any_scope(), deeds);
    let share = std::env::var(share::VARIABLE).ok();
    for round in share::rounds(0..ROUNDS, share.as_deref()) {
        let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        config.rng_seed = seed_of(round, config.rng_seed);
        let outcome = TestRunner::new(config).run(&histories, |(policy, updates, scope, deeds)| {
            let mut league = League::with_scope(policy, updates, scope);
            for deed in deeds {
                league.do_deed(deed);
                league.check();
            }
            Ok(())
        });
        outcome.unwrap_or_else(|failure| panic!("round {round}: {failure}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn without_conflicts_the_order_does_not_matter(
        policy in any_policy(),
        files_of in prop::collection::vec(prop::collection::btree_set(0..NAMES.len(), 0..6), 1..5),
        split in prop::collection::vec(any::<bool>(), 5),
        turn in 0_usize..5,
    ) {
        let join = |order: Vec<usize>, split: &[bool]| {
            let mut league = League::new(policy, Updates::Anyone);
            let mut changes = Vec::new();
            for member in order {
                let mut change = league.change(member as u64);
                let files = files_of[member].iter();
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
        let order: Vec<_> = (0..files_of.len()).collect();
        let mut turned = order.clone();
        turned.rotate_left(turn % files_of.len());
        turned.reverse();
        prop_assert_eq!(join(order, &[false; 5]), join(turned, &split));
    }
}

fn edit(member: u64, name: usize, content: u8, base: Base) -> Deed {
    Deed::Edits(vec![(member, BTreeMap::from([(name, (Some(content), base))]))])
}

fn edits(member: u64, files: &[(usize, u8)]) -> Deed {
    let files = files.iter().map(|(name, byte)| (*name, (Some(*byte), Base::None)));
    Deed::Edits(vec![(member, files.collect())])
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
fn a_loose_file_can_be_in_conflict() {
    let league = play([edit(0, 0, 1, Base::None), edit(1, 0, 2, Base::None)]);
    assert_eq!(league.union.conflicts().len(), 1);
}

#[test]
fn a_conflict_ends_when_the_name_gets_its_content() {
    let league = play([
        edit(0, 1, 0, Base::None),
        edit(1, 1, 2, Base::None),
        edit(2, 1, 2, Base::InSync),
        Deed::CatchUp(1),
    ]);
    assert_eq!(league.model.holders("t/a.png"), BTreeSet::from([1, 2]));
}

#[test]
fn a_refused_file_counts_once_its_name_gets_the_content() {
    let league = play([
        edit(0, 2, 1, Base::None),
        Deed::Retire(0),
        edit(0, 2, 3, Base::Of(1)),
        edit(1, 2, 3, Base::None),
    ]);
    assert_eq!(league.model.holders(NAMES[2]), BTreeSet::from([0, 1]));
}

#[test]
fn a_declined_content_does_not_return_under_another_number() {
    let league = play([
        edit(0, 2, 0, Base::None),
        edit(0, 1, 2, Base::None),
        edit(1, 1, 1, Base::None),
        Deed::VerifyAll,
        Deed::Resolve(0, 0),
        edit(2, 2, 2, Base::None),
        edit(0, 2, 1, Base::None),
    ]);
    assert_eq!(league.union.len(), 2);
}

#[test]
fn a_file_moved_to_its_conflict_name_is_still_in_conflict() {
    let mut league = play([edit(0, 1, 0, Base::None), edit(1, 1, 1, Base::None)]);
    let moved = BTreeMap::from([(1, (Some(0), Base::InSync)), (2, (Some(1), Base::InSync))]);
    league.do_deed(Deed::Edits(vec![(1, moved)]));
    league.check();
    let forgotten = league.records.iter().filter(|r| matches!(r, Record::Forgotten { .. }));
    assert_eq!(forgotten.count(), 0);
}

// Neither its bytes nor those of its update were ever sent.
#[test]
fn a_conflict_copy_whose_update_expires_claims_its_name_again() {
    let league = play([
        edit(0, 1, 0, Base::None),
        edit(1, 1, 1, Base::None),
        edit(2, 2, 3, Base::InSync),
        Deed::Leave(2),
    ]);
    assert_eq!(league.model.holders(NAMES[2]), BTreeSet::from([1]));
}

// Each claims that their file is an edit of the other's.
#[test]
fn reporting_an_outdated_file_again_makes_no_update() {
    let both = [(0, BTreeMap::from([(3, (Some(1), Base::None))]))];
    let other = (1, BTreeMap::from([(3, (Some(2), Base::Of(0)))]));
    let both = Deed::Edits(both.into_iter().chain([other]).collect());
    let league = League::new(Policy::LowestHash, Updates::Anyone);
    let league = play_in(league, [both, edit(0, 3, 0, Base::Of(2))]);
    assert_eq!(league.model.now(NAMES[3]), Some(content(2)));
}

// The member was the last holder of another name's content.
#[test]
fn a_file_that_gets_a_name_of_its_own_leaves_no_name_without_a_holder() {
    let rival_and_name = [
        (0, BTreeMap::from([(5, (Some(2), Base::None))])),
        (1, BTreeMap::from([(4, (Some(2), Base::InSync))])),
    ];
    let both = BTreeMap::from([(4, (Some(0), Base::None)), (5, (Some(2), Base::InSync))]);
    let league = play([
        edit(3, 5, 0, Base::InSync),
        Deed::Edits(rival_and_name.into_iter().collect()),
        Deed::Leave(1),
        Deed::Edits(vec![(1, both)]),
        Deed::VerifyAll,
    ]);
    assert_eq!(league.model.now(NAMES[4]), Some(content(0)));
}

#[test]
fn a_conflict_copy_whose_name_is_forgotten_claims_its_plain_name_in_the_same_step() {
    let league = play_in(
        League::new(Policy::Established, Updates::Owner),
        [
            edit(1, 3, 0, Base::InSync),
            edit(2, 2, 1, Base::InSync),
            Deed::Verify(2),
            edit(0, 1, 2, Base::InSync),
            edit(1, 2, 0, Base::InSync),
            edit(3, 1, 1, Base::InSync),
            Deed::Restart,
            edit(3, 2, 2, Base::InSync),
        ],
    );
    assert_eq!(league.union.conflicts().len(), 1);
}

// The server stops before it has either content.
#[test]
fn an_edit_of_a_content_that_the_server_never_got_is_an_update() {
    let league = play([
        edit(0, 3, 0, Base::None),
        Deed::VerifyAll,
        edit(0, 3, 1, Base::InSync),
        Deed::Restart,
        edit(0, 3, 2, Base::InSync),
    ]);
    assert_eq!(league.union.conflicts(), []);
    assert_eq!(league.model.now(NAMES[3]), Some(content(2)));
}

#[test]
fn a_file_deleted_while_the_server_was_down_expires() {
    let gone = BTreeMap::from([(3, (None, Base::None))]);
    let others = edit(1, 1, 3, Base::None);
    let league = play([edit(0, 3, 0, Base::None), Deed::Restart, others]);
    assert_eq!(league.union.len(), 2, "only its author knows");
    let league = play_in(league, [Deed::Edits(vec![(0, gone)])]);
    assert_eq!(league.union.len(), 1);
}

#[test]
fn an_edit_of_what_a_member_brought_is_no_conflict_with_themself() {
    // Content 1 has the latest date.
    let lost = |member, other| {
        let league = play([
            edit(0, 1, 0, Base::None),
            Deed::VerifyAll,
            Deed::Leave(0),
            edit(member, 1, 1, Base::None),
            Deed::VerifyAll,
            edit(member, 1, other, Base::None),
            Deed::VerifyAll,
        ]);
        (league.union.conflicts().len(), league.model.now(NAMES[1]))
    };
    // It was saved before what the league has by now, so it may be from another PC of theirs.
    assert_eq!(lost(0, 2), (1, Some(content(1))));
    // An older version is outdated, as anybody's is.
    assert_eq!(lost(0, 0), (0, Some(content(1))));
    assert_eq!(lost(1, 1), (1, Some(content(0))));
}

#[test]
fn a_peer_without_a_key_updates_nothing() {
    let league = play([
        edit(0, 1, 0, Base::None),
        Deed::VerifyAll,
        edit(3, 1, 1, Base::InSync),
        Deed::VerifyAll,
    ]);
    assert_eq!((league.union.conflicts().len(), league.model.now(NAMES[1])), (1, Some(content(0))));
}
