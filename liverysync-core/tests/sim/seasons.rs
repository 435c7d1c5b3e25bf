//! Seasons: the same teams come back with new paints under old names.

use liverysync_core::{
    league::{Act, Setting},
    path::fold,
};

use crate::rig::{SECOND, World};

const PICTURE: &str = "T/decals.png";
const MATERIAL: &str = "T/decals.json";
const SPONSORS: &str = "T/sponsors.png";

/// The game's default material, which is the same in every season.
const DEFAULT: &[u8] = b"default";

/// A livery of last season, and the same team's livery of this one.
const OLD: &[(&str, &[u8])] = &[(PICTURE, b"old paint"), (MATERIAL, DEFAULT)];
const NEW: &[(&str, &[u8])] =
    &[(PICTURE, b"new paint"), (MATERIAL, DEFAULT), (SPONSORS, b"new sponsors")];

impl World {
    fn retire(&mut self, livery: &str) {
        let act = Act::Retire { liveries: vec![livery.to_owned()], confirmed: true };
        self.administer(act).unwrap();
    }

    fn drop_all(&mut self, pc: usize, files: &[(&str, &[u8])]) {
        files.iter().for_each(|(path, bytes)| self.drop_now(pc, path, bytes));
    }

    fn owner_of(&self, livery: &str) -> Option<String> {
        self.union().owner(&fold(livery)).map(|owner| owner.to_string())
    }
}

/// Returns a league for each setting that decides about whole liveries.
fn leagues() -> impl Iterator<Item = World> {
    let settings =
        [("file", "anyone"), ("file", "owner"), ("livery", "anyone"), ("livery", "owner")];
    settings.into_iter().map(|(scope, updates)| {
        let mut world = World::remembering();
        world.set(Setting::ConflictScope, scope);
        world.set(Setting::Updates, updates);
        world
    })
}

#[test]
fn a_new_livery_takes_the_name_of_a_retired_one_whole() {
    for mut world in leagues() {
        let (author, other) = (world.join("author", OLD), world.join("other", &[]));
        world.rest();
        world.retire("T");
        world.rest();
        world.all_hold(&[author, other], &[]);
        world.drop_all(author, NEW);
        world.rest();
        world.all_hold(&[author, other], NEW);
    }
}

#[test]
fn a_livery_that_was_changed_before_its_author_heard_of_the_retirement_is_a_new_one() {
    for mut world in leagues() {
        let (author, other) = (world.join("author", OLD), world.join("other", &[]));
        world.rest();
        world.leave(author);
        world.retire("T");
        world.rest_of_us();
        world.drop_at(author, PICTURE, b"mended", 60 * SECOND);
        world.start(author);
        world.rest();
        world.all_hold(&[author, other], &[(PICTURE, b"mended"), (MATERIAL, DEFAULT)]);
    }
}

#[test]
fn whoever_brings_a_new_livery_under_a_retired_name_owns_it() {
    for mut world in leagues() {
        let (first, second) = (world.join("first", OLD), world.join("second", &[]));
        world.rest();
        let owner = world.owner_of("T");
        world.retire("T");
        world.rest();
        world.drop_all(second, NEW);
        world.rest();
        world.all_hold(&[first, second], NEW);
        assert_ne!(world.owner_of("T"), owner);
    }
}

#[test]
fn an_old_copy_is_replaced_by_the_new_livery_of_its_name() {
    for mut world in leagues() {
        let (author, away) = (world.join("author", OLD), world.join("away", &[]));
        world.leave(away);
        world.retire("T");
        world.rest_of_us();
        world.drop_all(author, NEW);
        world.rest_of_us();
        world.start(away);
        world.rest();
        world.all_hold(&[author, away], NEW);
    }
}

#[test]
fn a_new_paint_under_the_old_name_of_a_renamed_livery_is_a_livery_of_its_own() {
    for mut world in leagues() {
        let (author, other) = (world.join("author", OLD), world.join("other", &[]));
        world.rest();
        world.administer(Act::Rename { livery: "T".into(), new: "T 2025".into() }).unwrap();
        world.rest();
        world.drop_all(author, NEW);
        world.rest();
        let both: Vec<_> = NEW
            .iter()
            .copied()
            .chain([("T 2025/decals.png", &b"old paint"[..]), ("T 2025/decals.json", DEFAULT)])
            .collect();
        world.all_hold(&[author, other], &both);
    }
}

