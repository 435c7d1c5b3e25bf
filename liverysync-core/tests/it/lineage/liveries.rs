//! Histories in which the livery of a file, or its owner, decides.

use super::*;

fn whole_liveries() -> League {
    League::with_scope(Policy::Established, Updates::Anyone, Scope::Livery)
}

fn name_with(league: &League, prefix: &str) -> Vec<String> {
    let names = league.union.iter().map(|entry| entry.path.as_str().to_owned());
    names.filter(|name| name.starts_with(prefix)).collect()
}

// One file is in conflict, another collides with nothing, and a third is the same in both.
#[test]
fn a_livery_in_conflict_is_kept_whole_in_its_conflict_folder() {
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
    assert_eq!(folders.len(), 1, "all of it is together: {folder:?}");
    let conflicts = league.union.conflicts();
    let of_livery: Vec<_> =
        conflicts.iter().filter(|conflict| conflict.path.livery() == "t").collect();
    assert_eq!(of_livery.len(), 1, "only what differs is a conflict");
    assert_eq!(of_livery[0].path.as_str(), NAMES[3]);
}

#[test]
fn the_name_that_a_separated_livery_leaves_expires_without_a_holder() {
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

/// Returns the files in the only conflict folder of the livery `t`.
fn in_its_folder(league: &League) -> Vec<String> {
    let names = name_with(league, "t__CONFLICT__");
    let folders: BTreeSet<_> = names.iter().map(|name| livery(name)).collect();
    assert!(folders.len() < 2, "all of it is together: {names:?}");
    names.iter().map(|name| name.split_once('/').unwrap().1.to_owned()).collect()
}

#[test]
fn a_livery_without_a_collision_is_not_mixed_into_another() {
    let mut league = play_in(whole_liveries(), [edits(0, &[(1, 0)]), edits(1, &[(3, 1)])]);
    assert_eq!(name_with(&league, "t/"), [NAMES[1]]);
    assert_eq!(in_its_folder(&league), ["b.json"]);
    let conflicts = league.union.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!((conflicts[0].path.as_str(), conflicts[0].established), (NAMES[3], None));
    // Further files of it go there too, even if they collide.
    league = play_in(league, [edits(1, &[(2, 2)]), edits(1, &[(1, 3)])]);
    assert_eq!(name_with(&league, "t/"), [NAMES[1]]);
    assert_eq!(in_its_folder(&league), ["a.png", "a__CONFLICT__4bf5122f.png", "b.json"]);
}

#[test]
fn a_member_with_a_part_in_a_livery_may_add_to_it() {
    // Its author, who has none of its files now; a member with some of its files; one with an earlier file.
    let author = Deed::Edits(vec![(
        0,
        BTreeMap::from([(1, (None, Base::None)), (2, (Some(3), Base::None))]),
    )]);
    let holder = edits(1, &[(1, 0), (2, 3)]);
    let update = edit(0, 1, 4, Base::InSync);
    for deeds in [vec![author], vec![holder], vec![update, edits(2, &[(1, 0), (2, 3)])]] {
        let begun = play_in(whole_liveries(), [edits(0, &[(1, 0)]), Deed::VerifyAll]);
        let league = play_in(begun, deeds);
        assert_eq!(name_with(&league, "t/"), [NAMES[1], NAMES[2]]);
        assert_eq!(league.union.len(), 2);
    }
}

#[test]
fn a_livery_that_will_never_arrive_blocks_no_name() {
    let league =
        play_in(whole_liveries(), [edits(0, &[(1, 0)]), Deed::Restart, edits(1, &[(3, 1)])]);
    assert_eq!(name_with(&league, "t"), [NAMES[3]]);
}

#[test]
fn an_admin_resolves_a_conflict_without_a_collision() {
    let (first, second) = (content(0), content(1));
    let keep = second.hash.short();
    for (keep, stays) in [(&*keep, (NAMES[3], second)), (Act::KEEP_NONE, (NAMES[1], first))] {
        let deeds = [edits(0, &[(1, 0)]), edits(1, &[(3, 1)]), Deed::VerifyAll];
        let mut league = play_in(whole_liveries(), deeds);
        league.act(&Act::Resolve { path: NAMES[3].to_owned(), keep: keep.to_owned() });
        league.check();
        let left = league.union.iter().map(|entry| (entry.path.as_str(), entry.content));
        assert_eq!(left.collect::<Vec<_>>(), [stays]);
        assert_eq!(league.union.conflicts(), []);
    }
}

#[test]
fn if_only_owners_may_update_only_they_may_add() {
    for scope in [Scope::File, Scope::Livery] {
        let begin = || League::with_scope(Policy::Established, Updates::Owner, scope);
        // The other member has all files.
        let deeds = [edits(0, &[(1, 0)]), edits(1, &[(1, 0), (3, 1)]), Deed::VerifyAll];
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

// Its first owner announced it and left, or it was retired.
#[test]
fn the_member_who_starts_a_vacant_livery_owns_it() {
    for scope in [Scope::File, Scope::Livery] {
        for updates in [Updates::Anyone, Updates::Owner] {
            let begin = || League::with_scope(Policy::Established, updates, scope);
            let sent = [edits(0, &[(1, 0)]), Deed::VerifyAll, Deed::Retire(0)];
            let league = play_in(begin(), sent.into_iter().chain([edits(1, &[(1, 2), (3, 1)])]));
            assert_eq!(name_with(&league, "t"), [NAMES[1], NAMES[3]]);
            assert_eq!(league.union.owner("t"), author(1));
            let announced = [edits(0, &[(1, 0)]), Deed::Leave(0), edits(1, &[(2, 2), (3, 1)])];
            let league = play_in(begin(), announced.into_iter().chain([Deed::VerifyAll]));
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
fn an_edit_of_a_separated_file_is_an_update_in_its_conflict_folder() {
    let deeds = [edits(0, &[(1, 0)]), edits(1, &[(3, 1)]), Deed::VerifyAll];
    let begun = || play_in(whole_liveries(), deeds.clone());
    let still_there = edits(1, &[(3, 2)]);
    let moved_away = Deed::Edits(vec![(1, BTreeMap::from([(3, (None, Base::None))]))]);
    let again = edit(1, 3, 2, Base::Of(1));
    for deeds in [vec![still_there], vec![moved_away, again]] {
        let league = play_in(begun(), deeds);
        assert_eq!(name_with(&league, "t/"), [NAMES[1]]);
        assert_eq!(in_its_folder(&league), ["b.json"]);
        let kept = league.union.iter().nth(1).unwrap();
        assert_eq!(kept.content, content(2));
    }
}

// The member has downloaded the other livery by then.
#[test]
fn further_files_of_a_separated_livery_bring_no_others_along() {
    let league = play_in(
        whole_liveries(),
        [
            edits(0, &[(1, 0), (3, 1)]),
            edits(1, &[(1, 2)]),
            Deed::VerifyAll,
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
fn two_drivers_with_one_common_file_get_separate_conflict_folders() {
    let league = play_in(
        whole_liveries(),
        [
            edits(0, &[(1, 0)]),
            edits(1, &[(3, 1)]),
            edits(2, &[(3, 1)]),
            Deed::VerifyAll,
            edits(1, &[(2, 2)]),
            edits(2, &[(1, 4)]),
            Deed::VerifyAll,
        ],
    );
    assert_eq!(name_with(&league, "t/"), [NAMES[1]]);
    let folders: BTreeSet<_> =
        name_with(&league, "t__").iter().map(|name| livery(name).to_owned()).collect();
    assert_eq!(folders.len(), 2);
}

#[test]
fn an_addition_gets_its_plain_name_once_the_livery_is_gone() {
    let league = play_in(
        League::new(Policy::Established, Updates::Owner),
        [edits(0, &[(1, 0)]), edits(1, &[(3, 1)]), Deed::Leave(0)],
    );
    assert_eq!(name_with(&league, "t"), [NAMES[3]]);
    assert_eq!(league.union.owner("T"), author(1));
}

#[test]
fn an_orphan_does_not_turn_a_file_into_an_addition() {
    for scope in [Scope::File, Scope::Livery] {
        let begin = League::with_scope(Policy::Established, Updates::Owner, scope);
        let league = play_in(begin, [edits(0, &[(1, 0)]), Deed::Restart, edits(1, &[(3, 1)])]);
        assert_eq!(name_with(&league, "t"), [NAMES[3]]);
    }
}

#[test]
fn an_admin_resolves_only_the_liveries_that_claim_the_name() {
    let deeds = [edits(0, &[(1, 0)]), edits(1, &[(3, 1)]), edits(2, &[(1, 4)]), Deed::VerifyAll];
    let mut league = play_in(whole_liveries(), deeds);
    league.act(&Act::Resolve { path: NAMES[3].to_owned(), keep: Act::KEEP_NONE.to_owned() });
    league.check();
    assert_eq!(in_its_folder(&league), ["a.png"]);
}

#[test]
fn a_conflict_moves_along_when_its_livery_is_renamed() {
    let deeds = [edits(0, &[(1, 0)]), edits(1, &[(3, 1)]), Deed::VerifyAll, Deed::Rename(0, 2)];
    let league = play_in(League::new(Policy::Established, Updates::Owner), deeds);
    let conflicts = league.union.conflicts();
    assert_eq!((conflicts.len(), conflicts[0].path.as_str()), (1, "v/b.json"));
}

// The last member has no key, and has the same livery as another one.
#[test]
fn a_member_without_a_key_changes_nothing_in_another_members_folder() {
    let same = |member| edits(member, &[(2, 2), (3, 1)]);
    let begun = [edits(0, &[(1, 0)]), same(1), same(3), Deed::VerifyAll];
    let league = play_in(whole_liveries(), begun.into_iter().chain([edits(3, &[(3, 3)])]));
    let copies = league.union.iter().filter(|entry| entry.path.livery() != "t");
    let copies: BTreeSet<_> = copies.map(|entry| entry.content).collect();
    assert_eq!(copies, BTreeSet::from([content(1), content(2), content(3)]));
}

#[test]
fn reverting_a_separated_file_is_an_update_too() {
    let deeds = [edits(0, &[(1, 0)]), edits(1, &[(3, 1)]), Deed::VerifyAll, edits(1, &[(3, 2)])];
    let league =
        play_in(whole_liveries(), deeds.into_iter().chain([Deed::VerifyAll, edits(1, &[(3, 1)])]));
    let kept = league.union.iter().find(|entry| entry.path.livery() != "t").unwrap();
    assert_eq!(kept.content, content(1));
}

// The member has the other's file by then, and copies their own over it.
#[test]
fn completing_a_separated_livery_updates_nothing_of_the_other() {
    let league = play_in(
        whole_liveries(),
        [
            edits(0, &[(1, 0), (2, 1)]),
            edits(1, &[(3, 1)]),
            Deed::VerifyAll,
            Deed::CatchUp(1),
            edit(1, 1, 4, Base::InSync),
        ],
    );
    assert_eq!(league.model.now(NAMES[1]), Some(content(0)));
    assert_eq!(in_its_folder(&league), ["a.png", "b.json"]);
    // An edit of a file that both liveries have is an edit of the livery in which it was made.
    let league = play_in(league, [Deed::CatchUp(1), edit(1, 1, 3, Base::InSync)]);
    assert_eq!(league.model.now(NAMES[1]), Some(content(3)));
}

// The last member has no key.
#[test]
fn a_livery_that_takes_over_a_name_brings_its_owners() {
    let deeds = [edits(0, &[(1, 0)]), edits(3, &[(1, 1)]), Deed::VerifyAll];
    let mut league = play_in(whole_liveries(), deeds);
    let keep = content(1).hash.short();
    league.act(&Act::Resolve { path: NAMES[1].to_owned(), keep });
    league.check();
    assert_eq!(league.union.owner("t"), None);
    let retired = [edits(0, &[(1, 0)]), edits(3, &[(4, 1)]), Deed::VerifyAll, Deed::Retire(0)];
    let league = play_in(whole_liveries(), retired.into_iter().chain([Deed::Rename(1, 0)]));
    assert_eq!(league.union.owner("t"), None);
}

#[test]
fn an_owner_may_add_a_content_that_was_declined_from_another() {
    let deeds = [edits(0, &[(1, 0)]), edits(1, &[(3, 1)]), Deed::VerifyAll];
    let mut league = play_in(League::new(Policy::Established, Updates::Owner), deeds);
    league.act(&Act::Resolve { path: NAMES[3].to_owned(), keep: Act::KEEP_NONE.to_owned() });
    let league = play_in(league, [edits(0, &[(3, 1)])]);
    assert_eq!(name_with(&league, "t"), [NAMES[1], NAMES[3]]);
}

// The files have names of conflict copies, but never were any.
#[test]
fn files_that_only_look_like_conflict_copies_make_a_livery() {
    let deeds = [edits(0, &[(2, 1)]), edits(1, &[(3, 1)])];
    let league = play_in(League::new(Policy::Established, Updates::Owner), deeds);
    assert_eq!(league.union.owner("t"), author(0));
}

// The scope changes after a file of theirs was filed beside the established one.
#[test]
fn a_member_without_a_key_gets_no_part_in_a_livery_by_a_conflict_copy_beside_it() {
    let league = play_in(
        League::new(Policy::Established, Updates::Owner),
        [
            Deed::Edits(vec![
                (0, BTreeMap::from([(3, (Some(0), Base::None))])),
                (3, BTreeMap::from([(1, (Some(0), Base::None))])),
            ]),
            edit(1, 2, 1, Base::None),
            edit(3, 2, 0, Base::None),
            Deed::VerifyAll,
            Deed::Set(Setting::ConflictScope, 1),
            edit(3, 3, 1, Base::InSync),
        ],
    );
    assert_eq!(league.model.now("t/b.json"), Some(content(0)));
}

// Another member has it there and under the name that it lost.
#[test]
fn a_conflict_copy_stays_while_somebody_claims_its_name_with_it() {
    let gone = |name| BTreeMap::from([(name, (None, Base::InSync))]);
    let league = play_in(
        League::new(Policy::Established, Updates::Owner),
        [
            edit(1, 0, 0, Base::InSync),
            edits(0, &[(0, 2), (4, 2)]),
            Deed::CatchUp(2),
            Deed::Edits(vec![(0, gone(0)), (2, BTreeMap::from([(0, (Some(2), Base::None))]))]),
        ],
    );
    assert_eq!(name_with(&league, "loose__CONFLICT__").len(), 1);
}

// Two members begin a livery under a retired name, and one of them has a file that was declined there.
#[test]
fn a_member_who_was_here_all_the_time_has_not_returned() {
    let begin = |member| (member, BTreeMap::from([(2, (Some(1), Base::InSync))]));
    let league = play_in(
        whole_liveries(),
        [
            edit(0, 2, 3, Base::InSync),
            edit(2, 1, 0, Base::InSync),
            Deed::Resolve(0, 1),
            Deed::Edits(vec![begin(0), begin(2)]),
        ],
    );
    assert_eq!(name_with(&league, "t/"), [NAMES[1], NAMES[2]]);
}

// Half of a livery is of no use to anyone.
#[test]
fn a_new_livery_of_which_a_part_never_came_leaves_with_its_author() {
    let begun = || edits(0, &[(1, 0), (3, 1)]);
    for deeds in [
        vec![begun(), Deed::Verify(0), Deed::Leave(0)],
        vec![
            edits(0, &[(1, 2)]),
            Deed::VerifyAll,
            Deed::Retire(0),
            begun(),
            Deed::Verify(0),
            Deed::Leave(0),
        ],
    ] {
        let mut league = play_in(whole_liveries(), deeds);
        assert_eq!(name_with(&league, "t/"), Vec::<String>::new());
        league = play_in(league, [begun()]);
        assert_eq!(name_with(&league, "t/"), [NAMES[1], NAMES[3]]);
    }
}

// What is added later is no part of it.
#[test]
fn a_livery_stays_without_an_addition_that_never_came() {
    let deeds = [edits(0, &[(1, 0)]), Deed::VerifyAll, edits(0, &[(3, 1)]), Deed::Leave(0)];
    assert_eq!(name_with(&play_in(whole_liveries(), deeds), "t/"), [NAMES[1]]);
}
