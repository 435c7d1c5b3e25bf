//! Failures of commands, with their causes and hints.

use std::{fmt, io, path::Path, time::Duration};

use liverysync::{
    ClientError, FolderNotFound, LiveryListError, OtherIdentity, ScanError, ServerError,
    StoreError, SyncError, Unfinished,
    backups::{BackupsError, SetName},
    escape,
    league::{ActError, DatabaseError, LeagueError},
};

use super::{
    Problem,
    words::{LIST_ENCODING, count, cut, date, duration, files, reason},
};
use crate::seal::SealFault;

const REACH_HINT: &str = "check --host and --port, and whether the league's server is running";

/// Reports that the game's folder was not found; `command` is the one to add a folder to.
pub(crate) fn no_game(error: &FolderNotFound, command: &str) -> Problem {
    let problem = Problem::new("could not find the game's liveries folder");
    let problem = match error.tried.as_slice() {
        [] => problem.cause("the system reports no documents folder"),
        places => places
            .iter()
            .fold(problem, |problem, place| problem.detail(format!("looked in: {}", show(place)))),
    };
    problem.hint(format!("start the game once, or name the folder: liverysync {command}"))
}

fn show(path: &Path) -> String {
    escape(&path.display().to_string()).into_owned()
}

pub(crate) fn timeout_needs_an_end() -> Problem {
    Problem::new("--timeout needs --once or --dry-run")
        .hint("add --once, or remove --timeout: without --once the client keeps trying")
}

pub(crate) fn one_direction() -> Problem {
    Problem::new("--receive-only and --send-only exclude each other")
        .hint("remove one of them, here, in the config file or in the variables")
}

pub(crate) fn no_league_yet() -> Problem {
    Problem::new("this folder has not been in a league yet")
        .hint("name the league's server: --host HOST --port PORT")
}

pub(crate) fn interrupted() -> Problem {
    Problem::new("interrupted before this PC was in sync")
        .hint("nothing is lost; start it again to continue")
}

pub(crate) fn stopped_at_once() -> Problem {
    Problem::new("stopped at once").hint("unfinished files are cleaned up at the next start")
}

pub(crate) fn client(error: &ClientError) -> Problem {
    match error {
        ClientError::Folder { path, source } => Problem::new(format!(
            "the liveries folder {} cannot be used",
            show(path)
        ))
        .cause(source)
        .hint("check --liveries: the folder must exist, and you must be allowed to write to it"),
        ClientError::Busy { path } => {
            Problem::new(format!("another liverysync client already syncs {}", show(path)))
                .hint("stop the other client first")
        }
        ClientError::Identity { path, source } => identity(path, source),
        ClientError::List(error) => livery_list(error),
        other => Problem::of(other),
    }
}

/// Reports that the client did not get in sync.
pub(crate) fn sync(error: &SyncError) -> Problem {
    match error {
        SyncError::Unreachable { server, reason } => unreachable(server, reason),
        SyncError::ConnectionLost { server, reason } => {
            Problem::new(format!("the connection to {} keeps breaking", escape(server)))
                .cause(reason)
                .hint("the server's log may say more")
        }
        SyncError::Folder { folder, reason } => {
            Problem::new(format!("cannot read the liveries folder {}", escape(folder)))
                .cause(reason)
                .hint("check --liveries and the folder's permissions")
        }
        SyncError::TimedOut { after, unfinished, file_errors } => {
            let problem = Problem::new(format!("not in sync after {}", duration(*after)));
            let problem = problem.cause(left_to_do(unfinished));
            let server = file_errors.server.as_ref().map(|why| ("the server", why));
            let files = file_errors.files.iter().map(|(file, why)| (file.as_str(), why));
            let lines = server
                .into_iter()
                .chain(files)
                .map(|(file, why)| format!("cause: {}: {}", escape(file), reason(why)));
            cut(lines.collect())
                .into_iter()
                .fold(problem, Problem::detail)
                .hint("the files that have arrived stay; start it again to continue, or give it more time")
        }
        other => Problem::of(other),
    }
}

