//! Leagues in which a livery in conflict is kept whole.

use std::collections::BTreeSet;

use liverysync_core::{
    client,
    hash::Content,
    league::{Act, ActError, Setting},
};

use super::PATH;
use crate::{
    old_pc::OldPc,
    rig::{Brain, SECOND, World},
};

/// Returns a league that keeps rival liveries whole, two drivers with liveries of one name, of which a file collides and
/// another does not, and the folder that the second livery gets.
fn conflicting_liveries(second_is_old: bool) -> (World, [usize; 3], String) {
    let mut world = World::of_whole_liveries();
    let first: &[(&str, &[u8])] = &[(PATH, b"established"), ("T/decals.json", b"same")];
    let first = world.join("first", first);
    world.rest();
    let rival: &[(&str, &[u8])] =
        &[(PATH, b"rival"), ("T/decals.json", b"same"), ("T/sponsors.png", b"only here")];
    let second = match second_is_old {
        true => world.join_as("second", Brain::Old(Box::new(OldPc::new(false))), rival),
        false => world.join("second", rival),
    };
    let third = world.join("third", &[]);
    world.rest();
    let folders = world.pcs[third].disk.tree.values();
    let folders: BTreeSet<_> = folders.filter_map(|node| node.path.split('/').next()).collect();
    let folders: Vec<_> = folders.into_iter().map(str::to_owned).collect();
    assert_eq!(folders.len(), 2, "{folders:?}");
    (world, [first, second, third], folders[1].clone())
}

#[test]
fn a_livery_in_conflict_is_complete_in_its_conflict_folder() {
    for old in [false, true] {
        let (world, [first, second, third], folder) = conflicting_liveries(old);
        assert!(folder.starts_with("T__CONFLICT__"), "{folder}");
        let whole = ["decals.png", "decals.json", "sponsors.png"];
        let [picture, json, sponsors] = whole.map(|name| format!("{folder}/{name}"));
        let everything: &[(&str, &[u8])] = &[
            (PATH, b"established"),
            ("T/decals.json", b"same"),
            (&picture, b"rival"),
            (&json, b"same"),
            (&sponsors, b"only here"),
        ];
        world.all_hold(&[first, third], everything);
        if !old {
            world.check_files(second, everything);
            // Their own files move to the conflict name on their own PC, and they already have the files of both.
            assert_eq!(world.received(second), [PATH]);
        }
    }
}

// The second driver's livery has the first one's name, and nothing else in common with it.
#[test]
fn a_livery_without_a_collision_is_kept_apart() {
    for old in [false, true] {
        let mut world = World::of_whole_liveries();
        let first = world.join("first", &[(PATH, b"established")]);
        world.rest();
        let other: &[(&str, &[u8])] = &[("T/sponsors.png", b"other"), ("T/sub/x.png", b"x")];
        let second = match old {
            true => world.join_as("second", Brain::Old(Box::new(OldPc::new(false))), other),
            false => world.join("second", other),
        };
        let third = world.join("third", &[]);
        world.rest();
        let names = world.pcs[third].disk.tree.values().map(|node| node.path.clone());
        let names: Vec<_> = names.filter(|name| name.starts_with("T__CONFLICT__")).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        let everything: &[(&str, &[u8])] =
            &[(PATH, b"established"), (&names[0], b"other"), (&names[1], b"x")];
        world.all_hold(&[first, third], everything);
        if !old {
            world.check_files(second, everything);
            assert_eq!(world.received(second), [PATH]);
        }
        // By now they have it, so what they add belongs to it.
        world.drop_now(third, "T/decals.json", b"added");
        world.rest();
        assert_eq!(world.text(first, "T/decals.json").unwrap(), b"added");
    }
}

// The files appear one by one, so that the other livery is there before the last of them.
#[test]
fn a_livery_that_is_copied_in_slowly_is_kept_apart_as_a_whole() {
    for old in [false, true] {
        for pause in [SECOND, 3 * SECOND, 20 * SECOND] {
            let mut world = World::of_whole_liveries();
            let first = world.join("first", &[(PATH, b"established")]);
            world.rest();
            let mut names: Vec<_> = (1..5).map(|number| format!("T/piece {number}.png")).collect();
            names.push(PATH.to_owned());
            let begun: &[(&str, &[u8])] = &[(&names[0], b"piece")];
            let second = match old {
                true => world.join_as("second", Brain::Old(Box::new(OldPc::new(false))), begun),
                false => world.join("second", begun),
            };
            for name in &names[1..] {
                world.run_for(pause);
                world.drop_now(second, name, name.as_bytes());
            }
            world.run_for(30 * SECOND);
            world.rest();
            let names = world.pcs[first].disk.tree.values().map(|node| node.path.clone());
            let (own, other): (Vec<_>, Vec<_>) = names.partition(|name| name.starts_with("T/"));
            assert_eq!(own, [PATH], "{old} {pause}");
            let folders: BTreeSet<_> = other.iter().map(|name| name.split('/').next()).collect();
            assert_eq!((folders.len(), other.len()), (1, 5), "{old} {pause}: {other:?}");
        }
    }
}

