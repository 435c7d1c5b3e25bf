//! The Python programs as clients and servers.

use bytes::Bytes;
use liverysync_core::{hash::Content, transfer::CHUNK_BYTES};

use super::{conflict, league};
use crate::{
    disk::Disk,
    liar::{Liar, Lie},
    old_pc::OldPc,
    rig::{Brain, Line, SECOND, World},
};

#[test]
fn an_old_client_may_be_silent_while_it_receives_a_large_file() {
    let mut world = league();
    let big = vec![9; 6 * CHUNK_BYTES];
    world.join("source", &[("T/decals.png", &big)]);
    world.run_for(3 * SECOND);
    let old = Brain::Old(Box::new(OldPc::new(true)));
    let old = world.add_pc("old", old, Disk::new(false));
    world.pcs[old].line = Line { down: 15_000, ..Line::default() };
    world.start(old);
    world.rest();
    assert!(world.now > 140 * SECOND, "it takes longer than silence is borne");
    world.check_files(old, &[("T/decals.png", &big)]);
    assert_eq!(world.connections, 2);
}

#[test]
fn old_clients_of_both_generations_get_every_file_that_they_accept() {
    let mut world = league();
    let files: [(&str, &[u8]); 4] = [
        ("T/decals.png", b"a"),
        ("T/decals Copy.png", b"b"),
        ("T/read me.txt", b"c"),
        ("T/decals.json", b"d"),
    ];
    world.join("ours", &files);
    world.run_for(3 * SECOND);
    let first = world.join_as(
        "first",
        Brain::Old(Box::new(OldPc::new(false))),
        &[("T/decals.png", b"rival of first")],
    );
    let careful = world.join_as("104", Brain::Old(Box::new(OldPc::new(true))), &[]);
    world.rest();
    assert_eq!(world.pcs[first].disk.tree.len(), 5);
    assert!(world.text(first, "T/decals Copy.png").is_some());
    world.check_files(careful, &[files[0], files[3]]);
    assert_eq!(world.withheld["104"].len(), 3);
}

#[test]
fn clients_sync_with_old_servers_of_both_generations() {
    for later in [false, true] {
        let mut world = World::new(1);
        world.start_old_server(later);
        let a = world.join("a", &[("A/decals.png", b"a"), ("A/x.png", b"x")]);
        let b = world.join("b", &[("B/decals.png", b"b"), ("A/x.png", b"rival of x")]);
        world.rest();
        for pc in [a, b] {
            assert_eq!(world.text(pc, "A/decals.png").unwrap(), b"a");
            assert_eq!(world.text(pc, "B/decals.png").unwrap(), b"b");
        }
        for rival in [&b"x"[..], b"rival of x"] {
            assert!(world.pcs.iter().any(|pc| pc.disk.holds(Content::of(rival))));
        }
    }
}

// Two names of one content that are replaced at the same time count for nothing to each other.
#[test]
fn a_content_under_two_names_survives_an_old_server() {
    let mut world = World::new(1);
    world.start_old_server(true);
    let a = world.join("a", &[]);
    let b = world.join("b", &[("A/x.png", b"twice"), ("B/x.png", b"twice")]);
    world.drop_at(a, "A/x.png", b"newer a", SECOND);
    world.drop_at(a, "B/x.png", b"newer b", SECOND);
    world.rest();
    assert_eq!(world.text(b, "A/x.png").unwrap(), b"newer a");
    assert!(world.pcs[b].disk.holds(Content::of(b"twice")));
}

#[test]
fn an_old_target_gets_the_end_of_a_file_whose_source_is_gone() {
    let mut world = league();
    let path = "T/decals.png";
    let mut liar = Liar::new(true, Lie::Silent);
    liar.claim(path, Bytes::from_static(b"half of this comes"));
    let liar = world.join_as("liar", Brain::Liar(Box::new(liar)), &[]);
    world.run_for(3 * SECOND);
    let old = world.join_as("old", Brain::Old(Box::new(OldPc::new(true))), &[]);
    world.run_for(3 * SECOND);
    world.crash(liar);
    world.join("honest", &[(path, b"half of this comes"), ("U/x.png", b"x")]);
    world.run_for(20 * SECOND);
    world.check_files(old, &[(path, b"half of this comes"), ("U/x.png", b"x")]);
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_does_not_block_an_old_target() {
    let mut world = league();
    let big = vec![1; 5 * CHUNK_BYTES];
    let source = world.join("source", &[("T/decals.png", &big), ("T/x.png", b"x")]);
    world.pcs[source].line = Line { up: 500_000, ..Line::default() };
    world.run_for(3 * SECOND);
    let old = world.join_as("old", Brain::Old(Box::new(OldPc::new(true))), &[]);
    world.run_for(2 * SECOND);
    world.drop_now(source, "T/decals.png", b"edited");
    world.given_up.insert(Content::of(&big).hash);
    world.rest();
    world.check_files(old, &[("T/decals.png", b"edited"), ("T/x.png", b"x")]);
}

#[test]
fn an_old_clients_content_is_safe_elsewhere_before_it_is_overwritten() {
    let mut world = league();
    world.join_as(
        "careful",
        Brain::Old(Box::new(OldPc::new(true))),
        &[("T/decals.png", b"established")],
    );
    world.rest();
    world.join_as("rival", Brain::Old(Box::new(OldPc::new(false))), &[("T/decals.png", b"rival")]);
    let taker = world.join("taker", &[]);
    world.rest();
    let copy = conflict("T/decals.png", b"rival");
    world.check_files(taker, &[("T/decals.png", b"established"), (&copy, b"rival")]);
}
