//! The union's rules, held against a model of it over random histories.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod acts;
mod league;
mod model;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use liverysync_core::{
    conflict::{Naming, Policy, Scope},
    hash::{Content, ContentHash},
    league::{Act, MemberId, MemberKey, Record, Setting, Settings, Updates},
    manifest::{Entry, Manifest},
    path::{Extensions, RelPath},
    time::UnixTime,
    union::{Change, Gained, Outcome, PeerId, Union},
};
use proptest::prelude::*;

use self::{
    league::{Base, Deed, League, any_deed, any_policy, any_scope, any_updates, by_key, gained},
    model::{Model, SyncStatus},
};

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
fn author(member: u64) -> Option<MemberId> {
    (member + 1 < MEMBERS).then(|| MemberId::of(&MemberKey::from_bytes([member as u8; 32])))
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
        edit(2, 1, 2, Base::InSync),
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
    let moved = BTreeMap::from([(1, (Some(0), Base::InSync)), (2, (Some(1), Base::InSync))]);
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
        edit(2, 2, 3, Base::InSync),
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
        (1, BTreeMap::from([(4, (Some(2), Base::InSync))])),
    ];
    let both = BTreeMap::from([(4, (Some(0), Base::None)), (5, (Some(2), Base::InSync))]);
    let league = play([
        edit(3, 5, 0, Base::InSync),
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
            edit(1, 3, 0, Base::InSync),
            edit(2, 2, 1, Base::InSync),
            Deed::Prove(2),
            edit(0, 1, 2, Base::InSync),
            edit(1, 2, 0, Base::InSync),
            edit(3, 1, 1, Base::InSync),
            Deed::Restart,
            edit(3, 2, 2, Base::InSync),
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
        edit(0, 3, 1, Base::InSync),
        Deed::Restart,
        edit(0, 3, 2, Base::InSync),
    ]);
    assert_eq!(league.union.conflicts(), []);
    assert_eq!(league.model.now(NAMES[3]), Some(content(2)));
}

