//! Fan-out: each content leaves its driver's PC once, whoever needs it and whenever.

use liverysync_core::{hash::Content, transfer::CHUNK_BYTES};

use crate::{
    net::Dir,
    rig::{SECOND, SimServer, World},
    scenarios::league,
};

const LIVERY: [(&str, usize); 3] =
    [("T/decals.png", 5 * CHUNK_BYTES + 7), ("T/decals.json", 300), ("T/sponsors.png", 0)];

fn bytes(path: &str, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + path.len()) as u8).collect()
}

impl World {
    fn join_with_livery(&mut self, name: &str) -> usize {
        let files: Vec<_> = LIVERY.iter().map(|(path, len)| (*path, bytes(path, *len))).collect();
        let files: Vec<_> = files.iter().map(|(path, data)| (*path, &data[..])).collect();
        self.join(name, &files)
    }

    /// Returns the bytes of the livery that have come to the server.
    fn uploaded(&self) -> u64 {
        match &self.server {
            SimServer::New(server) => server.store.taken.values().sum(),
            _ => 0,
        }
    }

    fn holds_livery(&self, pc: usize) -> bool {
        LIVERY.iter().all(|(path, len)| self.pcs[pc].disk.holds(Content::of(&bytes(path, *len))))
    }

    pub(crate) fn run_until(&mut self, what: &str, met: impl Fn(&Self) -> bool) {
        let end = self.now + 600 * SECOND;
        while !met(self) {
            assert!(self.step(end), "never: {what}");
        }
    }
}

fn size() -> u64 {
    LIVERY.iter().map(|(_, len)| *len as u64).sum()
}

#[test]
fn each_content_is_uploaded_once_however_many_pcs_lack_it() {
    let mut world = league();
    world.join_with_livery("source");
    let targets: Vec<_> = (0..6).map(|n| world.join(&format!("target{n}"), &[])).collect();
    world.rest();
    assert!(targets.iter().all(|target| world.holds_livery(*target)));
    assert_eq!(world.uploaded(), size());
}

#[test]
fn a_driver_who_connects_after_the_source_has_left_is_served_from_the_store() {
    let mut world = league();
    let source = world.join_with_livery("source");
    let first = world.join("first", &[]);
    world.rest();
    for gone in [source, first] {
        world.crash(gone);
    }
    world.run_for(10 * SECOND);
    let late = world.join("late", &[]);
    world.run_until("the late one has it", |world| world.holds_livery(late));
    assert_eq!(world.uploaded(), size());
}

#[test]
fn a_stalled_target_delays_nobody() {
    let mut world = league();
    let source = world.join_with_livery("source");
    world.pcs[source].line.up = 200_000;
    let stopped = world.join("stopped", &[]);
    let quick = world.join("quick", &[]);
    world.run_until("the stopped one gets something", |world| world.arrived(stopped) > 0);
    let link = world.pcs[stopped].link.unwrap();
    world.partition(link, Dir::Down);
    let began = world.now;
    world.run_until("the quick one has it", |world| world.holds_livery(quick));
    assert!(world.now - began < 20 * SECOND, "as fast as the source can send");
    assert!(!world.holds_livery(stopped));
    world.heal_link(link);
    world.rest();
    assert!(world.holds_livery(stopped));
    assert_eq!(world.uploaded(), size());
}

#[test]
fn an_interrupted_upload_resumes_where_it_stopped() {
    let mut world = league();
    let source = world.join_with_livery("source");
    world.pcs[source].line.up = 200_000;
    let target = world.join("target", &[]);
    world.run_until("half of it is there", |world| world.uploaded() > size() / 2);
    world.break_link(world.pcs[source].link.unwrap());
    world.rest();
    assert!(world.holds_livery(target));
    assert_eq!(world.uploaded(), size(), "nothing is sent twice");
}

#[test]
fn an_interrupted_download_resumes_where_it_stopped() {
    let mut world = league();
    world.join_with_livery("source");
    let target = world.join("target", &[]);
    world.pcs[target].line.down = 200_000;
    world.run_until("half of it is there", |world| world.arrived(target) > size() / 2);
    world.break_link(world.pcs[target].link.unwrap());
    world.rest();
    assert!(world.holds_livery(target));
    let twice = world.arrived(target) - size();
    assert!(twice == 0, "{twice} bytes came twice");
}
