//! The settings of a league.

use liverysync_core::{
    conflict::{Policy, Scope},
    hash::Content,
    league::{Act, Setting},
    path::Extensions,
    server,
};

use super::PATH;
use crate::rig::{Brain, SECOND, World};

#[test]
fn a_league_keeps_its_settings_whatever_a_later_server_is_told() {
    let mut world = World::remembering();
    world.stop_server();
    world.server_config.settings.naming.scope = Scope::Livery;
    world.server_config.settings.policy = Policy::NewestMtime;
    world.server_config.settings_given = [Setting::ConflictScope, Setting::Updates].into();
    world.start_server();
    // The first server has written down its own; only what the second one was told explicitly is worth a word.
    let differing = world.server_events.iter().filter_map(|event| match event {
        server::Event::SettingsDiffer { settings } => Some(settings),
        _ => None,
    });
    let differing = differing.flatten().map(|one| (one.setting, &*one.used, &*one.given));
    let differing: Vec<_> = differing.collect();
    assert_eq!(differing, [(Setting::ConflictScope, "file", "livery")]);
    let pcs = ["first", "second"].map(|name| world.join(name, &[]));
    world.drop_now(pcs[0], PATH, b"first");
    world.rest();
    world.drop_now(pcs[1], "U/decals.png", b"second");
    world.drop_now(pcs[1], PATH, b"rival");
    world.rest();
    let names: Vec<_> = world.union_names();
    assert!(!names.iter().any(|name| name.starts_with("T__CONFLICT__")), "{names:?}");
}

#[test]
fn a_change_of_suffix_or_scope_affects_new_conflicts_only() {
    let mut world = World::remembering();
    let first = world.join("first", &[("A/decals.png", b"a"), ("B/decals.png", b"b")]);
    world.leave(first);
    world.join("second", &[("A/decals.png", b"another a")]);
    world.rest_of_us();
    world.set(Setting::ConflictSuffix, "_RIVAL_");
    world.set(Setting::ConflictScope, "livery");
    for restarts in [false, true] {
        if restarts {
            world.restart_server();
        }
        let conflicts = world.conflicts();
        assert_eq!(conflicts.len(), 1, "{conflicts:?}");
        assert!(conflicts[0].1.starts_with("A/decals__CONFLICT__"), "{conflicts:?}");
    }
    world.join("third", &[("B/decals.png", b"another b")]);
    world.rest_of_us();
    let conflicts = world.conflicts();
    assert_eq!(conflicts.len(), 2, "{conflicts:?}");
    assert!(conflicts[1].1.starts_with("B_RIVAL_"), "{conflicts:?}");
    let keep = Content::of(b"another a").hash.short();
    world.administer(Act::Resolve { path: "A/decals.png".into(), keep }).unwrap();
    assert_eq!(world.conflicts().len(), 1);
}

#[test]
fn a_type_that_the_league_adds_is_distributed_at_once() {
    let mut world = World::remembering();
    let extensions = "dds,jpeg,jpg,json,png,txt,webp";
    let wide = Extensions::from_list(extensions.split(',')).unwrap();
    let pcs = ["first", "second"].map(|name| world.join(name, &[]));
    for pc in pcs {
        if let Brain::New(new_pc) = &mut world.pcs[pc].brain {
            new_pc.config.rules.extensions = wide.clone();
            new_pc.config.naming.extensions = wide.clone();
        }
        world.crash(pc);
        world.start(pc);
    }
    world.drop_now(pcs[0], "T/preview.webp", b"picture");
    world.drop_now(pcs[0], PATH, b"paint");
    world.run_for(60 * SECOND);
    assert_eq!(world.union_names(), [PATH]);
    world.set(Setting::Extensions, extensions);
    world.rest();
    world.all_hold(&pcs, &[(PATH, b"paint"), ("T/preview.webp", b"picture")]);
}