fn unreachable(server: &str, why: &str) -> Problem {
    // A server that answered is there: its own words say it all.
    match why.strip_prefix("cannot reach ") {
        Some(_) => Problem::new(format!("no connection to {}", escape(server)))
            .cause(without(why, server))
            .hint(REACH_HINT),
        None => Problem::new(format!("no connection to {}", escape(server))).cause(why),
    }
}

/// Removes `cannot reach SERVER: ` where the line above has the address already.
fn without(why: &str, server: &str) -> String {
    why.strip_prefix(&format!("cannot reach {server}: ")).unwrap_or(why).to_owned()
}

/// Describes the work that is left when time is up.
fn left_to_do(unfinished: &Unfinished) -> String {
    match unfinished {
        Unfinished::Unreachable { server, reason: Some(why) } => {
            format!("no connection to {server}: {}", without(why, server))
        }
        Unfinished::Unreachable { server, reason: None } => format!("no connection to {server}"),
        Unfinished::Unknown { server } => {
            format!("{server} did not say what is missing on this PC")
        }
        &Unfinished::Behind { missing, missing_bytes, needed_by_others } => {
            let download = format!("{} still to download", files(missing, missing_bytes));
            let upload = format!("{} still to upload", count(needed_by_others, "file"));
            match (missing, needed_by_others) {
                (_, 0) => download,
                (0, _) => upload,
                _ => format!("{download}, {upload}"),
            }
        }
        other => other.to_string(),
    }
}

/// Reports that the server did not answer in time.
pub(crate) fn no_reply(server: &str, after: Duration) -> Problem {
    Problem::new(format!("no reply from {} within {}", escape(server), duration(after)))
        .hint("try again, or give it more time: --timeout SECONDS")
}

pub(crate) fn server(error: &ServerError) -> Problem {
    match error {
        ServerError::OwnersNeedData => Problem::new("--updates owner needs a data folder")
            .cause("without one, the server forgets who owns what when it stops")
            .hint("add --data DIR, or leave out --updates owner"),
        ServerError::Bind { address, source } => {
            Problem::new(format!("cannot listen at {address}")).cause(source).hint(
                "another program may use this port: choose one with --port, or 0 for any free one; --host must be an \
                 address of this machine",
            )
        }
        ServerError::Store(error @ StoreError::Folder { .. }) => {
            store(error).hint("choose another one with --data")
        }
        ServerError::Store(error) => store(error),
        ServerError::AllowList { path, source } => {
            Problem::new(format!("cannot read the allow list {}", show(path)))
                .cause(source)
                .hint("give a text file in UTF-8 with --allow-list, or leave it out to allow all liveries")
        }
        ServerError::Database(error) => database(error),
        other => Problem::of(other),
    }
}

fn data_folder(path: &Path, reason: &dyn fmt::Display) -> Problem {
    Problem::new(format!("cannot use the data folder {}", show(path))).cause(reason)
}

pub(crate) fn server_ended() -> Problem {
    Problem::new("the server has stopped by itself").hint("its log may say why")
}

