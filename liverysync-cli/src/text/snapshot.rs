//! One file with every text of the program: `tests/snapshots/messages.snap`. `INSTA_UPDATE=always` rewrites it.

mod errors;
mod identities;
mod leagues;
mod lint;
mod lists;

use std::{io, path::Path, time::Duration};

use liverysync::{
    Collision, ConflictSide, Content, ContentHash, Entry, Extensions, HoldReason, Limits, Manifest,
    OpenConflict, Outstanding, OwnerNews, Plan, PlannedHold, Reason, Refusal, RelPath, Scan,
    Skipped, SourceFault, Withheld,
    backups::{
        BackupContents, BackupFile, BackupSet, CurrentFile, FileTotals, LeftAlone, PruneReport,
        PrunedFile, RestoreReport, RestoredFile, SetName,
    },
    league::Setting,
};
use liverysync_core::{
    inspect::Damage,
    lint::{LintFile, LintRules, lint as judge},
};

use crate::config::Kind;

use super::{Problem, backups, client, config, demo, error, scan, server, status, store, values};

use self::{
    errors::{act_errors, client_errors, database_errors, other_errors, server_errors},
    identities::identity_texts,
    leagues::{league_texts, owner_texts},
    lint::{findings, lint_texts},
    lists::{choices, list_texts, share_texts},
};