// A new livery whose author left before it was sent expires, and must not bring the retired one back.
#[test]
fn a_new_livery_that_never_arrives_brings_no_retired_one_back() {
    for restarts in [false, true] {
        for mut world in leagues() {
            let (author, other) = (world.join("author", OLD), world.join("other", &[]));
            world.rest();
            world.retire("T");
            world.rest();
            let big = vec![1; 3_000_000];
            world.drop_all(author, &[(PICTURE, &big), (MATERIAL, DEFAULT)]);
            while world.union().is_empty() {
                assert!(world.step(10 * crate::rig::MINUTE), "it is published at last");
            }
            world.crash(author);
            world.rest_of_us();
            if restarts {
                world.restart_server();
                world.rest_of_us();
            }
            assert_eq!(world.text(other, PICTURE), None);
            world.start(author);
            world.rest();
            for pc in [author, other] {
                assert!(world.text(pc, PICTURE).is_some_and(|bytes| bytes == big));
                assert!(world.text(pc, MATERIAL).is_some());
            }
        }
    }
}

/// The conflict copies of a driver, with their contents.
type Copies = Vec<(String, &'static [u8])>;

/// Returns two drivers with liveries of one name, a third one, and the files of the second one's conflict copy.
fn in_conflict(scope: &str) -> (World, [usize; 3], Copies) {
    let mut world = World::remembering();
    world.set(Setting::ConflictScope, scope);
    let first = world.join("first", OLD);
    world.rest();
    let second = world.join("second", &[(PICTURE, b"theirs"), (MATERIAL, DEFAULT)]);
    let third = world.join("third", &[]);
    world.rest();
    let of_second = world.pcs[second].disk.tree.values();
    let copies = of_second.filter(|node| node.path.contains("__CONFLICT__"));
    let copies = copies.map(|node| {
        let bytes: &[u8] = if node.path.ends_with(".png") { b"theirs" } else { DEFAULT };
        (node.path.to_string(), bytes)
    });
    let copies = copies.collect();
    (world, [first, second, third], copies)
}

impl World {
    /// Moves conflict copies on one PC into a folder with another name.
    fn move_copies(&mut self, pc: usize, copies: &[(String, &[u8])], folder: &str) {
        for (path, bytes) in copies {
            self.pcs[pc].disk.remove(path);
            let extension = path.rsplit('.').next().unwrap();
            self.drop_now(pc, &format!("{folder}/decals.{extension}"), bytes);
        }
    }
}

#[test]
fn a_conflict_copy_that_its_author_moves_is_retired_everywhere() {
    for scope in ["file", "livery"] {
        let (mut world, pcs, copies) = in_conflict(scope);
        assert!(!copies.is_empty(), "there is a conflict");
        world.move_copies(pcs[1], &copies, "Mine");
        world.rest();
        let mut files = OLD.to_vec();
        files.push(("Mine/decals.png", b"theirs"));
        files.extend((scope == "livery").then_some(("Mine/decals.json", DEFAULT)));
        world.all_hold(&pcs, &files);
        assert_eq!(world.conflicts(), []);
    }
}

#[test]
fn a_conflict_copy_that_somebody_else_moves_stays() {
    for scope in ["file", "livery"] {
        let (mut world, pcs, copies) = in_conflict(scope);
        world.move_copies(pcs[2], &copies, "Taken");
        world.rest();
        let mut files = OLD.to_vec();
        files.push(("Taken/decals.png", b"theirs"));
        files.extend((scope == "livery").then_some(("Taken/decals.json", DEFAULT)));
        files.extend(copies.iter().map(|(path, bytes)| (path.as_str(), *bytes)));
        world.all_hold(&pcs, &files);
    }
}

#[test]
fn a_conflict_copy_stays_while_its_author_has_it_too() {
    for scope in ["file", "livery"] {
        let (mut world, pcs, copies) = in_conflict(scope);
        world.drop_now(pcs[1], "Mine/decals.png", b"theirs");
        world.drop_now(pcs[1], "Mine/decals.json", DEFAULT);
        world.rest();
        let mut files = OLD.to_vec();
        files.extend([("Mine/decals.png", &b"theirs"[..]), ("Mine/decals.json", DEFAULT)]);
        files.extend(copies.iter().map(|(path, bytes)| (path.as_str(), *bytes)));
        world.all_hold(&pcs, &files);
    }
}

#[test]
fn a_conflict_folder_that_is_moved_in_part_stays_whole() {
    let (mut world, pcs, copies) = in_conflict("livery");
    let picture: Vec<_> =
        copies.iter().filter(|(path, _)| path.ends_with(".png")).cloned().collect();
    world.move_copies(pcs[1], &picture, "Mine");
    world.rest();
    let mut files = OLD.to_vec();
    files.push(("Mine/decals.png", b"theirs"));
    files.extend(copies.iter().map(|(path, bytes)| (path.as_str(), *bytes)));
    world.all_hold(&pcs, &files);
}