/// Reports that the league's database cannot be used.
fn database(error: &DatabaseError) -> Problem {
    let problem = |what: &str, path: &Path| {
        Problem::new(format!("the league database {} {what}", show(path)))
    };
    match error {
        DatabaseError::Missing { path } => {
            let folder = path.parent().unwrap_or(path);
            Problem::new(format!("there is no league in {}", show(folder)))
                .cause(format!("{} is missing", show(path)))
                .hint(format!(
                    "check --data, or start a server there once: liverysync server --data {}",
                    show(folder)
                ))
        }
        DatabaseError::Damaged { path, source } => problem("is damaged", path).cause(source).hint(
            "stop the server and run `liverysync league rebuild`: it keeps the damaged file, and the liveries in the \
             store are not touched",
        ),
        DatabaseError::Newer { path, .. } => problem("was written by a newer liverysync", path)
            .hint("install that version on this machine"),
        DatabaseError::Older { path, .. } => problem("was written by an older liverysync", path)
            .hint("start the server once; it updates the database"),
        DatabaseError::Name { path, name, reason, .. } => {
            problem(&format!("has the name {}, which is not allowed", quote(name)), path)
                .cause(reason)
                .hint(
                    "stop the server and run `liverysync league rebuild`: it keeps the old file and continues without \
                     that name",
                )
        }
        DatabaseError::Locked { path } => problem("is locked by another program", path)
            .hint("close the program that has it open, and try again"),
        DatabaseError::Busy { path } => {
            Problem::new(format!("a liverysync server uses {}", show(path)))
                .hint("stop the server and try again")
        }
        DatabaseError::Full { path } => problem("cannot be written", path)
            .cause("the disk is full")
            .hint("make room and try again; nothing was changed"),
        DatabaseError::ReadOnly { path } => problem("cannot be written", path)
            .cause("it is read-only")
            .hint("let this user write the file and its folder"),
        DatabaseError::TooLarge { path, number } => problem("cannot be written", path)
            .cause(format!("the number {number} is too large for it")),
        DatabaseError::Failed { path, source } => problem("cannot be used", path).cause(source),
        other => Problem::of(other),
    }
}

pub(crate) fn no_data() -> Problem {
    Problem::new("--data is missing")
        .hint("add --data DIR with the folder that the server was started with")
}

pub(crate) fn no_league(data: &Path) -> Problem {
    Problem::new(format!("there is no league in {}", show(data)))
        .hint("check --data: it is the folder that the server was started with")
}

pub(crate) fn league(error: &LeagueError) -> Problem {
    match error {
        LeagueError::Database(error) => database(error),
        LeagueError::Refused(error) => act(error),
        LeagueError::Silent { data, after } => {
            let (data, after) = (show(data), duration(*after));
            Problem::new(format!("the server that uses {data} did not answer within {after}"))
                .cause("the request was withdrawn")
                .hint("try again; if it still does not answer, stop the server and try once more")
        }
        LeagueError::Folder { path, source } => data_folder(path, source),
        LeagueError::Exists { data } => {
            Problem::new(format!("{} already has a league", show(data)))
                .hint("choose another folder, or start its server: liverysync server --data DIR")
        }
        LeagueError::NoMember { name } => {
            Problem::new(format!("the league has no member {}", quote(name)))
                .hint("list them: liverysync league members")
        }
        LeagueError::SeveralMembers { name, members } => {
            let members: Vec<_> = members.iter().map(ToString::to_string).collect();
            Problem::new(format!("several members are called {}", quote(name)))
                .cause(members.join(", "))
                .hint("give the digits of the one you mean; liverysync league members tells them apart")
        }
        LeagueError::SeveralContents { path, name } => {
            Problem::new(format!("{} brought several contents of {}", quote(name), quote(path)))
                .hint("give the digits of the one you mean: liverysync league conflicts")
        }
        other => Problem::of(other),
    }
}

pub(crate) fn no_glob(glob: &str) -> Problem {
    Problem::new(format!("{} cannot be a livery", quote(glob)))
        .hint("give the name of a folder; * matches any characters, ? matches one")
}

pub(crate) fn not_frozen(glob: &str) -> Problem {
    Problem::new(format!("there is no freeze of {}", quote(glob)))
        .hint("list the freezes: liverysync league show")
}

pub(crate) fn freeze_is_over(until: &str) -> Problem {
    Problem::new(format!("{} is in the past", date(until))).hint("give a later time")
}

