//! Names that collide, and files that are not shared.

use std::collections::{BTreeMap, BTreeSet};

use liverysync_core::{
    client,
    hash::Content,
    league::{Act, Setting},
    path::fold,
    server,
};

use super::{PATH, conflict, league};
use crate::{
    old_pc::OldPc,
    rig::{Brain, MINUTE, SECOND, World},
};

#[test]
fn names_that_differ_only_in_case_are_one_livery() {
    let mut world = league();
    let a = world.join("a", &[("Team/Decals.png", b"same"), ("Team/x.png", b"one")]);
    world.run_for(3 * SECOND);
    let b = world.join("b", &[("TEAM/decals.PNG", b"same"), ("team/X.png", b"two")]);
    world.rest();
    let two = conflict("Team/X.png", b"two");
    let held = |pc: usize| -> BTreeMap<String, Vec<u8>> {
        world.pcs[pc].disk.tree.values().map(|n| (fold(&n.path), n.data.to_vec())).collect()
    };
    let wanted: [(&str, &[u8]); 3] =
        [("team/decals.png", b"same"), ("team/x.png", b"one"), (&two, b"two")];
    let wanted: BTreeMap<_, _> =
        wanted.into_iter().map(|(path, data)| (fold(path), data.to_vec())).collect();
    assert_eq!((held(a), held(b)), (wanted.clone(), wanted));
}

#[test]
fn a_file_and_a_folder_of_one_name_stay_where_they_are() {
    let mut world = league();
    let a = world.join("a", &[("x.png", b"file")]);
    world.run_for(3 * SECOND);
    let b = world.join("b", &[("x.png/y.png", b"below"), ("z.png", b"z")]);
    let c = world.join("c", &[]);
    world.rest();
    world.check_files(a, &[("x.png", b"file"), ("z.png", b"z")]);
    world.check_files(b, &[("x.png/y.png", b"below"), ("z.png", b"z")]);
    world.check_files(c, &[("x.png", b"file"), ("z.png", b"z")]);
    assert_eq!(world.refused, BTreeSet::from([("b".to_owned(), "x.png/y.png".to_owned())]));
    let told = &world.withheld["b"]["x.png"];
    assert_eq!(*told, server::Withheld::InTheWay);
}

#[test]
fn the_files_of_a_livery_stay_shared_although_its_picture_is_gone() {
    let mut world = league();
    // A store that keeps files would bring them back.
    world.server_config.store_bytes_max = 0;
    world.start_server();
    let a = world.join("a", &[("T/decals.json", b"json"), ("T/decals.png", b"x")]);
    let b = world.join("b", &[]);
    world.rest();
    // The rest of the livery goes away, on both PCs at once.
    for pc in [a, b] {
        world.pcs[pc].disk.remove("T/decals.png");
        world.given_up.insert(Content::of(b"x").hash);
        world.feed(pc, client::Input::FolderChanged);
    }
    world.rest();
    let busy_at = world.busy_at;
    world.run_for(10 * MINUTE);
    assert_eq!(world.busy_at, busy_at, "{}", world.busy_with);
    world.check_files(b, &[("T/decals.json", b"json")]);
}

#[test]
fn a_placeholder_beside_other_files_neither_spreads_nor_blocks_the_authors() {
    for careful in [None, Some(false), Some(true)] {
        let mut world = league();
        let placeholder: [(&str, &[u8]); 3] = [
            ("T/car.json", b"car"),
            ("T/decals.json", b"placeholder"),
            ("T/sponsors.json", b"placeholder"),
        ];
        // The placeholder is there first, on a PC of either protocol.
        let brain = careful.map(|careful| Brain::Old(Box::new(OldPc::new(careful))));
        match brain {
            Some(brain) => world.join_as("visitor", brain, &placeholder),
            None => world.join("visitor", &placeholder),
        };
        world.rest();
        let author =
            world.join("author", &[("T/sponsors.json", b"values"), ("T/sponsors.png", b"paint")]);
        let other = world.join("other", &[]);
        world.rest();
        let livery: [(&str, &[u8]); 3] =
            [("T/car.json", b"car"), ("T/sponsors.json", b"values"), ("T/sponsors.png", b"paint")];
        world.check_files(author, &livery);
        world.check_files(other, &livery);
    }
}

#[test]
fn a_folder_of_placeholders_and_unshared_files_is_not_shared() {
    let mut world = league();
    world.join("a", &[("T/decals.json", b"placeholder"), ("T/notes.exe", b"exe")]);
    let b = world.join("b", &[]);
    world.rest();
    world.check_files(b, &[]);
}

impl World {
    /// Returns the files that a PC was told the league cannot take.
    fn refused_files(&self, pc: usize) -> Vec<(String, String)> {
        let told = self.events(pc).iter().filter_map(|event| match event {
            client::Event::Refused { path, reason } => Some((path.clone(), reason.clone())),
            _ => None,
        });
        told.collect()
    }

    /// Returns what a PC lacked when it was last in sync.
    fn outstanding(&self, pc: usize) -> Vec<client::Outstanding> {
        let mut last = self.events(pc).iter().rev().filter_map(|event| match event {
            client::Event::InSync { outstanding, .. } => Some(outstanding.clone()),
            _ => None,
        });
        last.next().unwrap()
    }
}

#[test]
fn whoever_has_a_file_that_the_league_cannot_take_is_told() {
    let mut world = World::remembering();
    let first = world.join("first", &[("loose.png", b"loose")]);
    world.rest();
    let second = world.join("second", &[("loose.png/a.png", b"in a folder"), (PATH, b"fine")]);
    world.rest_of_us();
    let reason = "loose.png is a file, so it cannot contain files".to_owned();
    assert_eq!(world.refused_files(second), [("loose.png/a.png".to_owned(), reason.clone())]);
    let path = "loose.png/a.png".to_owned();
    assert!(world.outstanding(second).contains(&client::Outstanding::Refused { path, reason }));
    // It ends once the name is free.
    world.given_up.insert(Content::of(b"loose").hash);
    let retire = Act::Retire { liveries: vec!["loose.png".into()], confirmed: true };
    world.administer(retire).unwrap();
    world.rest();
    world.all_hold(&[first, second], &[("loose.png/a.png", b"in a folder"), (PATH, b"fine")]);
    assert_eq!(world.outstanding(second), []);
    assert_eq!(world.refused_files(second).len(), 1);
}

#[test]
fn a_file_whose_type_the_league_does_not_take_any_more_is_told_until_it_is_gone() {
    let mut world = World::remembering();
    let pc = world.join("driver", &[(PATH, b"picture")]);
    world.rest();
    world.set_now(Setting::Extensions, "json,png");
    world.drop_now(pc, "T/new.txt", b"new");
    world.rest_of_us();
    let reason = "`txt` is not on the list of extensions".to_owned();
    let told = world.refused_files(pc);
    assert!(told.iter().any(|(path, _)| path == "T/new.txt"), "{told:?}");
    assert!(
        world.outstanding(pc).iter().any(
            |item| matches!(item, client::Outstanding::Refused { path, .. } if path == "T/new.txt")
        ),
        "{reason}"
    );
    world.pcs[pc].disk.remove("T/new.txt").unwrap();
    world.given_up.insert(Content::of(b"new").hash);
    world.feed(pc, client::Input::FolderChanged);
    world.rest_of_us();
    assert!(!world.outstanding(pc).iter().any(
        |item| matches!(item, client::Outstanding::Refused { path, .. } if path == "T/new.txt")
    ));
}
