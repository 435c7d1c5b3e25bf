//! The server's disk fails.

use liverysync_core::{
    client::{DiskFault, DiskFaultKind},
    hash::Content,
    server::Event,
};

use super::PATH;
use crate::{
    old_pc::OldPc,
    rig::{Brain, MINUTE, SECOND, SimServer, World},
};

const DATA: &[u8] = b"picture";

/// A league whose store has a content that nobody else has any more.
fn league_with_store() -> World {
    let mut world = World::remembering();
    let author = world.join("author", &[(PATH, DATA)]);
    world.rest();
    world.leave(author);
    // Until the server has noticed it.
    world.run_for(MINUTE);
    world
}

impl World {
    fn fail_reads(&mut self, kind: DiskFaultKind) {
        let fault = DiskFault { kind, message: "the disk says no".to_owned() };
        self.store_faults.insert(Content::of(DATA).hash, fault);
    }

    fn has_stored(&self) -> bool {
        let SimServer::New(server) = &self.server else { return false };
        server.store.has(Content::of(DATA))
    }

    /// Returns the number of times that people were told of a fault of the store.
    fn told(&self) -> usize {
        let faults = self.server_events.iter();
        faults.filter(|event| matches!(event, Event::StoreFault { .. })).count()
    }
}

#[test]
fn a_content_that_cannot_be_read_now_is_kept_and_sent_later() {
    let mut world = league_with_store();
    world.fail_reads(DiskFaultKind::Other);
    let late = world.join("late", &[]);
    world.run_for(5 * MINUTE);
    assert_eq!(world.text(late, PATH), None);
    assert!(world.has_stored());
    assert_eq!(world.told(), 1, "one line for all attempts");
    world.store_faults.clear();
    world.run_for(10 * MINUTE);
    world.rest_of_us();
    world.check_files(late, &[(PATH, DATA)]);
}

#[test]
fn a_content_that_is_missing_on_the_disk_is_uploaded_again() {
    for kind in [DiskFaultKind::Missing, DiskFaultKind::Corrupt] {
        let mut world = league_with_store();
        world.fail_reads(kind);
        let late = world.join("late", &[]);
        world.run_for(10 * SECOND);
        assert!(!world.has_stored());
        assert_eq!(world.told(), 1);
        world.store_faults.clear();
        let again = world.join("again", &[(PATH, DATA)]);
        world.rest_of_us();
        world.all_hold(&[late, again], &[(PATH, DATA)]);
    }
}

#[test]
fn a_damaged_content_that_a_target_complains_about_is_uploaded_again() {
    for old in [false, true] {
        let mut world = league_with_store();
        if let SimServer::New(server) = &mut world.server {
            server.store.damage(Content::of(DATA).hash);
        }
        let late = if old {
            world.join_as("late", Brain::Old(Box::new(OldPc::new(false))), &[])
        } else {
            world.join("late", &[])
        };
        world.run_for(30 * SECOND);
        assert!(!world.has_stored());
        assert_eq!((world.verified, world.told()), (1, 1));
        let again = world.join("again", &[(PATH, DATA)]);
        world.rest_of_us();
        world.all_hold(&[late, again], &[(PATH, DATA)]);
    }
}

#[test]
fn a_target_that_complains_for_ever_has_a_content_verified_once_an_hour() {
    let mut world = league_with_store();
    let late = world.join("late", &[]);
    world.pcs[late].spoils = true;
    world.run_for(50 * MINUTE);
    assert_eq!(world.verified, 1);
    world.run_for(30 * MINUTE);
    assert_eq!(world.verified, 2);
    assert!(world.has_stored());
    assert_eq!(world.told(), 0);
    world.pcs[late].spoils = false;
    world.run_for(10 * MINUTE);
    world.rest_of_us();
    world.check_files(late, &[(PATH, DATA)]);
}