/// Reports a change of the league that is refused.
pub(super) fn act(error: &ActError) -> Problem {
    let (liveries, conflicts) = ("liverysync league liveries", "liverysync league conflicts");
    let history =
        |livery: &str| format!("list its versions: liverysync league history {}", quote(livery));
    match error {
        ActError::NoLivery { livery } => {
            Problem::new(format!("the league has no livery {}", quote(livery)))
                .hint(format!("list them: {liveries}"))
        }
        ActError::NoFile { path } => {
            Problem::new(format!("the league has no file {}", quote(path)))
                .hint(format!("list the names in conflict: {conflicts}"))
        }
        ActError::NoContent { path, hash } => {
            Problem::new(format!("no content of {} begins with {}", quote(path), quote(hash)))
                .hint(format!("list its contents: {conflicts}"))
        }
        ActError::NoVersion { livery, version } => {
            Problem::new(format!("{} has no version {}", quote(livery), quote(version)))
                .hint(history(livery))
        }
        ActError::NotRetired { livery } => {
            Problem::new(format!("{} is not retired", quote(livery)))
                .cause("without a version, only a retired livery can be restored")
                .hint(format!("add --version HASH; {}", history(livery)))
        }
        ActError::SeveralLiveries { path, folders } => {
            let folders: Vec<_> = folders.iter().map(|folder| escape(folder)).collect();
            Problem::new(format!("several liveries have this content of {}", quote(path)))
                .cause(format!("{} have it", folders.join(", ")))
                .hint("name a file that differs between them")
        }
        ActError::Ambiguous { digits } => {
            Problem::new(format!("several versions begin with {}", quote(digits)))
                .hint("give more digits")
        }
        ActError::NotSent { path } => {
            Problem::new(format!("the server does not have {} yet", quote(path)))
                .hint("try again once its owner has uploaded it")
        }
        ActError::NotHeld { livery } => {
            Problem::new(format!("nothing of {} is waiting", quote(livery)))
                .hint("list what is waiting: liverysync league held")
        }
        ActError::NotBanned { member } => {
            Problem::new(format!("the member {member} is not banned"))
                .hint("list the members: liverysync league members")
        }
        ActError::UnknownContent { content } => {
            Problem::new(format!("the league has no file and no content {}", quote(content)))
                .hint("name a file such as Team/decals.png, or more digits of its SHA-256")
        }
        ActError::NotBlocked { content } => {
            Problem::new(format!("no blocked content begins with {}", quote(content)))
                .hint("list the blocked contents: liverysync league status")
        }
        ActError::Blocked { path } => {
            Problem::new(format!("the content of {} is blocked", quote(path)))
                .hint("end the block first: liverysync league unblock HASH")
        }
        ActError::Frozen { livery } => Problem::new(format!("{} is frozen", quote(livery)))
            .cause("nothing changes it until the freeze ends")
            .hint("end the freeze first: liverysync league unfreeze"),
        ActError::InvalidName { name, fault } => {
            Problem::new(format!("{} cannot be the new name", quote(name))).cause(fault)
        }
        ActError::Unconfirmed { retired, all } => {
            Problem::new(format!("this would retire {retired} of {all} liveries"))
                .hint("pass --yes to confirm")
        }
        ActError::TooMany => Problem::new("you have made too many changes within a minute")
            .hint("try again in a minute"),
        ActError::Unsupported => Problem::new(
            "the running server has a different version and does not know this request",
        )
        .hint("use the same version as the server"),
        ActError::Other { text } => Problem::new(reason(text)),
        other => Problem::of(other),
    }
}

/// Reports a change of a driver's own livery that is refused.
pub(crate) fn owner_act(error: &ActError) -> Problem {
    match error {
        ActError::NoLivery { livery } => {
            Problem::new(format!("the league has no livery {}", quote(livery)))
                .hint("a new livery is in the league once its PC is in sync: liverysync status")
        }
        ActError::NoFile { path } => {
            Problem::new(format!("the league has no file {}", quote(path)))
        }
        ActError::NotOwner { livery, owners } if owners.is_empty() => {
            Problem::new(format!("nobody owns {} yet", quote(livery)))
                .hint("the first member who edits it owns it; or ask the league's admin")
        }
        ActError::NotOwner { livery, owners } => {
            let owners: Vec<_> = owners.iter().map(|owner| escape(owner)).collect();
            Problem::new(format!("{} belongs to {}", quote(livery), owners.join(", ")))
                .hint("ask them, or the league's admin")
        }
        other => act(other),
    }
}

