//! Clients that do not keep to the protocol.

use bytes::Bytes;
use liverysync_core::{
    client,
    hash::Content,
    path::{Extensions, RelPath},
};

use super::{PATH, league};
use crate::{
    disk::Disk,
    liar::{LIES, Liar, Lie},
    rig::{Brain, SECOND, SimServer, World},
};

#[test]
fn a_lying_source_is_asked_once_and_another_one_serves() {
    for speaks_v2 in [true, false] {
        for lie in LIES {
            let mut world = league();
            let path = "T/decals.png";
            let mut liar = Liar::new(speaks_v2, lie);
            liar.claim(path, Bytes::from_static(b"the right bytes"));
            let liar = world.join_as("liar", Brain::Liar(Box::new(liar)), &[]);
            world.run_for(5 * SECOND);
            let target = world.join("target", &[("T/other.png", b"own")]);
            world.run_for(2 * SECOND);
            let honest = world.join("honest", &[(path, b"the right bytes")]);
            world.rest();
            assert_eq!(world.text(target, path).unwrap(), b"the right bytes", "{lie:?}");
            assert_eq!(world.received(honest), ["T/other.png"], "{lie:?}");
            // It is asked again only because its manifest has changed: it got the other file.
            let asked = world.liar(liar).asked[path];
            assert!(asked <= 2, "{lie:?} was asked {asked} times");
        }
    }
}

#[test]
fn a_livery_that_only_a_liar_has_leaves_the_others_in_sync() {
    let mut world = league();
    let mut liar = Liar::new(false, Lie::Mute);
    liar.claim("T/decals.png", Bytes::from_static(b"nobody gets this"));
    world.join_as("liar", Brain::Liar(Box::new(liar)), &[]);
    let target = world.join("target", &[]);
    world.rest();
    world.check_files(target, &[]);
    let withheld = world.events(target).iter().rev().find_map(|event| match event {
        client::Event::InSync { withheld, .. } => Some(*withheld),
        _ => None,
    });
    assert_eq!(withheld, Some(1));
}

// A hash that everybody knows, with a length that it cannot have: the store has the content, and yet
// nobody can ever get that one.
#[test]
fn a_right_hash_with_a_wrong_length_keeps_nobody_waiting() {
    for speaks_v2 in [true, false] {
        for liar_first in [true, false] {
            let mut world = league();
            let (path, data) = ("T/decals.png", Bytes::from_static(b"the right bytes"));
            let Content { hash, size } = Content::of(&data);
            let mut liar = Liar::new(speaks_v2, Lie::WrongBytes);
            let wrong = Content { hash, size: size + 1 };
            liar.claims.insert("L/decals.png".into(), (wrong, Some(data.clone())));
            let liar = Brain::Liar(Box::new(liar));
            let target = world.join("target", &[]);
            if liar_first {
                world.join_as("liar", liar, &[]);
                world.run_for(10 * SECOND);
                world.join("honest", &[(path, &data)]);
            } else {
                world.join("honest", &[(path, &data)]);
                world.run_for(10 * SECOND);
                world.join_as("liar", liar, &[]);
            }
            world.rest();
            world.check_files(target, &[(path, &data)]);
            let in_sync = |event: &client::Event| matches!(event, client::Event::InSync { .. });
            assert!(world.events(target).iter().any(in_sync));
        }
    }
}

// A file in conflict on an old client's PC must be safe elsewhere before the client gets the established content. Where that
// is impossible, nobody has to wait for it.
#[test]
fn a_conflict_copy_that_nobody_can_send_keeps_nobody_waiting() {
    let mut world = league();
    let path = "T/decals.png";
    let honest = world.join("honest", &[(path, b"established")]);
    world.run_for(3 * SECOND);
    let mut liar = Liar::new(false, Lie::WrongBytes);
    liar.claim(path, Bytes::from_static(b"rival"));
    world.join_as("liar", Brain::Liar(Box::new(liar)), &[]);
    world.rest();
    world.check_files(honest, &[(path, b"established")]);
}

// An update whose bytes never come must not take the name's content with it.
#[test]
fn an_update_that_never_arrives_expires() {
    let mut world = World::remembering();
    let honest = world.join("honest", &[(PATH, b"paint")]);
    world.rest();
    let mut liar = Liar::new(true, Lie::Skip);
    liar.base = Some(Content::of(b"paint").hash);
    liar.claim(PATH, Bytes::from_static(b"never comes"));
    let liar = world.join_as("liar", Brain::Liar(Box::new(liar)), &[]);
    world.run_for(60 * SECOND);
    assert!(matches!(world.server, SimServer::New(_)));
    world.crash(liar);
    let new = world.join("new", &[]);
    world.rest_of_us();
    world.all_hold(&[honest, new], &[(PATH, b"paint")]);
}

// Its driver has put there himself what is just being offered, and whose only source leaves in the middle of it.
#[test]
fn a_target_that_has_a_file_it_never_received_is_believed() {
    let mut world = league();
    let path = RelPath::parse("T/x.png", &Extensions::default()).unwrap();
    let author = world.join("author", &[(path.as_str(), &[7; 100_000])]);
    world.pcs[author].line.up = 10_000;
    world.run_for(5 * SECOND);
    let mut target = Liar::new(true, Lie::Mute);
    target.has_all = true;
    let target = world.add_pc("target", Brain::Liar(Box::new(target)), Disk::new(false));
    world.pcs[target].line.delay_up = 3 * SECOND;
    world.start(target);
    // The offer is there, and the answer is on its way.
    world.run_for(4 * SECOND);
    world.crash(author);
    world.run_for(20 * SECOND);
    assert_eq!(world.server().union().get(path.key()).unwrap().copies(), 1);
}
