//! Drivers who were several members: one for each spelling of their folder, or one for each PC.

use liverysync_core::league::{MemberId, Updates};

use super::*;

const MATERIAL: &str = "T/decals.json";

/// Makes a league in which only owners change a livery.
fn of_owners() -> World {
    let mut world = World::remembering();
    world.set(Setting::Updates, "owner");
    assert_eq!(world.union().settings().updates, Updates::Owner);
    world
}

fn member_of(name: &str) -> MemberId {
    MemberId::of(&key_of(name))
}

impl World {
    /// Adds a driver who had these keys before, with what they have on their disk.
    fn join_with_former(&mut self, name: &str, former: &[&str], files: &[(&str, &[u8])]) -> usize {
        let mut config = config(name);
        config.keys.former = former.iter().map(|name| key_of(name)).collect();
        self.join_as(name, Brain::New(Box::new(NewPc::new(config))), files)
    }

    fn former_keys_of(&self, pc: usize) -> usize {
        let Brain::New(new_pc) = &self.pcs[pc].brain else { panic!("no client of protocol 2") };
        new_pc.config.keys.former.len()
    }

    fn owner(&self, livery: &str) -> Option<MemberId> {
        self.union().owner(livery)
    }
}

#[test]
fn a_driver_who_comes_back_with_another_key_keeps_their_liveries() {
    let mut world = of_owners();
    let before = world.join("before", &[(PATH, b"first"), (MATERIAL, b"{}")]);
    let other = world.join("other", &[]);
    world.rest();
    world.leave(before);
    world.server_events.clear();
    // The folder has moved, and its driver edited it before the next start.
    let files: &[(&str, &[u8])] = &[(PATH, b"second"), (MATERIAL, b"{}")];
    let after = world.join_with_former("after", &["before", "never"], files);
    world.rest_of_us();
    // Without a base it is a conflict that its owner can settle; with one it is an update.
    assert_eq!(world.owner("t"), Some(member_of("after")));
    assert_eq!(world.former_keys_of(after), 0, "they are sent once");
    world.drop_now(after, MATERIAL, b"{1}");
    world.rest_of_us();
    assert_eq!(world.text(other, MATERIAL).as_deref(), Some(&b"{1}"[..]));
    // Who still has the old key is the same member.
    world.restart_server();
    world.start(before);
    world.rest();
    assert_eq!(world.owner("t"), Some(member_of("after")));
    world.drop_now(before, MATERIAL, b"{2}");
    world.rest();
    assert_eq!(world.text(other, MATERIAL).as_deref(), Some(&b"{2}"[..]));
}

#[test]
fn members_who_are_connected_at_once_are_merged_when_one_leaves() {
    let mut world = of_owners();
    let before = world.join("before", &[(PATH, b"first")]);
    world.rest();
    let after = world.join_with_former("after", &["before"], &[]);
    world.rest();
    assert_eq!(world.owner("t"), Some(member_of("before")));
    assert_eq!(world.former_keys_of(after), 1);
    world.crash(before);
    // The server notices when it has been silent for long.
    world.run_for(3 * MINUTE);
    assert_eq!(world.owner("t"), Some(member_of("after")));
    assert_eq!(world.former_keys_of(after), 0);
    world.drop_now(after, PATH, b"second");
    world.start(before);
    world.rest();
    world.all_hold(&[before, after], &[(PATH, b"second")]);
    assert_eq!(world.conflicts(), []);
}

#[test]
fn an_unknown_former_key_changes_nothing_and_is_not_sent_again() {
    let mut world = of_owners();
    let other = world.join("other", &[(PATH, b"first")]);
    let pc = world.join_with_former("pc", &["never", "pc"], &[]);
    world.rest();
    assert_eq!(world.former_keys_of(pc), 0);
    assert_eq!(world.owner("t"), Some(member_of("other")));
    world.all_hold(&[other, pc], &[(PATH, b"first")]);
}