/// Reports that a driver's change did not reach the server.
pub(crate) fn unreachable_server(server: &str, why: &std::io::Error) -> Problem {
    unreachable(server, &why.to_string())
}

fn quote(text: &str) -> String {
    format!("\"{}\"", escape(text))
}

pub(crate) fn no_store_named() -> Problem {
    Problem::new("--verify-store needs --data")
        .hint("add --data DIR with the folder that the server was started with")
}

pub(crate) fn no_store(data: &Path) -> Problem {
    Problem::new(format!("there is no store in {}", show(data)))
        .hint("check --data: it is the folder that the server was started with")
}

pub(crate) fn store(error: &StoreError) -> Problem {
    match error {
        StoreError::Busy { path } => {
            Problem::new(format!("another liverysync server already uses {}", show(path)))
                .hint("stop that server first; a running server checks its store by itself")
        }
        StoreError::Folder { path, source } => data_folder(path, source),
        other => Problem::of(other),
    }
}

pub(crate) fn store_damaged(number: u64, data: &Path) -> Problem {
    let verb = if number == 1 { "was" } else { "were" };
    Problem::new(format!("{} in {} {verb} damaged or unreadable", count(number, "file"), show(data)))
        .hint("damaged files are removed, unreadable ones stay; the server asks the drivers for what is gone")
}

pub(crate) fn scan(error: &ScanError) -> Problem {
    Problem::new(format!("cannot read the folder {}", show(&error.path)))
        .cause(&error.source)
        .hint("give a folder that exists and can be read")
}

pub(crate) fn prune_needs_a_bound() -> Problem {
    Problem::new("`backups prune` needs to know how much to keep")
        .hint("add --keep-days N, --keep-bytes SIZE, or both")
}

pub(crate) fn not_restored(number: u64, set: &SetName) -> Problem {
    let verb = if number == 1 { "was" } else { "were" };
    Problem::new(format!("{} of {set} {verb} not restored", count(number, "file")))
        .hint("the current files are unchanged; name the liveries or files to restore")
}

pub(crate) fn backups(error: &BackupsError) -> Problem {
    match error {
        BackupsError::NoSet(set) => Problem::new(format!("there is no backup set {set}"))
            .hint("list the sets: liverysync backups list"),
        BackupsError::NoMatch { set, name } => {
            Problem::new(format!("the backup set {set} has nothing called {}", quote(name)))
                .hint(format!("list its files: liverysync backups show {set}"))
        }
        BackupsError::Unreadable { path, source } => {
            Problem::new(format!("cannot read the folder {}", show(path)))
                .cause(source)
                .hint("give a folder that exists and can be read")
        }
        other => Problem::of(other),
    }
}

pub(crate) fn livery_list(error: &LiveryListError) -> Problem {
    match error {
        LiveryListError::Glob { glob, reason } => {
            Problem::new(format!("{} names no livery", quote(glob))).cause(reason)
        }
        LiveryListError::File { path, source } => {
            Problem::new(format!("cannot use the list of liveries {}", show(path)))
                .cause(source)
                .hint(LIST_ENCODING)
        }
        other => Problem::of(other),
    }
}

pub(crate) fn no_state_folder() -> Problem {
    Problem::new("the system reports no folder for application data")
        .hint("name one: --state DIR, here and for `liverysync client`")
}

pub(crate) fn no_config_folder() -> Problem {
    Problem::new("the system reports no folder for settings")
        .hint("name the file: --identity FILE, here and for `liverysync client`")
}

