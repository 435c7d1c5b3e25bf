//! Owners withdraw, rename and replace their own liveries.

use liverysync_core::{
    client,
    hash::Content,
    league::{Act, ActError, ActReport, NameFault, Setting},
    server,
    wire::messages::OwnerNews,
};

use super::PATH;
use crate::rig::World;

const JSON: &str = "T/decals.json";
const OLD: &[(&str, &[u8])] = &[(PATH, b"paint"), (JSON, b"json")];

/// Returns an owner of the livery `T`, another driver who has it too, and one who is away.
fn league() -> (World, [usize; 3]) {
    let mut world = World::remembering();
    world.set(Setting::Updates, "owner");
    let owner = world.join("owner", OLD);
    let (other, away) = (world.join("other", &[]), world.join("away", &[]));
    world.leave(away);
    (world, [owner, other, away])
}

fn withdraw(name: &str) -> Act {
    Act::Retire { liveries: vec![name.to_owned()], confirmed: false }
}

fn rename(livery: &str, new: &str) -> Act {
    Act::Rename { livery: livery.to_owned(), new: new.to_owned() }
}

fn replace(old: &str, new: &str) -> Act {
    Act::Replace { old: old.to_owned(), new: new.to_owned() }
}

impl World {
    /// Waits until everybody has this, also the PC that was away, and also after a restart of the server.
    fn end_with(&mut self, pcs: [usize; 3], files: &[(&str, &[u8])]) {
        self.rest_of_us();
        self.restart_server();
        self.start(pcs[2]);
        self.rest();
        self.all_hold(&pcs, files);
    }
}

#[test]
fn an_owner_withdraws_a_livery_or_a_file() {
    let (mut world, pcs) = league();
    assert_eq!(world.change_own(pcs[0], withdraw("t/DECALS.json")), Ok(ActReport::new(0, 1)));
    world.rest_of_us();
    assert!(world.pcs[pcs[1]].disk.backs_up(Content::of(b"json")));
    assert_eq!(world.text(pcs[0], JSON), None);
    let event = server::Event::OwnerActed {
        name: "owner".to_owned(),
        act: "withdraw",
        names: vec!["t/DECALS.json".to_owned()],
        placed: 0,
        retired: 1,
    };
    assert!(world.server_events.contains(&event), "{:?}", world.server_events);
    assert_eq!(world.change_own(pcs[0], withdraw("T")), Ok(ActReport::new(0, 1)));
    world.end_with(pcs, &[]);
}

#[test]
fn an_owner_renames_a_livery() {
    let (mut world, pcs) = league();
    assert_eq!(world.change_own(pcs[0], rename("T", "Team 7")), Ok(ActReport::new(2, 2)));
    let files: &[(&str, &[u8])] =
        &[("Team 7/decals.png", b"paint"), ("Team 7/decals.json", b"json")];
    world.end_with(pcs, files);
    assert_eq!(world.received(pcs[1]).len(), 2, "the files are moved and not sent again");
    // It is still theirs.
    assert!(world.change_own(pcs[1], withdraw("Team 7")).is_err());
    assert_eq!(world.change_own(pcs[0], withdraw("Team 7")), Ok(ActReport::new(0, 2)));
}

#[test]
fn an_owner_replaces_a_livery_and_the_history_goes_on() {
    let (mut world, pcs) = league();
    let unknown = ActError::NoLivery { livery: "New".to_owned() };
    assert_eq!(world.change_own(pcs[0], replace("T", "New")), Err(unknown));
    world.drop_now(pcs[0], "New/decals.png", b"new");
    world.rest_of_us();
    assert_eq!(world.change_own(pcs[0], replace("T", "New")), Ok(ActReport::new(1, 2)));
    let [(livery, _)] = &world.union().predecessors("new")[..] else { panic!("no link") };
    assert_eq!(livery, "T");
    world.change_own(pcs[0], rename("New", "Newer")).unwrap();
    world.end_with(pcs, &[("Newer/decals.png", b"new")]);
    let before = world.union().predecessors("Newer");
    let before: Vec<_> = before.iter().map(|(livery, _)| &**livery).collect();
    assert_eq!(before, ["New", "T"]);
}