#[test]
fn an_edit_of_a_livery_that_was_kept_apart_counts_in_either_folder() {
    let name = "T/sponsors.png";
    for pause in [1, 2, 4, 41] {
        let mut world = World::of_whole_liveries();
        let first = world.join("first", &[(PATH, b"established")]);
        world.rest();
        let second = world.join("second", &[(name, b"other")]);
        world.run_for(pause * SECOND);
        world.drop_now(second, name, b"edited");
        world.given_up.insert(Content::of(b"other").hash);
        world.rest();
        let copies: Vec<_> = world.pcs[first].disk.tree.values().collect();
        let edited = copies.iter().filter(|node| node.content == Content::of(b"edited"));
        let edited: Vec<_> = edited.map(|node| node.path.as_str()).collect();
        assert_eq!((copies.len(), edited.len()), (2, 1), "{pause}: {copies:?}");
        world.all_hold(&[first, second], &[(PATH, b"established"), (edited[0], b"edited")]);
    }
}

// In the livery's folder it is a file of its own; beside the picture that went aside the game would take it for its
// cache, and nobody would take it.
#[test]
fn a_file_that_would_be_a_cache_in_the_conflict_folder_gets_another_folder() {
    let mut world = World::of_whole_liveries();
    let first = world.join("first", &[("T/sponsors.png", b"established")]);
    world.rest();
    let second = world.join("second", &[(PATH, b"other")]);
    world.rest();
    world.drop_now(second, "T/decals_0.dds", b"its own");
    world.rest();
    for pc in [first, second] {
        let holds = |content: &[u8]| world.pcs[pc].disk.holds(Content::of(content));
        assert!(holds(b"other") && holds(b"its own"));
    }
}

#[test]
fn an_admin_keeps_one_of_two_whole_liveries() {
    for keep_copy in [false, true] {
        let (mut world, pcs, _) = conflicting_liveries(false);
        let kept: &[(&str, &[u8])] = if keep_copy {
            &[(PATH, b"rival"), ("T/decals.json", b"same"), ("T/sponsors.png", b"only here")]
        } else {
            &[(PATH, b"established"), ("T/decals.json", b"same")]
        };
        for given_up in [&b"established"[..], b"rival", b"only here"] {
            if !kept.iter().any(|(_, kept)| *kept == given_up) {
                world.given_up.insert(Content::of(given_up).hash);
            }
        }
        let keep = Content::of(kept[0].1).hash.short();
        world.administer(Act::Resolve { path: PATH.into(), keep }).unwrap();
        world.rest();
        world.all_hold(&pcs, kept);
    }
}

// A driver's livery appears in their folder while another one of its name is on its way to them.
#[test]
fn a_livery_that_appears_while_another_arrives_is_kept_whole() {
    let mut played = 0;
    for wait in 0.. {
        let mut world = World::of_whole_liveries();
        let first = world.join("first", &[(PATH, b"established"), ("T/decals.json", b"same")]);
        world.rest();
        let second = world.join("second", &[]);
        world.pcs[second].disk_pace = SECOND / 5;
        world.run_for(wait * SECOND / 50);
        if world.text(second, PATH).is_some() {
            break;
        }
        world.drop_at(second, PATH, b"rival", 0);
        world.drop_at(second, "T/decals.json", b"same", 0);
        world.feed(second, client::Input::FolderChanged);
        world.rest();
        let names: Vec<_> =
            world.pcs[first].disk.tree.values().map(|node| node.path.clone()).collect();
        assert_eq!(names.len(), 4, "{wait}: {names:?}");
        for pc in [first, second] {
            assert_eq!(world.text(pc, PATH).unwrap(), b"established");
            let whole = names.iter().filter(|name| name.starts_with("T__CONFLICT__"));
            assert_eq!(whole.count(), 2, "{wait}: {names:?}");
        }
        played += 1;
    }
    assert!(played > 50, "{played}");
}

#[test]
fn if_two_liveries_share_a_file_an_admin_names_another_file_to_keep_one() {
    let mut world = World::of_whole_liveries();
    let sponsors = "T/sponsors.png";
    let first = world.join("first", &[(PATH, b"established"), (sponsors, b"one")]);
    world.rest();
    let second = world.join("second", &[(PATH, b"rival"), (sponsors, b"two")]);
    world.rest();
    let third = world.join("third", &[(PATH, b"rival"), (sponsors, b"three")]);
    world.rest();
    let several = world.resolve(PATH, b"rival");
    assert!(
        matches!(&several, Err(ActError::SeveralLiveries { folders, .. }) if folders.len() == 2)
    );
    for gone in [&b"established"[..], b"one", b"two"] {
        world.given_up.insert(Content::of(gone).hash);
    }
    world.resolve(sponsors, b"three").unwrap();
    world.rest();
    world.all_hold(&[first, second, third], &[(PATH, b"rival"), (sponsors, b"three")]);
}

#[test]
fn the_driver_of_the_livery_that_stays_owns_it() {
    let mut world = World::of_whole_liveries();
    world.set(Setting::Updates, "owner");
    let first = world.join("first", &[(PATH, b"established")]);
    world.rest();
    let second = world.join("second", &[(PATH, b"rival")]);
    world.rest();
    world.given_up.insert(Content::of(b"established").hash);
    world.resolve(PATH, b"rival").unwrap();
    world.rest();
    world.drop_now(second, PATH, b"next");
    world.rest();
    world.all_hold(&[first, second], &[(PATH, b"next")]);
}
