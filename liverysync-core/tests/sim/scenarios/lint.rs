//! Rules of the league: what breaks one is named, or waits for an admin.

use liverysync_core::league::{Act, HoldReason, Setting};

use super::{PATH, client, conflict, server};
use crate::{
    old_pc::OldPc,
    rig::{Brain, MINUTE, World},
};

const RULES: &str = r#"{"names":["[TN]*","T*","N*"],"max-file-bytes":20}"#;
const BAD: (&str, &[u8]) = ("904/readme.txt", b"text");
const LONG: &[u8] = b"far more than twenty bytes";
const TEXT: &str = "T/readme.txt";

impl World {
    /// Returns the kinds of what the server has found, each with whether the league has it.
    fn found(&self) -> Vec<(&'static str, bool)> {
        let found = self.server_events.iter().filter_map(|event| match event {
            server::Event::Finding { finding, published, .. } => Some((finding.kind(), *published)),
            _ => None,
        });
        found.collect()
    }

    fn is_told_rule(&self, pc: usize, of: &str) -> bool {
        let is_it = |event: &client::Event| matches!(event, client::Event::Held { cause: HoldReason::Lint, livery, finding: Some(_), .. } if livery == of);
        self.events(pc).iter().any(is_it)
    }
}

fn judging(lint: &str, files: &[(&str, &[u8])]) -> (World, usize, usize) {
    let mut world = World::remembering();
    let (author, other) = (world.join("author", files), world.join("other", &[]));
    world.rest();
    world.set_now(Setting::LintRules, RULES);
    world.set_now(Setting::Lint, lint);
    world.rest();
    (world, author, other)
}

fn approve() -> Act {
    Act::Approve { liveries: Vec::new(), from: None }
}

#[test]
fn what_breaks_a_rule_waits_for_an_admin_or_for_its_driver() {
    let (mut world, author, other) = judging("hold", &[(TEXT, b"text")]);
    world.drop_now(author, BAD.0, BAD.1);
    world.drop_now(author, TEXT, LONG);
    world.rest_of_us();
    world.check_files(other, &[(TEXT, b"text")]);
    assert!(world.is_told_rule(author, "904") && world.is_told_rule(author, "T"));
    assert_eq!(
        world.found(),
        [("no-picture", false), ("name-not-allowed", false), ("file-too-large", false)]
    );
    // Its driver mends one, also while the server is down.
    world.restart_server();
    world.drop_now(author, TEXT, b"short");
    world.rest_of_us();
    world.check_files(other, &[(TEXT, b"short")]);
    assert_eq!(world.union().held().count(), 1);
    world.administer(approve()).unwrap();
    world.rest();
    world.all_hold(&[author, other], &[(TEXT, b"short"), BAD]);
}

#[test]
fn only_what_changes_is_judged() {
    let (mut world, author, other) = judging("hold", &[BAD, ("904/long.txt", LONG)]);
    assert_eq!(world.union().held().count(), 0);
    world.drop_now(author, BAD.0, b"new text");
    world.drop_now(author, "904/more.txt", b"more");
    world.rest();
    let files: [(&str, &[u8]); 3] =
        [(BAD.0, b"new text"), ("904/more.txt", b"more"), ("904/long.txt", LONG)];
    world.all_hold(&[author, other], &files);
    world.drop_now(author, "904/long.txt", b"another text that is too long");
    world.rest_of_us();
    world.check_files(other, &files);
    // Without the rule, it may go.
    world.set_now(Setting::Lint, "off");
    world.rest();
    let long: (&str, &[u8]) = ("904/long.txt", b"another text that is too long");
    world.all_hold(&[author, other], &[files[0], files[1], long]);
}

#[test]
fn a_damaged_picture_of_a_new_livery_is_held_once_the_server_has_seen_it() {
    let (mut world, author, other) = judging("hold", &[]);
    let old = world.join_as("old", Brain::Old(Box::new(OldPc::new(false))), &[]);
    world.rest();
    world.drop_at(old, PATH, &[0; 9], 0);
    world.run_for(MINUTE);
    world.rest_of_us();
    for pc in [author, other] {
        world.check_files(pc, &[]);
    }
    assert_eq!(world.found(), [("damaged", false)]);
    world.administer(approve()).unwrap();
    world.rest();
    world.all_hold(&[author, other], &[(PATH, &[0; 9])]);
}

#[test]
fn a_league_that_only_warns_has_it_and_names_it_once() {
    let (mut world, author, other) = judging("warn", &[]);
    world.drop_now(author, BAD.0, BAD.1);
    world.rest();
    world.all_hold(&[author, other], &[BAD]);
    assert_eq!(world.found(), [("no-picture", true), ("name-not-allowed", true)]);
    let is_warned = |event: &client::Event| matches!(event, client::Event::Finding(finding) if finding.kind() == "name-not-allowed");
    assert!(world.events(author).iter().any(is_warned), "its client has the league's rules");
    assert!(!world.events(other).iter().any(is_warned));
    world.drop_now(author, "904/more.txt", b"more");
    world.rest();
    assert_eq!(world.found().len(), 2);
}

#[test]
fn a_conflict_copy_is_judged_too() {
    let (mut world, author, other) = judging("hold", &[(TEXT, b"text")]);
    let third = world.join("third", &[(TEXT, LONG)]);
    world.rest_of_us();
    for pc in [author, other] {
        world.check_files(pc, &[(TEXT, b"text")]);
    }
    world.check_files(third, &[(TEXT, LONG)]);
    world.administer(approve()).unwrap();
    world.rest();
    let copy = conflict(TEXT, LONG);
    world.all_hold(&[author, other, third], &[(TEXT, b"text"), (&copy, LONG)]);
}