#[test]
fn every_text_is_as_in_the_snapshot() {
    let mut all = Texts::default();
    client_texts(&mut all);
    status_texts(&mut all);
    scan_texts(&mut all);
    lint_texts(&mut all);
    list_texts(&mut all);
    backups_texts(&mut all);
    server_texts(&mut all);
    league_texts(&mut all);
    owner_texts(&mut all);
    identity_texts(&mut all);
    demo_texts(&mut all);
    config_texts(&mut all);
    value_texts(&mut all);
    client_errors(&mut all);
    server_errors(&mut all);
    database_errors(&mut all);
    act_errors(&mut all);
    other_errors(&mut all);
    insta::with_settings!({
        snapshot_path => "../../tests/snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!("messages", all.0) });
}

/// The texts so far.
#[derive(Default)]
struct Texts(String);

impl Texts {
    fn section(&mut self, title: &str) {
        self.0 += &format!("\n=== {title} ===\n\n");
    }

    fn add(&mut self, text: impl ToString) {
        self.0 += text.to_string().trim_end_matches('\n');
        self.0 += "\n";
    }

    fn all(&mut self, lines: Vec<String>) {
        lines.into_iter().for_each(|line| self.add(line));
    }

    /// Adds a text of several lines, apart from others.
    fn block(&mut self, text: impl ToString) {
        self.0 += "--\n";
        self.add(text);
    }
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text, &Extensions::default()).unwrap()
}

fn set() -> SetName {
    "20261130_083112".parse().unwrap()
}

fn denied() -> io::Error {
    io::Error::from(io::ErrorKind::PermissionDenied)
}

fn files(livery: &str, number: u64) -> Vec<(RelPath, u64)> {
    (0..number).map(|n| (path(&format!("{livery}/{n}.png")), 2_100_000 + n)).collect()
}

/// Returns a file in each of so many liveries.
fn liveries(number: u64) -> Vec<(RelPath, u64)> {
    (0..number).map(|n| (path(&format!("Livery {n:02}/decals.png")), 5_500_000)).collect()
}

fn skipped(path: &str, reason: Reason) -> Skipped {
    Skipped::new(path.to_owned(), reason)
}

fn all_skipped() -> Vec<Skipped> {
    let mut all = vec![
        skipped("Team/setup.exe", Reason::Extension("exe".to_owned())),
        skipped("Team/LICENSE", Reason::Extension(String::new())),
        skipped("#2/decals_0.dds", Reason::Cache(path("#2/decals.png"))),
        skipped("#2/decals_1.dds", Reason::Cache(path("#2/decals.png"))),
        skipped("Placeholder/decals.json", Reason::Placeholder),
        skipped("Placeholder/sponsors.json", Reason::Placeholder),
        skipped("__MACOSX/Team/._decals.png", Reason::MacOs),
        skipped("Team/._decals.png", Reason::MacOs),
        skipped("team/decals.png", Reason::Collision(Collision::Spelling(path("Team/decals.png")))),
        skipped("Team/link.png", Reason::Link),
        skipped("Cloud/decals.png", Reason::Cloud),
        skipped(
            "Team/locked.png",
            Reason::Unreadable("Permission denied (os error 13)".to_owned()),
        ),
        skipped("Many/last.png", Reason::TooMany(50_000)),
        skipped("Unwanted/decals.png", Reason::Ignored),
        skipped("Private/decals.png", Reason::Unshared),
        skipped("Team/huge.png", Reason::TooLarge(200_000_000)),
        skipped("Team/decals.png", Reason::Damaged(Damage::NoEnd)),
    ];
    let wrong = ["Team/what?.png", "Team/evil\u{1b}[2J\u{202e}.png"];
    for text in wrong {
        let fault = RelPath::parse(text, &Extensions::default()).unwrap_err().fault;
        all.push(skipped(text, Reason::Name(fault)));
    }
    all
}

fn client_texts(all: &mut Texts) {
    all.section("client: connection and folder");
    all.add(client::connected("league.example:9239", true));
    all.add(client::connected("league.example:9239", false));
    all.add(client::offline(
        "cannot reach league.example:9239: Connection refused (os error 111)",
        Duration::from_secs(8),
    ));
    all.add(client::ignore_list_fault("R"));
    all.add(client::livery_returns("League Safety Car"));
    share_texts(all);
    all.add(client::held("77 Iris", HoldReason::Approval, None, None));
    all.add(client::held("77 Iris", HoldReason::Freeze, Some("2026-12-05T20:00:00Z"), None));
    all.add(client::held("77 Iris", HoldReason::Freeze, None, None));
    all.add(client::held("77 Iris", HoldReason::Rejected, None, None));
    all.add(client::held("77 Iris", HoldReason::Blocked, None, None));
    all.add(client::held("77 Iris", HoldReason::Damaged, None, None));
    all.add(client::held("77 Iris", HoldReason::MemberLiveries, None, Some(20)));
    all.add(client::held("77 Iris", HoldReason::MemberBytes, None, Some(500_000_000)));
    all.add(client::held("77 Iris", HoldReason::LiveryBytes, None, Some(60_000_000)));
    all.add(client::breaks_rule("77 Iris", Some("77 Iris/decals.png: R. To fix it, F.")));
    all.add(client::breaks_rule("77 Iris", None));
    all.add(client::not_taken("x.png/decals.png", "x.png is a file, so it cannot contain files"));
    for news in [OwnerNews::Conflict, OwnerNews::Changed, OwnerNews::Owned] {
        all.add(client::owner_news("77 Iris", news, Some("Bruno")).unwrap());
        all.add(client::owner_news("77 Iris", news, None).unwrap());
    }
    all.add(client::owner_news("77 Iris", OwnerNews::Disowned, Some("Bruno")).unwrap());
    all.add(client::folder_unreadable("Permission denied (os error 13)"));
    all.add(client::scanned(0, 0, 0, false));
    all.add(client::scanned(1, 2, 5_100_000, false));
    all.add(client::scanned(61, 243, 340_300_000, true));
    all.section("client: skipped files");
    all.all(client::skipped(&all_skipped()[..4], false));
    all.add("-- all of them");
    all.all(client::skipped(&all_skipped(), false));
    all.add("-- with --verbose");
    all.all(client::skipped(&all_skipped(), true));

    all.section("client: files");
    all.add(client::downloading(235, 316_800_000));
    let installed = |file: &str| client::Installed {
        path: path(file),
        bytes: 4_300_000,
        backup: None,
        copied: false,
        kept_as: None,
    };
    let backup = |file: &str| Some(format!(".backup/20261130_083112/{file}"));
    let updated = |file: &str| client::Installed { backup: backup(file), ..installed(file) };
    let copy = "League Safety Car/decals__CONFLICT__14468801.png";
    let copied = client::Installed { copied: true, ..installed(copy) };
    let kept = client::Installed { kept_as: Some(path(copy)), ..updated("Old/decals.png") };
    all.all(client::conflict("League Safety Car", Some("Aoi"), true).into());
    all.all(client::conflict("League Safety Car", None, true).into());
    all.all(client::conflict("League Safety Car", None, false).into());
    let some = [
        installed("Team/decals.png"),
        installed("Team/decals.json"),
        installed("Single/decals.png"),
        updated("Updated/decals.png"),
        updated("Updated/decals.json"),
        copied,
        kept,
    ];
    all.all(client::installed(&some, false));
    let many: Vec<_> = liveries(61).iter().map(|(file, _)| installed(file.as_str())).collect();
    all.all(client::installed(&many, false));
    all.all(client::uploaded(&[files("Team", 4), files("Single", 1)].concat(), false));
    let copies = |files: Vec<(RelPath, u64)>| -> Vec<_> {
        files.into_iter().map(|(file, _)| (file.clone(), backup(file.as_str()).unwrap())).collect()
    };
    all.all(client::retired(&copies(files("WRT_27", 4)), false));
    all.all(client::retired(&copies(files("Old", 1)), false));
    all.add("-- with --verbose");
    all.add(client::transfer(true, Some((4, 8_400_000))));
    all.add(client::transfer(false, None));
    all.all(client::installed(&some, true));
    all.all(client::uploaded(&files("Team", 2), true));
    all.all(client::retired(&copies(files("WRT_27", 2)), true));
    all.add("-- beside the bars");
    all.add(format!("{}  {}", client::DOWNLOADING, client::bar_files(41, 58)));
    all.add(format!("{}  {}", client::UPLOADING, client::bar_files(0, 1)));

    all.section("client: failures while it runs");
    all.add(client::download_failed("P", "R", false));
    all.add(client::download_failed("P", "R", true));
    all.add(client::upload_failed("P", "R"));
    all.add(client::retire_failed(&path("Old/decals.png"), "Permission denied (os error 13)"));
    all.add(client::server_error("R"));
    all.add(client::missed(1));
    all.add(client::missed(7));

    all.section("client: in sync");
    let now = client::InSync {
        liveries: 61,
        files: 243,
        bytes: 340_300_000,
        withheld: 0,
        outstanding: &[],
        certain: true,
    };
    let moved = client::Moved {
        downloaded: (235, 316_800_000),
        uploaded: (0, 0),
        took: Duration::from_secs(1),
    };
    all.add(client::in_sync(now, moved, false));
    all.add(client::in_sync(client::InSync { withheld: 1, ..now }, moved, false));
    all.add(client::in_sync(client::InSync { withheld: 3, ..now }, moved, false));
    all.add(client::in_sync(client::InSync { certain: false, ..now }, moved, false));
    let listed = outstanding();
    let but = client::InSync { withheld: 4, outstanding: &listed, ..now };
    all.block(client::in_sync(but, moved, false));
    all.add(client::in_sync(now, moved, true));

    all.section("client: dry run");
    all.block(client::plan(&plan(), false));
    all.block(client::plan(&plan(), true));
    all.block(client::plan(&Plan::default(), false));
}

fn outstanding() -> Vec<Outstanding> {
    let items = [
        ("77 Iris/decals.png", "77 Iris is a link or not a folder"),
        ("77 Iris/sponsors.png", "77 Iris is a link or not a folder"),
        ("Rose/decals.png", "the folder is not writable"),
    ];
    let item = |(path, reason): (&str, &str)| {
        let (path, reason) = (path.to_owned(), reason.to_owned());
        Outstanding::NotInstallable { path, reason }
    };
    let (path, reason) = ("78 Iris".to_owned(), "waiting for approval".to_owned());
    let held = Outstanding::Held { path, reason };
    let (path, reason) = ("904/decals.png".to_owned(), "the PNG picture is cut off".to_owned());
    items.map(item).into_iter().chain([held, Outstanding::Damaged { path, reason }]).collect()
}

fn open_conflict(yours: ConflictSide, free: bool, other: Option<&str>) -> OpenConflict {
    let copy = if free {
        "Team__CONFLICT__1db147fa/sponsors.png"
    } else {
        "Team/decals__CONFLICT__1db147fa.png"
    };
    let name = if free { "Team/sponsors.png" } else { "Team/decals.png" };
    let sha256 = ContentHash::of(b"copy");
    OpenConflict::new(path(name), path(copy), yours, sha256, free, other.map(str::to_owned))
}

fn plan() -> Plan {
    let mut plan = Plan::default();
    (plan.liveries, plan.files, plan.bytes) = (3, 7, 14_000_000);
    plan.receive = [files("Team", 4), liveries(1)].concat();
    plan.conflicts = vec![(path("B/decals.png"), path("B/decals__CONFLICT__14468801.png"))];
    plan.send = files("Mine", 2);
    plan.refuse = vec![
        ("Ignored/decals.png".to_owned(), "its livery is ignored on this PC".to_owned()),
        ("Wrong/a.exe".to_owned(), "R".to_owned()),
        ("Wrong/b.exe".to_owned(), "R".to_owned()),
    ];
    plan.outstanding = outstanding();
    plan.failed = vec![("Team/0.png".to_owned(), "another program uses the file".to_owned())];
    plan.retire = files("Old", 1);
    plan.unavailable = files("Lost", 2);
    plan.undistributed = files("Not allowed", 1);
    plan.open_conflicts = vec![open_conflict(ConflictSide::Copy, false, None)];
    plan.held = held();
    plan
}

fn held() -> Vec<PlannedHold> {
    let hold = |livery: &str, name: Option<&str>, since: Option<&str>| {
        let mut held = PlannedHold::default();
        held.livery = livery.to_owned();
        (held.name, held.since) = (name.map(str::to_owned), since.map(str::to_owned));
        held.reason = "waiting for approval".to_owned();
        held
    };
    let mut mine = hold("77 Iris", Some("Aoi"), Some("2026-11-30T08:31:12Z"));
    mine.yours = true;
    vec![mine, hold("78 Iris", Some("Bruno"), None), hold("Safety Car", None, None)]
}

fn plan_that(change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = Plan::default();
    change(&mut plan);
    plan
}

fn status_texts(all: &mut Texts) {
    let show =
        |plan: &Plan, running, verbose| status::status(status::Status { running, plan }, verbose);
    all.section("status");
    let listed = plan_that(|plan| {
        (plan.liveries, plan.files, plan.bytes) = (61, 243, 340_300_000);
        plan.outstanding = outstanding();
    });
    all.block(show(&listed, Some(true), false));
    let mut in_sync = plan_that(|plan| {
        (plan.liveries, plan.files, plan.bytes) = (61, 243, 340_300_000);
    });
    all.add(show(&in_sync, Some(true), false));
    all.add(show(&in_sync, Some(false), false));
    all.add(show(&in_sync, None, false));
    all.block(show(&plan_that(|plan| plan.receive = liveries(61)), Some(false), false));
    all.block(show(&plan(), Some(true), false));
    let send = plan_that(|plan| plan.send = files("Mine", 1));
    all.block(show(&send, Some(true), true));
    let conflicts =
        [ConflictSide::Established, ConflictSide::Copy, ConflictSide::Both].into_iter().flat_map(
            |yours| [open_conflict(yours, false, Some("Aoi")), open_conflict(yours, true, None)],
        );
    in_sync.open_conflicts = conflicts.collect();
    all.block(show(&in_sync, Some(true), false));
}

fn scan_texts(all: &mut Texts) {
    all.section("scan");
    let mut manifest = Manifest::new();
    for (file, content) in [("#2/decals.png", "a"), ("#2/decals.json", "{}"), ("Loose/x.png", "x")]
    {
        let content = Content::of(content.as_bytes());
        manifest.insert(Entry { path: path(file), content, mtime: None }).unwrap();
    }
    let mut found = Scan::default();
    (found.manifest, found.skipped) = (manifest, all_skipped());
    let [asks, unmatched] = choices();
    all.block(scan::scan(&found, &[], &scan::Choice::default(), false));
    all.block(scan::scan(&found, &findings()[..1], &unmatched, true));
    all.block(scan::scan(&found, &[], &asks, false));
    all.block(scan::scan(&Scan::default(), &[], &scan::Choice::default(), false));
}

fn backups_texts(all: &mut Texts) {
    all.section("backups");
    let named = |number: usize| -> Vec<_> { (0..number).map(|n| format!("Livery {n}")).collect() };
    let one = |number| BackupSet::new(set(), 0, named(number), 9, 7000);
    all.block(backups::list(&[one(1), one(7)]));
    all.block(backups::list(&[]));
    let left_alone = vec![LeftAlone::new("Lost/readme".to_owned(), "R".to_owned())];
    let file = |now| {
        let sha256 = ContentHash::of(b"paint");
        BackupFile::new("Team/decals.png".to_owned(), 4_300_000, sha256, now)
    };
    let shown =
        [CurrentFile::Same, CurrentFile::Another, CurrentFile::Nothing, CurrentFile::Unreadable]
            .map(file)
            .to_vec();
    all.block(backups::shown(&BackupContents::new(set(), shown, left_alone.clone())));
    let file = |replaced, backup: Option<&str>| {
        let (path, backup) = ("Team/decals.png".to_owned(), backup.map(str::to_owned));
        RestoredFile::new(path, 4_300_000, replaced, backup)
    };
    let restored = |dry_run, restored| {
        let mut done = RestoreReport::new(set(), dry_run);
        done.restored = restored;
        done.moved_away = vec!["Team/decals_0.dds".to_owned()];
        done.same = vec!["Team/decals.json".to_owned()];
        done.failed.clone_from(&left_alone);
        done
    };
    let backup = Some(".backup/20261130_083113/Team/decals.png");
    all.block(backups::restored(&restored(false, vec![file(true, backup), file(false, None)])));
    all.block(backups::restored(&restored(true, vec![file(true, None), file(false, None)])));
    let mut pruned = PruneReport::default();
    pruned.removed = vec![PrunedFile::new(set(), "Team/decals.png".to_owned(), 4_300_000)];
    let sum = |files| FileTotals::new(files, 7000);
    (pruned.last_copies, pruned.fresh, pruned.left) = (sum(1), sum(2), sum(3));
    pruned.left_alone = left_alone;
    all.block(backups::pruned(&pruned));
    pruned.dry_run = true;
    all.block(backups::pruned(&pruned));
}

fn server_texts(all: &mut Texts) {
    all.section("server");
    all.add(server::listening(([127, 0, 0, 1], 9239).into()));
    all.add(server::unprotected());
    all.add(server::joined("Aoi", "192.168.1.20:50123", false));
    all.add(server::joined("A\u{1b}[2J\nB", "192.168.1.20:50123", true));
    all.add(server::left("Aoi", "the connection was closed"));
    all.add(server::manifest("Aoi", 61, 340_300_000));
    all.all(server::left_out("Aoi", &all_skipped()[..2], false));
    let copy = path("League Safety Car/decals__CONFLICT__14468801.png");
    all.add(server::held(Some("Aoi"), "77 Iris"));
    all.add(server::held(None, "77 Iris"));
    all.add(server::conflict("Bruno", &path("League Safety Car/decals.png"), &copy));
    let collision = Refusal::Collision(Collision::Folder);
    all.add(server::refused("Bruno", &path("Team/decals.png"), &collision));
    all.add(server::transferred(Some("Aoi"), None, 3, 1));
    all.add(server::transferred(None, Some("Bruno"), 1, 0));
    let names = ["Team".to_owned(), "Team 2".to_owned()];
    for act in ["withdraw", "rename", "replace"] {
        all.add(server::owner_acted("Aoi", act, &names, 4));
    }
    all.add(server::damaged(Some("Aoi"), &path("Team/decals.png"), "R", true));
    all.add(server::damaged(None, &path("Team/decals.png"), "R", false));
    let finding = &judge(&[LintFile::new("decals.png", 1)], &LintRules::default())[0];
    all.add(server::finding(Some("Aoi"), finding, true));
    all.add(server::finding(None, finding, false));
    all.add(server::owner_changed("Team", Some("Aoi"), "Aoi"));
    all.add(server::owner_changed("Team", None, "Bruno"));
    all.add(server::database_fault("R"));
    all.add(server::allow_list_fault("R"));
    all.add(server::allow_list_unmatched(&["77 Irsi".to_owned(), "\"904\"".to_owned()]));
    let differing =
        [(Setting::ConflictScope, "livery", "file"), (Setting::Updates, "owner", "anyone")];
    all.add(server::settings_differ(differing));
    all.add(server::store_fault("ab12cd34", "R"));
    all.add(server::source_fault("Bruno", "Team/decals.png", &SourceFault::Skipped));
    all.add(server::source_silent("Bruno", 3));
    all.add(server::target_fault("Bruno", &path("Team/decals.png"), "the disk is full", false));
    all.add(server::target_fault("Bruno", &path("Team/decals.png"), "R", true));
    let reasons = [Withheld::NotAllowed, Withheld::NoSource].map(|reason| reason.to_string());
    let withheld: Vec<_> = [("Aoi", 0, "A/a.png"), ("Aoi", 0, "A/b.png"), ("Aoi", 1, "A/a.png")]
        .map(|(who, why, file)| (who.to_owned(), path(file), reasons[why].clone()))
        .into();
    all.all(server::withheld(&withheld, false));
    let many = liveries(12).into_iter();
    let many: Vec<_> =
        many.map(|(file, _)| ("Chloé".to_owned(), file, reasons[0].clone())).collect();
    all.all(server::withheld(&many, false));
    all.add(server::in_sync(24, 61));
    all.add("-- with --verbose");
    all.add(server::transfer(Some("Aoi"), None, 2, 8_400_000));
    all.add(server::transfer(None, Some("Bruno"), 2, 8_400_000));
    all.add(server::transfer(Some("Aoi"), Some("Bruno"), 1, 8_400_000));
    all.all(server::withheld(&withheld, true));

    all.section("server --verify-store");
    all.add(store::progress(1200, 340_300_000));
    all.add(store::damaged(&ContentHash::of(b"whole").to_string(), 7, "its bytes have changed"));
    all.add(store::verified(243, 340_300_000, 0));
    all.add(store::verified(243, 340_300_000, 1));
}

fn demo_texts(all: &mut Texts) {
    all.section("demo");
    let mut add = |text: String| all.add(demo::line(Duration::from_millis(1250), &text));
    add(demo::listening(([127, 0, 0, 1], 9239).into()));
    add(demo::joins("Aoi", 3));
    add(demo::joins("Chloé", 0));
    add(demo::in_sync(&["Aoi".to_owned()], 8));
    add(demo::in_sync(&["Aoi", "Bruno", "Chloé"].map(str::to_owned), 13));
    add(demo::drops("Chloé", "Équipe Chloé été"));
    add(demo::everyone_has_it(Duration::from_millis(900)));
    add(demo::conflict("League Safety Car", "Aoi", "Bruno"));
    let gained = demo::Gained { files: 2, bytes: 8_400, copied: false, backup: None };
    add(demo::gained("Aoi", "League Safety Car", &gained));
    let copied = demo::Gained { files: 1, copied: true, ..gained.clone() };
    add(demo::gained("Bruno", "League Safety Car", &copied));
    let backup = Some(".backup/20261130_083112/League Safety Car/decals.png".to_owned());
    add(demo::gained("Chloé", "League Safety Car", &demo::Gained { files: 1, backup, ..gained }));
    add(demo::trouble("Aoi", Some("Team/decals.png"), "the disk is full"));
    add(demo::trouble("Aoi", None, "the connection was closed"));
    let row = |driver, backups| demo::Row {
        driver,
        liveries: 5,
        files: 13,
        bytes: 221_500,
        conflicts: 1,
        backups,
    };
    all.all(demo::table(&[row("Aoi", 0), row("Bruno", 1), row("Chloé", 0)]));
    all.all(demo::checked(3, 14, Duration::from_millis(2100)).into());
    all.add(demo::kept("/tmp/liverysync-demo-x"));
    let (driver, path) = ("Aoi", "L/d.png".to_owned());
    let faults = [
        demo::Fault::Leftovers { driver, files: 1 },
        demo::Fault::Unknown { driver, path: path.clone() },
        demo::Fault::Missing { driver, path: path.clone(), bytes: 7, hash: "ab12cd34".to_owned() },
        demo::Fault::Date { driver, path },
        demo::Fault::Different { drivers: ["Aoi", "Bruno"] },
    ];
    let faults: Vec<_> = faults.iter().map(demo::fault).collect();
    all.block(error::demo_wrong(&faults));
    let late = [demo::late("Aoi", 13), demo::trouble("Bruno", None, "R")];
    all.block(error::demo_slow(Duration::from_secs(14), &late));
    all.block(error::demo_ended());
    all.block(error::demo_interrupted());
    for what in
        [error::THREADS, error::TEMPORARY_FOLDER, error::CLIENT_FAILED, error::SERVER_FAILED]
    {
        all.block(Problem::of(&*anyhow::Error::new(denied()).context(what)));
    }
    for what in [error::cannot_create, error::cannot_read, error::cannot_remove] {
        let what = what(Path::new("/tmp/x"));
        all.block(Problem::of(&*anyhow::Error::new(denied()).context(what)));
    }
}

fn config_texts(all: &mut Texts) {
    all.section("config file and variables");
    let file = Path::new("league.toml");
    all.block(config::unreadable(file, &denied()));
    let place = config::place("server", "port");
    let kinds =
        [Kind::Flag, Kind::List, Kind::Number, Kind::Path, Kind::Text, Kind::Size, Kind::Speed];
    let string = toml::Value::String("x".to_owned());
    for kind in kinds {
        all.block(config::mistake(file, &place, config::wrong_kind(kind, &string)));
    }
    for found in ["1", "true", "1979-05-27", "[]", "{}"] {
        let found: toml::Table = toml::from_str(&format!("key = {found}")).unwrap();
        let wrong = config::wrong_kind(Kind::Text, &found["key"]);
        all.block(config::mistake(file, &place, wrong));
    }
    let place = config::place("server", "extensions");
    all.block(config::mistake(file, &place, config::LIST_OF_STRINGS));
    all.block(config::outside_of_a_table(file, "port", "server"));
    all.block(config::no_table(file, "sever", Some("server")));
    all.block(config::no_table(file, "x", None));
    for instead in [
        config::Instead::Near("port"),
        config::Instead::Table("server"),
        config::Instead::Any(vec!["host", "port"]),
    ] {
        all.block(config::no_key(file, "client", "prot", instead));
    }
    all.block(config::variable("LIVERYSYNC_PORT", "port", "invalid value 'many'"));
    all.block(error::timeout_needs_an_end());
    let limits = Limits::new(Some(500_000), None);
    all.block(config::limits_changed(file, limits));
    all.add(config::nothing_to_apply(file));
    all.add(config::not_applied(&config::unreadable(file, &denied()).in_a_line()));
}

fn value_texts(all: &mut Texts) {
    all.section("values of options");
    for text in [
        values::EMPTY_LIST,
        values::NOT_ZERO,
        values::NOT_ZERO_SPEED,
        values::SIZE,
        values::SPEED,
        values::TOO_LARGE,
        values::SECONDS,
        values::SECONDS_RANGE,
        values::COUNT,
    ] {
        all.add(text);
    }
    all.add(values::bytes_or_bits("Mb"));
    all.add(values::too_slow(Limits::MIN));
}