#[test]
fn an_admin_merges_members_who_are_connected() {
    let mut world = of_owners();
    let (first, second) = (world.join("first", &[(PATH, b"first")]), world.join("second", &[]));
    world.rest();
    let act = |former, member| Act::Merge { former: member_of(former), member: member_of(member) };
    assert_eq!(world.administer(act("first", "second")), Ok(ActReport::default()));
    let same = ActError::SameMember { member: member_of("second") };
    assert_eq!(world.administer(act("second", "first")), Err(same));
    assert_eq!(world.owner("t"), Some(member_of("second")));
    for (pc, paint) in [(first, &b"second"[..]), (second, b"third"), (first, b"fourth")] {
        world.drop_now(pc, PATH, paint);
        world.rest();
        world.all_hold(&[first, second], &[(PATH, paint)]);
    }
}

#[test]
fn a_member_gets_all_that_another_one_owns() {
    let mut world = of_owners();
    let (first, second) = (
        world.join("first", &[(PATH, b"first"), ("U/decals.png", b"u")]),
        world.join("second", &[]),
    );
    world.rest();
    let act = |former, member| Act::OwnAll { former: member_of(former), member: member_of(member) };
    assert_eq!(world.administer(act("first", "second")), Ok(ActReport::default()));
    assert_eq!(
        (world.owner("t"), world.owner("u")),
        (Some(member_of("second")), Some(member_of("second")))
    );
    let nothing = ActError::OwnsNothing { member: member_of("first") };
    assert_eq!(world.administer(act("first", "second")), Err(nothing));
    world.drop_now(second, PATH, b"second");
    world.rest();
    world.check_files(first, &[(PATH, b"second"), ("U/decals.png", b"u")]);
    // The one before may no longer change it.
    world.drop_now(first, PATH, b"third");
    world.rest();
    assert_eq!(world.conflicts().len(), 1);
}

#[test]
fn two_folders_of_one_driver_do_not_fight() {
    for updates in ["anyone", "owner"] {
        let mut world = World::remembering();
        world.set(Setting::Updates, updates);
        let folder = |world: &mut World, name: &str, files: &[(&str, &[u8])]| {
            let mut config = config(name);
            config.keys.member = Some(key_of("driver"));
            world.join_as(name, Brain::New(Box::new(NewPc::new(config))), files)
        };
        let first = folder(&mut world, "first", &[(PATH, b"one"), ("U/decals.png", b"u")]);
        let second = folder(&mut world, "second", &[("V/decals.png", b"v")]);
        world.rest();
        for (round, pc) in [first, second, first, second].into_iter().enumerate() {
            let paint = [b'p', b'0' + round as u8];
            world.drop_now(pc, PATH, &paint);
            world.rest();
            let files: &[(&str, &[u8])] =
                &[(PATH, &paint), ("U/decals.png", b"u"), ("V/decals.png", b"v")];
            world.all_hold(&[first, second], files);
            assert_eq!(world.conflicts(), [], "{updates}, round {round}");
        }
        // One of them is away, and comes back with what it had: it is only outdated.
        world.leave(second);
        world.drop_now(first, PATH, b"last");
        world.rest_of_us();
        world.start(second);
        world.rest();
        let files: &[(&str, &[u8])] =
            &[(PATH, b"last"), ("U/decals.png", b"u"), ("V/decals.png", b"v")];
        world.all_hold(&[first, second], files);
        assert_eq!(world.conflicts(), [], "{updates}");
        // Each adds files to the same livery at once.
        world.drop_now(first, "T/sponsors.png", b"s");
        world.drop_now(second, "T/readme.txt", b"r");
        world.rest();
        assert_eq!(world.conflicts(), [], "{updates}");
        assert_eq!(world.text(first, "T/readme.txt").as_deref(), Some(&b"r"[..]));
        assert_eq!(world.text(second, "T/sponsors.png").as_deref(), Some(&b"s"[..]));
    }
}