#[test]
fn what_its_author_gave_up_while_the_server_was_away_is_given_up() {
    let gone = BTreeMap::from([(3, (None, Base::None))]);
    let others = edit(1, 1, 3, Base::None);
    let league = play([edit(0, 3, 0, Base::None), Deed::Restart, others]);
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
            Deed::Restart,
            edit(0, 3, 1, Base::None),
            edit(1, 1, 0, Base::InSync),
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
    let update = edit(0, 1, 4, Base::InSync);
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
        play_in(whole_liveries(), [edits(0, &[(1, 0)]), Deed::Restart, edits(1, &[(3, 1)])]);
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

/// Its first owner announced it and left, or it was retired.
#[test]
fn who_begins_a_livery_anew_owns_it() {
    for scope in [Scope::File, Scope::Livery] {
        for updates in [Updates::Anyone, Updates::Owner] {
            let begin = || League::with_scope(Policy::Established, updates, scope);
            let sent = [edits(0, &[(1, 0)]), Deed::ProveAll, Deed::Retire(0)];
            let league = play_in(begin(), sent.into_iter().chain([edits(1, &[(1, 2), (3, 1)])]));
            assert_eq!(name_with(&league, "t"), [NAMES[1], NAMES[3]]);
            assert_eq!(league.union.owner("t"), author(1));
            let announced = [edits(0, &[(1, 0)]), Deed::Leave(0), edits(1, &[(2, 2), (3, 1)])];
            let league = play_in(begin(), announced.into_iter().chain([Deed::ProveAll]));
            assert_eq!(name_with(&league, "t"), [NAMES[2], NAMES[3]]);
            if (scope, updates) != (Scope::File, Updates::Anyone) {
                let league = play_in(league, [edits(0, &[])]);
                assert_eq!(name_with(&league, "t/").len(), 2 + usize::from(scope == Scope::File));
                assert!(league.union.get(path(NAMES[1]).key()).is_none());
            }
        }
    }
}

#[test]
fn a_change_of_what_was_diverted_is_an_update_in_its_folder() {
    let deeds = [edits(0, &[(1, 0)]), edits(1, &[(3, 1)]), Deed::ProveAll];
    let begun = || play_in(whole_liveries(), deeds.clone());
    let still_there = edits(1, &[(3, 2)]);
    let put_away = Deed::Edits(vec![(1, BTreeMap::from([(3, (None, Base::None))]))]);
    let again = edit(1, 3, 2, Base::Of(1));
    for deeds in [vec![still_there], vec![put_away, again]] {
        let league = play_in(begun(), deeds);
        assert_eq!(name_with(&league, "t/"), [NAMES[1]]);
        assert_eq!(in_its_folder(&league), ["b.json"]);
        let kept = league.union.iter().nth(1).unwrap();
        assert_eq!(kept.content, content(2));
    }
}

/// He has the other's livery by then.
#[test]
fn more_of_a_livery_that_has_a_folder_of_its_own_comes_alone() {
    let league = play_in(
        whole_liveries(),
        [
            edits(0, &[(1, 0), (3, 1)]),
            edits(1, &[(1, 2)]),
            Deed::ProveAll,
            Deed::Edits(vec![(
                1,
                BTreeMap::from([(1, (Some(0), Base::None)), (3, (Some(1), Base::None))]),
            )]),
            edits(1, &[(2, 4)]),
        ],
    );
    assert_eq!(name_with(&league, "t/"), [NAMES[1], NAMES[3]]);
    assert_eq!(in_its_folder(&league), ["a.png", "a__CONFLICT__4bf5122f.png"]);
}

#[test]
fn two_drivers_with_one_file_in_common_have_folders_of_their_own() {
    let league = play_in(
        whole_liveries(),
        [
            edits(0, &[(1, 0)]),
            edits(1, &[(3, 1)]),
            edits(2, &[(3, 1)]),
            Deed::ProveAll,
            edits(1, &[(2, 2)]),
            edits(2, &[(1, 4)]),
        ],
    );
    assert_eq!(name_with(&league, "t/"), [NAMES[1]]);
    let folders: BTreeSet<_> =
        name_with(&league, "t__").iter().map(|name| livery(name).to_owned()).collect();
    assert_eq!(folders.len(), 2);
}

#[test]
fn what_was_added_to_a_livery_gets_its_name_once_nothing_of_that_livery_is_left() {
    let league = play_in(
        League::new(Policy::Established, Updates::Owner),
        [edits(0, &[(1, 0)]), edits(1, &[(3, 1)]), Deed::Leave(0)],
    );
    assert_eq!(name_with(&league, "t"), [NAMES[3]]);
    assert_eq!(league.union.owner("T"), author(1));
}

#[test]
fn what_will_never_come_does_not_make_an_addition_of_it() {
    for scope in [Scope::File, Scope::Livery] {
        let begin = League::with_scope(Policy::Established, Updates::Owner, scope);
        let league = play_in(begin, [edits(0, &[(1, 0)]), Deed::Restart, edits(1, &[(3, 1)])]);
        assert_eq!(name_with(&league, "t"), [NAMES[3]]);
    }
}

#[test]
fn an_administrator_settles_the_liveries_that_claim_a_name_and_no_others() {
    let deeds = [edits(0, &[(1, 0)]), edits(1, &[(3, 1)]), edits(2, &[(1, 4)]), Deed::ProveAll];
    let mut league = play_in(whole_liveries(), deeds);
    league.act(&Act::Resolve { path: NAMES[3].to_owned(), keep: Act::KEEP_NONE.to_owned() });
    league.check();
    assert_eq!(in_its_folder(&league), ["a.png"]);
}

#[test]
fn a_conflict_goes_with_its_livery_to_another_name() {
    let deeds = [edits(0, &[(1, 0)]), edits(1, &[(3, 1)]), Deed::ProveAll, Deed::Rename(0, 2)];
    let league = play_in(League::new(Policy::Established, Updates::Owner), deeds);
    let conflicts = league.union.conflicts();
    assert_eq!((conflicts.len(), conflicts[0].path.as_str()), (1, "v/b.json"));
}

/// The last member has no key, and the same livery as another one.
#[test]
fn who_has_no_key_changes_nothing_in_the_folder_of_another() {
    let same = |member| edits(member, &[(2, 2), (3, 1)]);
    let begun = [edits(0, &[(1, 0)]), same(1), same(3), Deed::ProveAll];
    let league = play_in(whole_liveries(), begun.into_iter().chain([edits(3, &[(3, 3)])]));
    let copies = league.union.iter().filter(|entry| entry.path.livery() != "t");
    let copies: BTreeSet<_> = copies.map(|entry| entry.content).collect();
    assert_eq!(copies, BTreeSet::from([content(1), content(2), content(3)]));
}

#[test]
fn to_go_back_is_a_change_of_what_was_diverted_as_well() {
    let deeds = [edits(0, &[(1, 0)]), edits(1, &[(3, 1)]), Deed::ProveAll, edits(1, &[(3, 2)])];
    let league =
        play_in(whole_liveries(), deeds.into_iter().chain([Deed::ProveAll, edits(1, &[(3, 1)])]));
    let kept = league.union.iter().find(|entry| entry.path.livery() != "t").unwrap();
    assert_eq!(kept.content, content(1));
}

/// He has the other's file by then, and copies his own over it.
#[test]
fn what_is_still_to_come_of_a_livery_of_its_own_updates_nothing_of_the_other() {
    let league = play_in(
        whole_liveries(),
        [
            edits(0, &[(1, 0), (2, 1)]),
            edits(1, &[(3, 1)]),
            Deed::ProveAll,
            Deed::CatchUp(1),
            edit(1, 1, 4, Base::InSync),
        ],
    );
    assert_eq!(league.model.now(NAMES[1]), Some(content(0)));
    assert_eq!(in_its_folder(&league), ["a.png", "b.json"]);
    // What his own has, too, he changes in the other one if he does so there.
    let league = play_in(league, [Deed::CatchUp(1), edit(1, 1, 3, Base::InSync)]);
    assert_eq!(league.model.now(NAMES[1]), Some(content(3)));
}

/// The last member has no key.
#[test]
fn what_comes_to_a_name_brings_its_owners() {
    let deeds = [edits(0, &[(1, 0)]), edits(3, &[(1, 1)]), Deed::ProveAll];
    let mut league = play_in(whole_liveries(), deeds);
    let keep = content(1).hash.short();
    league.act(&Act::Resolve { path: NAMES[1].to_owned(), keep });
    league.check();
    assert_eq!(league.union.owner("t"), None);
    let retired = [edits(0, &[(1, 0)]), edits(3, &[(4, 1)]), Deed::ProveAll, Deed::Retire(0)];
    let league = play_in(whole_liveries(), retired.into_iter().chain([Deed::Rename(1, 0)]));
    assert_eq!(league.union.owner("t"), None);
}

#[test]
fn an_owner_may_add_what_was_not_wanted_from_another() {
    let deeds = [edits(0, &[(1, 0)]), edits(1, &[(3, 1)]), Deed::ProveAll];
    let mut league = play_in(League::new(Policy::Established, Updates::Owner), deeds);
    league.act(&Act::Resolve { path: NAMES[3].to_owned(), keep: Act::KEEP_NONE.to_owned() });
    let league = play_in(league, [edits(0, &[(3, 1)])]);
    assert_eq!(name_with(&league, "t"), [NAMES[1], NAMES[3]]);
}

/// They are called like copies, but never were any.
#[test]
fn a_livery_of_files_with_conflict_names_is_one() {
    let deeds = [edits(0, &[(2, 1)]), edits(1, &[(3, 1)])];
    let league = play_in(League::new(Policy::Established, Updates::Owner), deeds);
    assert_eq!(league.union.owner("t"), author(0));
}
