//! The spelling of names: one for all, the owner's.

use liverysync_core::{
    client,
    league::{Act, ActReport, Cause, Record},
    path::fold,
};

use super::{PATH, league};
use crate::{
    disk::Disk,
    rig::{SECOND, World},
};

const FILES: &[(&str, &[u8])] = &[("team #1/decals.png", b"paint"), ("team #1/sub/x.png", b"x")];
const SPELLED: &[(&str, &[u8])] = &[("Team #1/decals.png", b"paint"), ("Team #1/sub/x.png", b"x")];

fn rename(livery: &str, new: &str) -> Act {
    Act::Rename { livery: livery.to_owned(), new: new.to_owned() }
}

impl World {
    /// A driver renames a file or a folder in their own program.
    pub(crate) fn rename_at(&mut self, pc: usize, old: &str, new: &str) {
        self.pcs[pc].disk.rename(old, new).unwrap();
        self.spelled_by_hand.insert((pc, fold(old.split('/').next().unwrap())));
        self.feed(pc, client::Input::FolderChanged);
    }

    fn names_at(&self, pc: usize) -> Vec<&str> {
        let mut names: Vec<_> =
            self.pcs[pc].disk.tree.values().map(|node| node.path.as_str()).collect();
        names.sort_unstable();
        names
    }

    fn joins_insensitive(&mut self, name: &str) -> usize {
        let pc = self.join(name, &[]);
        self.pcs[pc].disk = Disk::new(true);
        pc
    }
}

#[test]
fn a_livery_changes_its_case_once_a_minute_and_the_last_wish_wins() {
    let mut world = World::remembering();
    let (owner, other) = (world.join("owner", FILES), world.join("other", &[]));
    world.rest();
    let spellings = ["team #1", "TEAM #1", "Team #1"];
    for turn in 0..9 {
        world.rename_at(owner, spellings[turn % 3], spellings[(turn + 1) % 3]);
        world.run_for(3 * SECOND);
        world.drop_now(owner, "other/decals.png", &[turn as u8]);
        world.run_for(2 * SECOND);
        assert_eq!(
            world.text(other, "other/decals.png"),
            Some(vec![turn as u8]),
            "others wait for nothing"
        );
    }
    let renamed = |record: &&Record| matches!(record, Record::Placed { cause: Cause::Renamed, .. });
    let files = FILES.len();
    assert_eq!(world.records.iter().filter(renamed).count(), files, "one change of both files");
    world.rename_at(owner, "team #1", "Team #1");
    world.rest();
    assert_eq!(world.records.iter().filter(renamed).count(), 2 * files);
    assert_eq!(
        world.names_at(other),
        ["Team #1/decals.png", "Team #1/sub/x.png", "other/decals.png"]
    );
}

#[test]
fn the_parts_of_a_livery_come_in_one_folder() {
    let mut world = league();
    let a = world.join("a", &[("Team Iris/decals.png", b"one")]);
    world.run_for(3 * SECOND);
    let b = world.join("b", &[("team iris/sponsors.png", b"two")]);
    let c = world.join("c", &[]);
    world.rest();
    let both: &[(&str, &[u8])] =
        &[("Team Iris/decals.png", b"one"), ("Team Iris/sponsors.png", b"two")];
    for pc in [a, b, c] {
        world.check_files(pc, both);
    }
}

