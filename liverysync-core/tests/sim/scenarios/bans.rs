//! Bans, blocks and limits: what an admin keeps out.

use liverysync_core::{
    client::Event,
    league::{HoldReason, MemberId},
};

use super::*;

const MINE: (&str, &[u8]) = ("Mine/decals.png", b"mine");
const OTHERS: (&str, &[u8]) = ("Others/decals.png", b"others");

fn member_of(name: &str) -> MemberId {
    MemberId::of(&key_of(name))
}

impl World {
    fn is_linked(&self, pc: usize) -> bool {
        self.pcs[pc].link.is_some()
    }

    fn held_causes(&self, pc: usize) -> Vec<(String, HoldReason)> {
        let held = self.events(pc).iter().filter_map(|event| match event {
            Event::Held { livery, cause, .. } => Some((livery.clone(), *cause)),
            _ => None,
        });
        held.collect()
    }

    /// Returns true if the server's store has a content.
    fn stores(&self, data: &[u8]) -> bool {
        let SimServer::New(server) = &self.server else { panic!("no server") };
        server.store.has(Content::of(data))
    }
}

#[test]
fn a_banned_driver_is_refused_with_every_key_and_what_they_published_stays() {
    let mut world = World::remembering();
    let (banned, other) = (world.join("banned", &[MINE]), world.join("other", &[]));
    world.rest();
    let member = member_of("banned");
    world.administer(Act::Ban { member }).unwrap();
    world.run_for(9 * MINUTE);
    assert!(!world.is_linked(banned));
    world.drop_now(banned, "Later/decals.png", b"later");
    assert_eq!(world.text(other, MINE.0).as_deref(), Some(MINE.1));
    world.restart_server();
    world.run_for(11 * MINUTE);
    assert!(!world.is_linked(banned), "a new server knows of the ban");
    // A key that the driver had before says who they are.
    let mut config = config("disguised");
    config.keys.former = vec![key_of("banned")];
    let files: &[(&str, &[u8])] = &[OTHERS];
    let disguised = world.join_as("disguised", Brain::New(Box::new(NewPc::new(config))), files);
    world.run_for(MINUTE);
    assert_eq!(world.text(other, OTHERS.0), None);
    assert_eq!(world.text(other, "Later/decals.png"), None);
    world.administer(Act::Unban { member }).unwrap();
    let again = world.administer(Act::Unban { member });
    assert_eq!(again, Err(ActError::NotBanned { member }));
    world.run_for(11 * MINUTE);
    world.rest();
    let later: (&str, &[u8]) = ("Later/decals.png", b"later");
    world.all_hold(&[banned, other, disguised], &[MINE, OTHERS, later]);
}

#[test]
fn whoever_a_banned_member_is_merged_into_is_banned() {
    let mut world = World::remembering();
    let (former, member) = (world.join("former", &[MINE]), world.join("member", &[OTHERS]));
    world.rest();
    let (old, new) = (member_of("former"), member_of("member"));
    world.administer(Act::Ban { member: old }).unwrap();
    world.administer(Act::Merge { former: old, member: new }).unwrap();
    world.run_for(MINUTE);
    assert!(!world.is_linked(former) && !world.is_linked(member));
    world.administer(Act::Unban { member: new }).unwrap();
    world.restart_server();
    world.run_for(11 * MINUTE);
    world.rest();
}

