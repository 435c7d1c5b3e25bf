//! The texts of errors.

use std::{io, path::Path, time::Duration};

use liverysync::{
    ClientError, FileErrors, FolderNotFound, LiveryGlobs, LiveryListError, ScanError, ServerError,
    StoreError, SyncError, Unfinished,
    backups::BackupsError,
    league::{ActError, DatabaseError, LeagueError},
};
use liverysync_core::league::NameFault;

use super::{Texts, denied, error, leagues::member, set};

pub(super) fn client_errors(all: &mut Texts) {
    all.section("errors: client and status");
    let none = FolderNotFound::new(vec![]);
    all.block(error::no_game(&none, "client --liveries DIR"));
    let tried = ["/home/aoi/Documents/Customs/Liveries", "/mnt/Customs/Liveries"];
    let tried = tried.map(Into::into).to_vec();
    all.block(error::no_game(&FolderNotFound::new(tried), "scan DIR"));
    let reason = || "Permission denied (os error 13)".to_owned();
    for error in [
        ClientError::Folder { path: "L".into(), source: denied() },
        ClientError::Busy { path: "L".into() },
        ClientError::Identity { path: "identity.json".into(), source: denied() },
        ClientError::State { path: "state".into(), source: denied() },
        ClientError::List(LiveryListError::File { path: "x.ignore".into(), source: denied() }),
        ClientError::System(denied()),
        ClientError::NoRuntime,
    ] {
        all.block(error::client(&error));
    }
    let server = || "league.example:9239".to_owned();
    let refused = || format!("cannot reach {}: Connection refused (os error 111)", server());
    for error in [
        SyncError::Stopped,
        SyncError::Unreachable { server: server(), reason: refused() },
        SyncError::Unreachable { server: server(), reason: "this server is full".to_owned() },
        SyncError::ConnectionLost { server: server(), reason: reason() },
        SyncError::Folder { folder: "L".to_owned(), reason: reason() },
    ] {
        all.block(error::sync(&error));
    }
    let behind = |missing, needed_by_others| Unfinished::Behind {
        missing,
        missing_bytes: missing * 2_000_000,
        needed_by_others,
    };
    let file_errors = |number| {
        let file = |n| (format!("Team/{n:02}.png"), "the disk is full".to_owned());
        let mut errors = FileErrors::default();
        errors.files = (0..number).map(file).collect();
        errors
    };
    for (unfinished, number) in [
        (Unfinished::Unreachable { server: server(), reason: Some(refused()) }, 0),
        (Unfinished::Unreachable { server: server(), reason: None }, 0),
        (Unfinished::Unknown { server: server() }, 0),
        (behind(3, 0), 2),
        (behind(0, 1), 0),
        (behind(61, 4), 61),
    ] {
        let (after, file_errors) = (Duration::from_secs(3), file_errors(number));
        all.block(error::sync(&SyncError::TimedOut { after, unfinished, file_errors }));
    }
    all.block(error::no_reply("H", Duration::from_secs(30)));
    all.block(error::interrupted());
    all.block(error::stopped_at_once());
}

pub(super) fn server_errors(all: &mut Texts) {
    all.section("errors: server");
    let address = "0.0.0.0:9239".to_owned();
    for error in [
        ServerError::Bind { address, source: io::Error::from(io::ErrorKind::AddrInUse) },
        ServerError::Store(StoreError::Folder { path: "data".into(), source: denied() }),
        ServerError::OwnersNeedData,
        ServerError::AllowList { path: "list.txt".into(), source: denied() },
        ServerError::Database(DatabaseError::Full { path: "data/league.db".into() }),
    ] {
        all.block(error::server(&error));
    }
    all.block(error::server_ended());
    all.block(error::no_store_named());
    all.block(error::no_store(Path::new("data")));
    all.block(error::store_damaged(1, Path::new("data")));
    all.block(error::store_damaged(2, Path::new("data")));
    for error in [
        StoreError::Busy { path: "data".into() },
        StoreError::Folder { path: "data".into(), source: denied() },
        StoreError::Threads(denied()),
    ] {
        all.block(error::store(&error));
    }
}

