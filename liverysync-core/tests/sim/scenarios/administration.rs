//! Acts of admins: to retire, restore, resolve and rename; and the owners of liveries.

use liverysync_core::{
    client,
    hash::Content,
    league::{Act, ActError, ActReport, MemberId, Setting},
    server,
    wire::messages::OwnerNews,
};

use super::{PATH, conflict, key_of, league};
use crate::rig::World;

#[test]
fn a_retired_livery_leaves_every_pc_and_does_not_come_back() {
    let mut world = World::remembering();
    let files: &[(&str, &[u8])] = &[(PATH, b"paint"), ("U/decals.png", b"other")];
    let here = world.join("here", files);
    let away = world.join("away", &[]);
    let _third = world.join("third", &[("V/x.png", b"v"), ("W/x.png", b"w")]);
    world.leave(away);
    let retire = Act::Retire { liveries: vec!["t".into()], confirmed: false };
    assert_eq!(world.administer(retire), Ok(ActReport::new(0, 1)));
    world.rest_of_us();
    world.start(away);
    world.rest();
    for pc in [here, away] {
        assert_eq!(world.text(pc, PATH), None);
        assert!(world.pcs[pc].disk.backs_up(Content::of(b"paint")));
        assert!(world.text(pc, "U/decals.png").is_some());
    }
    world.restart_server();
    world.rest();
    let restore = Act::Restore { livery: "T".into(), version: None };
    assert_eq!(world.administer(restore), Ok(ActReport::new(1, 0)));
    world.rest();
    for pc in [here, away] {
        assert_eq!(world.text(pc, PATH).unwrap(), b"paint");
    }
}

#[test]
fn an_admin_resolves_a_conflict() {
    for keep_copy in [false, true] {
        let mut world = World::remembering();
        let first = world.join("first", &[(PATH, b"established")]);
        world.rest();
        let second = world.join("second", &[(PATH, b"rival")]);
        let away = world.join("away", &[]);
        world.leave(away);
        let kept = if keep_copy { &b"rival"[..] } else { b"established" };
        let keep = Content::of(kept).hash.short();
        let none = Act::Resolve { path: PATH.into(), keep: "0000".into() };
        assert!(matches!(world.administer(none), Err(ActError::NoContent { .. })));
        let other = if keep_copy { &b"established"[..] } else { b"rival" };
        world.given_up.insert(Content::of(other).hash);
        let report = world.administer(Act::Resolve { path: PATH.into(), keep }).unwrap();
        assert_eq!(report, ActReport::new(usize::from(keep_copy), 1));
        world.rest_of_us();
        world.start(away);
        world.rest();
        world.all_hold(&[first, second, away], &[(PATH, kept)]);
    }
}

// A folder may be called like a conflict copy of a livery although the league keeps rival files beside.
#[test]
fn a_folder_with_a_conflict_name_does_not_hinder_an_admin() {
    let mut world = World::remembering();
    let folder = "T__CONFLICT__0badcafe/decals.png";
    let first = world.join("first", &[(PATH, b"established")]);
    world.rest();
    let second = world.join("second", &[(PATH, b"rival"), (folder, b"other")]);
    world.rest();
    world.given_up.insert(Content::of(b"established").hash);
    world.resolve(PATH, b"rival").unwrap();
    world.rest();
    world.all_hold(&[first, second], &[(PATH, b"rival"), (folder, b"other")]);
}

#[test]
fn a_livery_is_renamed_on_every_pc_without_a_download() {
    let mut world = World::remembering();
    let files: &[(&str, &[u8])] = &[(PATH, b"paint"), ("T/decals.json", b"json")];
    let pcs = ["a", "b"].map(|name| world.join(name, files));
    world.rest();
    let taken = Act::Rename { livery: "T".into(), new: "T".into() };
    assert!(matches!(world.administer(taken), Err(ActError::InvalidName { .. })));
    let rename = Act::Rename { livery: "T".into(), new: "Team Seven".into() };
    assert_eq!(world.administer(rename), Ok(ActReport::new(2, 2)));
    world.rest();
    for pc in pcs {
        let renamed: &[(&str, &[u8])] =
            &[("Team Seven/decals.png", b"paint"), ("Team Seven/decals.json", b"json")];
        world.check_files(pc, renamed);
        assert_eq!(world.received(pc), [""; 0]);
    }
}