#[test]
fn a_blocked_content_goes_everywhere_and_does_not_come_back_under_any_name() {
    let mut world = World::remembering();
    let files: &[(&str, &[u8])] = &[(PATH, b"paint"), MINE];
    let (author, other) = (world.join("author", files), world.join("other", &[]));
    world.rest();
    world.set_now(Setting::Frozen, "*");
    let report = world.administer(Act::Block { content: PATH.to_lowercase() });
    assert_eq!(report, Ok(ActReport::new(0, 1)), "also in a freeze");
    world.set_now(Setting::Frozen, "");
    world.rest();
    world.all_hold(&[author, other], &[MINE]);
    world.run_for(5 * SECOND);
    assert!(!world.stores(b"paint") && world.stores(MINE.1));
    // Its author tries another name, and adds a picture to it.
    world.drop_now(author, "New/decals.png", b"paint");
    world.drop_now(author, "New/sponsors.png", b"sponsors");
    world.rest_of_us();
    world.check_files(other, &[MINE]);
    assert!(world.held_causes(author).contains(&("New".to_owned(), HoldReason::Blocked)));
    assert!(!world.stores(b"paint"), "it is not fetched to be approved");
    world.administer(Act::Approve { liveries: vec!["New".into()], from: None }).unwrap();
    world.restart_server();
    world.rest_of_us();
    world.check_files(other, &[MINE]);
    let digits = Content::of(b"paint").hash.short();
    world.administer(Act::Unblock { content: digits.clone() }).unwrap();
    let again = world.administer(Act::Unblock { content: digits.clone() });
    assert_eq!(again, Err(ActError::NotBlocked { content: digits }));
    world.rest();
    let new: &[(&str, &[u8])] =
        &[MINE, ("New/decals.png", b"paint"), ("New/sponsors.png", b"sponsors")];
    world.all_hold(&[author, other], new);
}

#[test]
fn a_version_with_a_blocked_content_is_not_restored() {
    let mut world = World::remembering();
    let author = world.join("author", &[(PATH, b"first")]);
    world.rest();
    world.drop_now(author, PATH, b"second");
    world.rest();
    let hash = Content::of(b"first").hash.to_string();
    world.administer(Act::Block { content: hash[..6].to_owned() }).unwrap();
    let version = world.union().history("T").first().map(|version| version.hash.clone());
    let restore = Act::Restore { livery: "T".into(), version };
    assert_eq!(world.administer(restore), Err(ActError::Blocked { path: PATH.into() }));
    let unknown = world.administer(Act::Block { content: "00000000".into() });
    assert_eq!(unknown, Err(ActError::UnknownContent { content: "00000000".into() }));
}

#[test]
fn what_exceeds_a_limit_waits_with_its_author_until_there_is_room() {
    let mut world = World::remembering();
    world.set_now(Setting::MaxLiveriesPerMember, "2");
    let three: &[(&str, &[u8])] = &[("A/decals.png", b"a"), ("B/decals.png", b"b"), MINE];
    let (author, other) = (world.join("author", three), world.join("other", &[OTHERS]));
    world.rest_of_us();
    world.check_files(other, &[three[0], three[1], OTHERS]);
    assert_eq!(world.held_causes(author), [("Mine".to_owned(), HoldReason::MemberLiveries)]);
    world.restart_server();
    world.run_for(2 * MINUTE);
    assert_eq!(world.union().held().count(), 1);
    let withdraw = Act::Retire { liveries: vec!["A".into()], confirmed: true };
    assert_eq!(world.change_own(author, withdraw), Ok(ActReport::new(1, 1)));
    world.rest();
    world.all_hold(&[author, other], &[three[1], MINE, OTHERS]);
}

#[test]
fn bytes_are_limited_by_livery_and_by_member() {
    let mut world = World::remembering();
    let author = world.join("author", &[(PATH, b"12345678")]);
    world.rest();
    world.set_now(Setting::MaxBytesPerLivery, "8");
    world.set_now(Setting::MaxBytesPerMember, "10");
    world.drop_now(author, PATH, b"123456789");
    world.rest_of_us();
    assert!(world.held_causes(author).contains(&("T".to_owned(), HoldReason::LiveryBytes)));
    world.drop_now(author, PATH, b"1234567");
    world.rest();
    world.drop_now(author, MINE.0, b"1234");
    world.rest_of_us();
    assert!(world.held_causes(author).contains(&("Mine".to_owned(), HoldReason::MemberBytes)));
    let limit = world.set_now(Setting::MaxBytesPerMember, "none");
    assert_eq!(limit, ActReport::new(1, 0));
    world.rest();
}