pub(super) fn database_errors(all: &mut Texts) {
    all.section("errors: league database");
    let path = || "data/league.db".into();
    let reason = || "R".to_owned();
    for error in [
        DatabaseError::Missing { path: path() },
        DatabaseError::Damaged { path: path(), source: reason().into() },
        DatabaseError::Newer { path: path(), found: 7, known: 6 },
        DatabaseError::Older { path: path(), found: 5, known: 6 },
        DatabaseError::Name { path: path(), table: "t", name: "a?b".to_owned(), reason: reason() },
        DatabaseError::Locked { path: path() },
        DatabaseError::Busy { path: "data".into() },
        DatabaseError::Full { path: path() },
        DatabaseError::ReadOnly { path: path() },
        DatabaseError::TooLarge { path: path(), number: u64::MAX },
        DatabaseError::Failed { path: path(), source: denied() },
    ] {
        all.block(error::league(&LeagueError::Database(error)));
    }
    let after = Duration::from_secs(10);
    all.block(error::league(&LeagueError::Silent { data: "data".into(), after }));
    all.block(error::league(&LeagueError::Folder { path: "data".into(), source: denied() }));
    all.block(error::league(&LeagueError::Exists { data: "data".into() }));
    let name = || "Bruno".to_owned();
    all.block(error::league(&LeagueError::NoMember { name: name() }));
    let members = vec![member("00000000000000a0"), member("00000000000000b0")];
    all.block(error::league(&LeagueError::SeveralMembers { name: name(), members }));
    let path = "Team/decals.png".to_owned();
    all.block(error::league(&LeagueError::SeveralContents { path, name: name() }));
    all.block(error::no_data());
    all.block(error::no_glob("a/b"));
    all.block(error::not_frozen("WRT*"));
    all.block(error::freeze_is_over("2026-11-30T08:31:12Z"));
    all.block(error::no_league(Path::new("data")));
}

pub(super) fn act_errors(all: &mut Texts) {
    all.section("errors: changes of the league");
    let team = || "Team".to_owned();
    let file = || "Team/decals.png".to_owned();
    let fault = NameFault::Taken;
    for error in [
        ActError::NoLivery { livery: team() },
        ActError::NoFile { path: file() },
        ActError::NoContent { path: file(), hash: "1a2b".to_owned() },
        ActError::NoVersion { livery: team(), version: "1a2b".to_owned() },
        ActError::NotRetired { livery: team() },
        ActError::SeveralLiveries { path: file(), folders: vec!["A".to_owned(), "B".to_owned()] },
        ActError::Ambiguous { digits: "1a2b".to_owned() },
        ActError::NotSent { path: file() },
        ActError::NotHeld { livery: team() },
        ActError::NotBanned { member: "00ff00ff00ff00ff".parse().unwrap() },
        ActError::UnknownContent { content: "00ff".to_owned() },
        ActError::NotBlocked { content: "00ff".to_owned() },
        ActError::Blocked { path: "Team/decals.png".to_owned() },
        ActError::Frozen { livery: team() },
        ActError::InvalidName { name: "Team".to_owned(), fault },
        ActError::Unconfirmed { retired: 4, all: 5 },
        ActError::NotOwner { livery: team(), owners: vec!["Aoi".to_owned()] },
        ActError::NotOwner { livery: team(), owners: vec![] },
        ActError::AdminOnly,
        ActError::TooMany,
        ActError::Unsupported,
        ActError::Other { text: "R".to_owned() },
    ] {
        all.block(error::act(&error));
        all.block(error::owner_act(&error));
    }
}

pub(super) fn other_errors(all: &mut Texts) {
    all.section("errors: scan, backups, ignore");
    all.block(error::scan(&ScanError::new("L".into(), denied())));
    all.block(error::prune_needs_a_bound());
    all.block(error::not_restored(1, &set()));
    all.block(error::not_restored(2, &set()));
    for error in [
        BackupsError::NoSet(set()),
        BackupsError::NoMatch { set: set(), name: "Nobody".to_owned() },
        BackupsError::Unreadable { path: "L/.backup".into(), source: denied() },
    ] {
        all.block(error::backups(&error));
    }
    let glob = "a/b".to_owned();
    let reason = LiveryGlobs::line("a/b").unwrap_err();
    all.block(error::livery_list(&LiveryListError::Glob { glob, reason }));
    all.block(error::livery_list(&LiveryListError::File {
        path: "x.ignore".into(),
        source: denied(),
    }));
    all.block(error::no_state_folder());
}