/// Reports that the identity file cannot be used.
pub(crate) fn identity(path: &Path, source: &io::Error) -> Problem {
    use io::ErrorKind::{
        InvalidData, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let hint = match source.kind() {
        StorageFull | QuotaExceeded => "free some space on that disk, and start again",
        PermissionDenied | ReadOnlyFilesystem => "let this user write to the file and its folder",
        InvalidData => {
            "restore the file from a backup, or import your identity: liverysync identity import FILE"
        }
        _ => "check that disk, or name another file: --identity FILE",
    };
    Problem::new(format!("cannot use the identity file {}", show(path))).cause(source).hint(hint)
}

pub(crate) fn no_identity(path: &Path) -> Problem {
    Problem::new(format!("you have no identity yet: {} does not exist", show(path)))
        .hint("the client makes one when it starts: liverysync client")
}

pub(crate) fn other_identity(other: &OtherIdentity) -> Problem {
    Problem::of(other)
        .hint("pass --replace to be the imported member from now on; the present key is kept as a former one")
}

pub(crate) fn file_exists(path: &Path) -> Problem {
    Problem::new(format!("{} already exists", show(path))).hint("name another file")
}

pub(crate) fn cannot_export(path: &Path, source: &io::Error) -> Problem {
    Problem::new(format!("cannot write {}", show(path))).cause(source)
}

pub(crate) fn cannot_import(path: &Path, source: &impl fmt::Display) -> Problem {
    Problem::new(format!("cannot import {}", show(path))).cause(source)
}

/// Reports that an exported identity cannot be decrypted.
pub(crate) fn seal(path: &Path, fault: SealFault) -> Problem {
    let problem = Problem::new(format!("cannot import {}", show(path)));
    match fault {
        SealFault::NotSealed => problem
            .cause("it is not an exported identity")
            .hint("write one on the other PC: liverysync identity export FILE"),
        SealFault::Newer => problem.cause("a newer liverysync wrote it").hint("update liverysync"),
        SealFault::Wrong => problem.cause("the passphrase is wrong, or the file is damaged"),
    }
}

pub(crate) fn no_passphrase(source: &io::Error) -> Problem {
    Problem::new("cannot read the passphrase").cause(source)
}

pub(crate) fn passphrases_differ() -> Problem {
    Problem::new("the two passphrases differ")
}

pub(crate) fn short_passphrase(least: usize) -> Problem {
    Problem::new(format!("the passphrase needs at least {least} characters"))
        .hint("several words are easy to remember and hard to guess")
}

pub(crate) const THREADS: &str = "cannot start the program's threads";

pub(crate) const TEMPORARY_FOLDER: &str = "cannot create a temporary folder";

pub(crate) const CLIENT_FAILED: &str = "a client has failed";

pub(crate) const SERVER_FAILED: &str = "the server has failed";

pub(crate) fn cannot_create(path: &Path) -> String {
    format!("cannot create {}", show(path))
}

pub(crate) fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", show(path))
}

pub(crate) fn cannot_remove(path: &Path) -> String {
    format!("cannot remove {}", show(path))
}

pub(crate) fn demo_interrupted() -> Problem {
    Problem::new("interrupted")
}

pub(crate) fn demo_wrong(faults: &[String]) -> Problem {
    cut(faults.to_vec())
        .into_iter()
        .fold(Problem::new("the demo did not end as expected"), Problem::detail)
        .hint("this is a bug in liverysync; please report it with these lines")
}

pub(crate) fn demo_slow(after: Duration, late: &[String]) -> Problem {
    cut(late.to_vec())
        .into_iter()
        .fold(Problem::new(format!("not done after {}", duration(after))), Problem::detail)
        .hint("a firewall may block connections to 127.0.0.1, or this PC is very busy")
}

pub(crate) fn demo_ended() -> Problem {
    Problem::new("the server and all clients have stopped")
}
