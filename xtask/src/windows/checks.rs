//! Checks of the Windows program under Wine, beside the Linux program.
//!
//! Wine is not Windows: they prove nothing about rights, junctions, virus scanners and power cuts.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::{Deserializer, Value};
use tempfile::TempDir;
use xtask::process::{Program, isolate, poll};

use crate::folder::{Content, Folder};
use crate::windows::wine::Wine;

/// A named check.
type Check = (&'static str, fn(&Lab) -> Result<()>);

pub(crate) const CHECKS: &[Check] = &[
    ("help_is_printed", help_is_printed),
    ("scan_gives_the_manifest_hash_of_linux", scan_gives_the_manifest_hash_of_linux),
    ("the_games_folder_is_found_by_itself", the_games_folder_is_found_by_itself),
    ("both_sides_hold_the_union_after_a_sync", both_sides_hold_the_union_after_a_sync),
];

/// The time limit of a short program.
const SHORT: Duration = Duration::from_secs(60);

/// The time limit of a sync. The program's own `--timeout` is shorter, so it ends and says why.
const SYNC: Duration = Duration::from_secs(90);
const SYNC_TIMEOUT: &str = "--timeout=60";

/// The manifest hash of an empty folder: SHA-256 of `[]`.
const EMPTY: &str = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945";

/// The modification times of the files, in UNIX seconds.
const OLDER: u64 = 1_600_000_000;
const NEWER: u64 = 1_700_000_000;

/// The size of a file of three chunks of 256 KiB; the last one is not full.
const THREE_CHUNKS: usize = 600_001;

/// Both programs, and a folder to run them in.
#[derive(Debug)]
pub(crate) struct Lab {
    // Dropped in this order: Wine has to end before its folder is removed.
    wine: Wine,
    linux_program: PathBuf,
    windows_program: PathBuf,
    folder: TempDir,
}

impl Lab {
    pub(crate) fn new(
        folder: TempDir,
        linux_program: PathBuf,
        windows_program: PathBuf,
    ) -> Result<Self> {
        let home = folder.path().join("home");
        fs::create_dir(&home)?;
        let wine = Wine::start(home, folder.path())?;
        Ok(Self { wine, linux_program, windows_program, folder })
    }

    fn linux(&self) -> Command {
        let mut command = Command::new(&self.linux_program);
        isolate(&mut command, &self.folder.path().join("home"));
        command
    }

    fn windows(&self) -> Command {
        self.wine.program(&self.windows_program)
    }

    /// Makes a folder for one check.
    fn room(&self, name: &str) -> Result<PathBuf> {
        let room = self.folder.path().join(name);
        fs::create_dir(&room)?;
        Ok(room)
    }
}

fn help_is_printed(lab: &Lab) -> Result<()> {
    let room = lab.room("help")?;
    let mut command = lab.windows();
    command.arg("--help");
    let text = Program::start("help", command, &room)?.finish(SHORT)?;
    for word in ["Usage", "server", "client", "scan"] {
        ensure!(text.contains(word), "the help does not say {word:?}:\n{text}");
    }
    Ok(())
}

fn scan_gives_the_manifest_hash_of_linux(lab: &Lab) -> Result<()> {
    let room = lab.room("scan")?;
    let liveries = room.join("liveries");
    linux_liveries().with(windows_liveries()).write(&liveries)?;

    let mut command = lab.linux();
    command.args(["scan", "--json"]).arg(&liveries);
    let linux = manifest_hash(&Program::start("scan-linux", command, &room)?.finish(SHORT)?)?;
    let mut command = lab.windows();
    command.args(["scan", "--json"]).arg(Wine::path(&liveries));
    let windows = manifest_hash(&Program::start("scan-windows", command, &room)?.finish(SHORT)?)?;

    ensure!(linux != EMPTY, "the Linux program has found no file");
    ensure!(windows == linux, "the Windows program says {windows}, the Linux program {linux}");
    Ok(())
}

/// The game's folder, below the documents folder that Windows names.
const GAME_FOLDER: &str = "Assetto Corsa Competizione\\Customs\\Liveries";

fn the_games_folder_is_found_by_itself(lab: &Lab) -> Result<()> {
    let room = lab.room("places")?;
    let scan = || {
        let mut command = lab.windows();
        command.args(["scan", "--json"]);
        command
    };
    let mut without = Program::start("scan-without", scan(), &room)?;
    let Err(error) = without.finish(SHORT) else { bail!("a folder was found where there is none") };
    let text = format!("{error:#}");
    let place = text
        .split(['\n', ',', '"'])
        .find_map(|part| Some(part[part.find("C:\\")?..].trim()))
        .with_context(|| format!("the error names no path that was tried:\n{text}"))?;
    ensure!(place.ends_with(GAME_FOLDER), "it tried {place:?}");

    let mut command = lab.wine.program(Path::new("cmd"));
    command.args(["/c", "mkdir", place]);
    Program::start("mkdir", command, &room)?.finish(SHORT)?;
    let found = Program::start("scan-found", scan(), &room)?.finish(SHORT)?;
    let hash = manifest_hash(&found)?;
    ensure!(hash == EMPTY, "the empty folder has the manifest hash {hash}");
    Ok(())
}

/// Returns `manifest_hash` from the output of `scan --json`.
fn manifest_hash(text: &str) -> Result<String> {
    for value in Deserializer::from_str(text).into_iter::<Value>() {
        let value = value
            .with_context(|| format!("scan --json printed something else than JSON:\n{text}"))?;
        if let Some(hash) = value["manifest_hash"].as_str() {
            ensure!(hash.len() == 64, "a manifest hash has 64 hex digits, not {hash:?}");
            return Ok(hash.to_owned());
        }
    }
    bail!("scan --json printed no manifest_hash:\n{text}")
}

/// The file that both drivers have, with different content.
const DECALS: &str = "Team/decals.png";

/// The conflict name of the Windows driver's file, which came second. `a93e591e` are the first digits of its SHA-256.
const DECALS_OF_WINDOWS: &str = "Team/decals__CONFLICT__a93e591e.png";

fn decals_of_windows() -> Content {
    let text = "the Windows driver's decals";
    Content::new(text, text.len(), NEWER)
}

fn linux_liveries() -> Folder {
    Folder::from([
        (DECALS, Content::new("the Linux driver's decals", 1_000, OLDER)),
        ("Écurie Rhône #7/decals.json", Content::new("{}", 2, OLDER)),
        ("Écurie Rhône #7/decals.png", Content::new("Rhône", THREE_CHUNKS, OLDER)),
    ])
}

fn windows_liveries() -> Folder {
    Folder::from([
        (DECALS, decals_of_windows()),
        ("Größte Kurve/sponsors.png", Content::new("Kurve", 3_000, OLDER)),
        ("レーシングチーム/スポンサー.png", Content::new("スポンサー", THREE_CHUNKS, NEWER)),
    ])
}

fn both_sides_hold_the_union_after_a_sync(lab: &Lab) -> Result<()> {
    let room = lab.room("sync")?;
    let (on_linux, on_windows) = (room.join("linux"), room.join("windows"));
    linux_liveries().write(&on_linux)?;
    windows_liveries().write(&on_windows)?;

    let (server, port) = serve(lab, &room)?;
    let linux = || client(lab.linux(), "linux", port, on_linux.as_os_str());
    let windows = client(lab.windows(), "windows", port, &Wine::path(&on_windows));

    // Alone at first, so that its files have their names before the Windows client uploads its own.
    Program::start("linux-once", once(linux()), &room)?.finish(SYNC)?;
    Folder::read(&on_linux)?
        .ensure_is(&linux_liveries())
        .context("a driver who is alone has other files than before")?;

    let staying = Program::start("linux-stays", linux(), &room)?;
    let mut synced = Program::start("windows-once", once(windows), &room)?;
    let result = synced.finish(SYNC).and_then(|_| {
        let union = windows_liveries()
            .with(linux_liveries())
            .with([(DECALS_OF_WINDOWS, decals_of_windows())].into());
        Folder::read(&on_windows)?.ensure_is(&union).context("on the Windows side")?;
        the_only_backup_is(&on_windows, DECALS, &decals_of_windows())?;
        // The Windows client does not wait until the other one has everything.
        let linux_is_right = || Folder::read(&on_linux).and_then(|folder| folder.ensure_is(&union));
        poll(SYNC, || Ok(linux_is_right().is_ok().then_some(())))?;
        linux_is_right().context("on the Linux side")
    });
    result.map_err(|error| {
        anyhow!("{error:#}\n{}{}{}", synced.transcript(), server.transcript(), staying.transcript())
    })
}

/// Starts a server, and returns it with the port that the system chose.
fn serve(lab: &Lab, room: &Path) -> Result<(Program, u16)> {
    let mut command = lab.linux();
    command.args(["server", "--host=127.0.0.1", "--port=0", "--data"]).arg(room.join("data"));
    let mut server = Program::start("server", command, room)?;
    let line = server.first_line(SHORT)?;
    let port = line
        .strip_prefix("listening on 127.0.0.1:")
        .and_then(|port| port.parse().ok())
        .with_context(|| format!("the server's first line is {line:?}"))?;
    Ok((server, port))
}

/// Returns a client that stays in sync.
fn client(mut program: Command, name: &str, port: u16, liveries: &OsStr) -> Command {
    program.args(["client", "--host=127.0.0.1", "--name", name]).arg(format!("--port={port}"));
    program.arg("--liveries").arg(liveries);
    program
}

/// Makes a client end as soon as it is in sync.
fn once(mut client: Command) -> Command {
    client.args(["--once", SYNC_TIMEOUT]);
    client
}

/// Checks that `.backup` holds one folder, named after its time as `YYYYMMDD_HHMMSS`, with the replaced file.
fn the_only_backup_is(root: &Path, path: &str, replaced: &Content) -> Result<()> {
    let backups = root.join(".backup");
    let mut names = Vec::new();
    for entry in fs::read_dir(&backups).context("there is no .backup")? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    let [name] = names.as_slice() else { bail!(".backup should hold one folder, not {names:?}") };
    let shape: String = name.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    ensure!(shape == "00000000_000000", "the backup is called {name:?}");
    let kept = fs::read(backups.join(name).join(path))
        .with_context(|| format!("no {path} in .backup/{name}"))?;
    ensure!(kept == replaced.bytes, "{path} in .backup/{name} is not what was replaced");
    Ok(())
}