#[test]
fn everybody_else_is_refused() {
    let (mut world, pcs) = league();
    world.join("third", &[("U/decals.png", b"u")]);
    world.rest_of_us();
    let before = world.union_names();
    let theirs = |livery: &str| ActError::NotOwner {
        livery: livery.to_owned(),
        owners: vec!["owner".to_owned()],
    };
    let taken = ActError::InvalidName { name: "u".to_owned(), fault: NameFault::Taken };
    let of_third = ActError::NotOwner { livery: "U".to_owned(), owners: vec!["third".to_owned()] };
    for (pc, act, refused) in [
        (pcs[1], withdraw("T"), theirs("T")),
        (pcs[1], withdraw("t/decals.png"), theirs("t")),
        (pcs[1], rename("T", "V"), theirs("T")),
        (pcs[1], replace("T", "U"), theirs("T")),
        (pcs[0], replace("T", "U"), of_third),
        (pcs[0], rename("T", "u"), taken),
        (pcs[0], withdraw("V"), ActError::NoLivery { livery: "V".to_owned() }),
        (pcs[0], withdraw("T/x.png"), ActError::NoFile { path: "T/x.png".to_owned() }),
        (
            pcs[0],
            Act::Set { setting: Setting::Updates, value: "anyone".to_owned() },
            ActError::AdminOnly,
        ),
    ] {
        assert_eq!(world.change_own(pc, act), Err(refused));
        assert_eq!(world.union_names(), before);
    }
}

#[test]
fn an_owner_who_asks_all_the_time_has_to_wait() {
    let (mut world, pcs) = league();
    let mut names = ["T", "V"];
    let mut outcomes = Vec::new();
    for _ in 0..31 {
        outcomes.push(world.change_own(pcs[0], rename(names[0], names[1])));
        names.reverse();
    }
    assert_eq!(outcomes.pop(), Some(Err(ActError::TooMany)));
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

impl World {
    fn news(&self, pc: usize) -> Vec<(&str, OwnerNews, Option<&str>)> {
        let told = self.events(pc).iter().filter_map(|event| match event {
            client::Event::OwnerNews { livery, news, by } => {
                Some((livery.as_str(), *news, by.as_deref()))
            }
            _ => None,
        });
        told.collect()
    }
}

#[test]
fn an_owner_is_told_whose_edit_became_a_conflict() {
    let (mut world, [owner, other, away]) = league();
    world.start(away);
    world.drop_now(other, PATH, b"other's");
    world.rest();
    let told = ("T", OwnerNews::Conflict, Some("other"));
    assert_eq!(world.news(owner), [told]);
    assert_eq!(world.news(other), [], "it is not theirs");
    // The same conflict is no news, whoever connects again.
    world.leave(other);
    world.start(other);
    world.rest();
    world.leave(owner);
    world.start(owner);
    world.rest();
    assert_eq!(world.news(owner), [], "since that start");
}

#[test]
fn an_owner_who_was_away_is_told_once_who_changed_their_livery() {
    let (mut world, [owner, other, away]) = league();
    world.set(Setting::Updates, "anyone");
    world.start(away);
    world.rest();
    world.leave(owner);
    world.drop_now(other, PATH, b"edit");
    world.rest_of_us();
    world.drop_now(other, PATH, b"second edit");
    world.drop_now(other, "T/sponsors.png", b"added");
    world.rest_of_us();
    world.start(owner);
    world.rest();
    assert_eq!(world.news(owner), [("T", OwnerNews::Changed, Some("other"))]);
    world.leave(owner);
    world.start(owner);
    world.rest();
    // Their own edit is no news to them.
    world.drop_now(owner, PATH, b"mine again");
    world.rest();
    assert_eq!(world.news(owner), [], "since that start");
    assert_eq!(world.news(other), []);
}