#[test]
fn an_owner_s_rename_travels_without_a_download() {
    let mut world = World::remembering();
    let owner = world.join("owner", FILES);
    world.rest();
    let (other, away) = (world.join("other", &[]), world.joins_insensitive("away"));
    world.rest();
    world.drop_at(other, "team #1/notes.exe", b"theirs", 0);
    world.leave(away);
    let received = world.received(other).len();
    world.rename_at(owner, "team #1", "Team #1");
    world.rest_of_us();
    world.restart_server();
    world.start(away);
    world.rest();
    world.check_files(owner, SPELLED);
    world.check_files(away, SPELLED);
    let names = ["Team #1/decals.png", "Team #1/notes.exe", "Team #1/sub/x.png"];
    assert_eq!(world.names_at(other), names);
    assert_eq!(world.received(other).len(), received, "nothing is downloaded again");
    // Files and folders below it as well.
    world.rename_at(owner, "Team #1/sub", "Team #1/Sub");
    world.rename_at(owner, "Team #1/decals.png", "Team #1/Decals.PNG");
    world.rest();
    assert_eq!(world.names_at(away), ["Team #1/Decals.PNG", "Team #1/Sub/x.png"]);
    let history = world.union().history("team #1");
    assert_eq!(history.len(), 1, "a spelling is no version");
}

#[test]
fn a_rename_while_the_client_is_off_travels_with_the_edits() {
    let mut world = league();
    let owner = world.join("owner", FILES);
    world.rest();
    let other = world.join("other", &[]);
    world.rest();
    world.leave(owner);
    world.pcs[owner].disk.rename("team #1", "Team #1").unwrap();
    world.drop_at(owner, "Team #1/decals.png", b"new", 0);
    world.start(owner);
    world.rest();
    let new: &[(&str, &[u8])] = &[("Team #1/decals.png", b"new"), ("Team #1/sub/x.png", b"x")];
    world.check_files(owner, new);
    world.check_files(other, new);
    let c = world.join("c", &[]);
    world.rest();
    world.check_files(c, new);
}

#[test]
fn the_rename_of_another_member_stays_on_their_pc_or_is_undone() {
    let mut world = league();
    let owner = world.join("owner", FILES);
    world.rest();
    let other = world.join("other", &[]);
    world.rest();
    world.rename_at(other, "team #1", "TEAM #1");
    world.rest();
    world.check_files(owner, FILES);
    // The league's spelling is taken over once.
    world.check_files(other, FILES);
    world.rename_at(other, "team #1", "TEAM #1");
    world.rest();
    world.check_files(owner, FILES);
    assert_eq!(world.names_at(other), ["TEAM #1/decals.png", "TEAM #1/sub/x.png"]);
    // What comes later goes into the folder that is there.
    world.drop_now(owner, "team #1/y.png", b"y");
    world.rest();
    assert!(world.names_at(other).iter().all(|name| name.to_lowercase().starts_with("team #1/")));
    let folders: std::collections::BTreeSet<_> = world
        .names_at(other)
        .iter()
        .map(|name| name.split('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
}

#[test]
fn admins_and_owners_may_change_the_case_of_a_name() {
    let mut world = World::remembering();
    let owner = world.join("owner", FILES);
    world.rest();
    let other = world.join("other", &[]);
    world.rest();
    assert_eq!(world.administer(rename("TEAM #1", "Team #1")), Ok(ActReport::new(2, 0)));
    world.rest();
    world.check_files(owner, SPELLED);
    world.check_files(other, SPELLED);
    assert!(world.administer(rename("team #1", "Team #1")).is_err(), "it has that name");
    assert_eq!(world.change_own(owner, rename("Team #1", "team #1")), Ok(ActReport::new(2, 0)));
    world.rest();
    world.restart_server();
    world.rest();
    world.check_files(owner, FILES);
    world.check_files(other, FILES);
    assert!(world.change_own(other, rename("Team #1", "TEAM #1")).is_err());
}

#[test]
fn a_pc_with_both_spellings_loses_nothing() {
    let mut world = league();
    let owner = world.join("owner", &[(PATH, b"paint"), ("T/x.png", b"x")]);
    world.rest();
    let other = world.join("other", &[(PATH, b"paint"), ("t/x.png", b"x"), ("t/own.png", b"own")]);
    world.rest();
    let names = world.names_at(other);
    assert_eq!(names, ["T/decals.png", "t/own.png", "t/x.png"]);
    world.check_files(owner, &[(PATH, b"paint"), ("T/own.png", b"own"), ("T/x.png", b"x")]);
}