#[test]
fn if_only_owners_update_an_edit_by_another_member_conflicts() {
    let mut world = World::remembering();
    world.set(Setting::Updates, "owner");
    let owner = world.join("owner", &[(PATH, b"one")]);
    let other = world.join("other", &[]);
    world.rest();
    world.drop_now(other, PATH, b"mine");
    world.rest();
    let copy = conflict(PATH, b"mine");
    world.all_hold(&[owner, other], &[(PATH, b"one"), (&copy, b"mine")]);
    world.drop_now(owner, PATH, b"two");
    world.rest();
    world.all_hold(&[owner, other], &[(PATH, b"two"), (&copy, b"mine")]);
    let member = MemberId::of(&key_of("other"));
    world.administer(Act::Own { livery: "T".into(), member }).unwrap();
    world.drop_now(other, PATH, b"three");
    world.rest();
    world.all_hold(&[owner, other], &[(PATH, b"three"), (&copy, b"mine")]);
}

// An added file changes a livery as well.
#[test]
fn if_only_owners_update_an_addition_by_another_member_is_a_conflict_copy() {
    let mut world = league();
    world.set(Setting::Updates, "owner");
    let pcs = [world.join("owner", &[(PATH, b"paint")]), world.join("other", &[])];
    world.rest();
    world.drop_now(pcs[1], "T/sponsors.png", b"added");
    world.rest();
    let copy = conflict("T/sponsors.png", b"added");
    world.all_hold(&pcs, &[(PATH, b"paint"), (&copy, b"added")]);
    world.resolve("T/sponsors.png", b"added").unwrap();
    world.rest();
    world.all_hold(&pcs, &[(PATH, b"paint"), ("T/sponsors.png", b"added")]);
}

/// A pack that both have had before makes nobody its author.
#[test]
fn the_first_who_edits_a_livery_that_several_bring_owns_it() {
    let mut world = World::remembering();
    world.set(Setting::Updates, "owner");
    let pack: &[(&str, &[u8])] = &[(PATH, b"pack"), ("T/decals.json", b"json")];
    let owner = |world: &World| world.union().owner("t");
    let first = world.join("first", pack);
    let copies = world.join("copies", &[]);
    world.rest();
    world.restart_server();
    world.rest();
    assert_eq!(owner(&world), Some(MemberId::of(&key_of("first"))), "a download is no claim");
    let second = world.join("second", pack);
    world.rest();
    assert_eq!(owner(&world), None);
    let told = |world: &World, owner: Option<&str>, by: &str| {
        let (livery, owner) = ("T".to_owned(), owner.map(str::to_owned));
        let event = server::Event::OwnerChanged { livery, owner, by: by.to_owned() };
        assert!(world.server_events.contains(&event), "{event:?}");
    };
    told(&world, None, "second");
    world.drop_now(second, PATH, b"second's");
    world.rest();
    told(&world, Some("second"), "second");
    let news = |livery: &str, news, by: Option<&str>| {
        let (livery, by) = (livery.to_owned(), by.map(str::to_owned));
        client::Event::OwnerNews { livery, news, by }
    };
    assert!(world.events(first).contains(&news("T", OwnerNews::Disowned, Some("second"))));
    assert!(world.events(second).contains(&news("T", OwnerNews::Owned, None)));
    world.drop_now(first, PATH, b"first's");
    world.rest();
    let copy = conflict(PATH, b"first's");
    let files: &[(&str, &[u8])] =
        &[(PATH, b"second's"), ("T/decals.json", b"json"), (&copy, b"first's")];
    world.all_hold(&[first, second, copies], files);
}
