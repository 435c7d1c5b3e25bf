//! The step `embedding`: checks the promises of `docs/embedding.md` to programs that embed the library.
//!
//! The names in its table exist in Rust, C and Python, and its programs in all three sync a folder with a real server.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use xtask::process::{Program, isolate, poll, read, run};
use xtask::workspace::Workspace;

use crate::folder::{Content, Folder};
use crate::python;
use crate::steps::{Outcome, Tally};
use crate::test::{PLAIN_CORE, build_all};

const DOCUMENT: &str = "docs/embedding.md";
const HEADER: &str = "liverysync-ffi/include/liverysync.h";

/// The server that the programs of the document name.
const HOST: &str = "192.168.1.50";
const PORT: &str = "9239";

/// The event of the driver's client once others can download its liveries.
const IN_SYNC: &str = r#""event":"in_sync""#;

/// The time limit of a program: far more than any of them takes.
const LIMIT: Duration = Duration::from_secs(60);

type Check = (&'static str, fn(&Lab<'_>) -> Result<()>);

const CHECKS: &[Check] = &[
    ("the_header_has_the_names_of_the_table_and_no_others", header_is_in_the_table),
    ("the_python_package_has_the_names_of_the_table_and_no_others", package_is_in_the_table),
    ("the_rust_crate_has_the_names_of_the_table", crate_has_the_table),
    ("the_client_alone_has_no_part_of_the_server", client_has_no_server),
    ("the_rust_program_of_the_document_syncs_a_folder", rust_lines),
    ("the_c_program_of_the_document_syncs_a_folder", c_lines),
    ("the_python_program_of_the_document_syncs_a_folder", python_lines),
];

pub(crate) fn step(workspace: &Workspace) -> Result<Outcome> {
    run(build_all(workspace))?;
    let lab = Lab::new(workspace)?;
    let mut tally = Tally::default();
    for (name, check) in CHECKS {
        tally += Tally::of_check(name, || check(&lab).map(|()| Tally::ONE_PASSED));
    }
    Ok(Outcome::Tests(tally))
}

/// A server, and a driver with liveries.
struct Lab<'a> {
    workspace: &'a Workspace,
    // Dropped in this order: the programs have to end before their folder is removed.
    _driver: Program,
    _server: Program,
    port: u16,
    folder: TempDir,
}

impl<'a> Lab<'a> {
    fn new(workspace: &'a Workspace) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut server = program(workspace, folder.path());
        server.args(["server", "--host", "127.0.0.1", "--port", "0", "--json"]);
        let mut server = Program::start("server", server, folder.path())?;
        let line: Value = serde_json::from_str(&server.first_line(LIMIT)?)?;
        let port = line["port"].as_u64().and_then(|port| port.try_into().ok());
        let port: u16 = port.context("the server names no port")?;

        let liveries = folder.path().join("driver");
        driver_liveries().write(&liveries)?;
        let mut driver = program(workspace, folder.path());
        driver.args(["client", "--json", "--name", "driver", "--port", &port.to_string()]);
        driver.arg("--liveries").arg(&liveries);
        let driver = Program::start("driver", driver, folder.path())?;
        poll(LIMIT, || Ok(driver.transcript().contains(IN_SYNC).then_some(())))?
            .with_context(|| format!("the driver is not in sync\n{}", driver.transcript()))?;
        Ok(Self { workspace, _driver: driver, _server: server, port, folder })
    }

    /// Makes a folder for one program, with an empty liveries folder in it.
    fn room(&self, name: &str) -> Result<PathBuf> {
        let room = self.folder.path().join(name);
        fs::create_dir_all(room.join("Liveries"))?;
        Ok(room)
    }

    /// Returns the document's program in this language, for the server of this test.
    fn lines(&self, language: &str) -> Result<String> {
        let text = fs::read_to_string(self.workspace.root.join(DOCUMENT))?;
        let section =
            text.split("\n## First programs\n").nth(1).context("no section First programs")?;
        let block = section.split(&format!("```{language}\n")).nth(1);
        let lines = block.and_then(|block| block.split("```").next());
        let lines = lines.with_context(|| format!("{DOCUMENT} has no program in {language}"))?;
        let replaced = lines.replace(HOST, "127.0.0.1").replace(PORT, &self.port.to_string());
        ensure!(replaced != lines, "the lines in {language} name no server");
        Ok(replaced)
    }

    /// Runs a program in its folder, and checks its output and the files that it downloaded.
    fn syncs(&self, room: &Path, mut command: Command) -> Result<()> {
        command.current_dir(room);
        let said = Program::start("lines", command, room)?.finish(LIMIT)?;
        ensure!(said.contains("this PC has all 3 files"), "it says {said:?}");
        Folder::read(&room.join("Liveries"))?.ensure_is(&driver_liveries())
    }
}

fn driver_liveries() -> Folder {
    let date = 1_600_000_000;
    Folder::from([
        ("#2_TeamIris_992/decals.png", Content::new("iris", 300_000, date)),
        ("#2_TeamIris_992/decals.json", Content::new("{}", 2, date)),
        ("Équipe Chloé/sponsors.png", Content::new("é", 7, date)),
    ])
}

fn program(workspace: &Workspace, home: &Path) -> Command {
    let mut command = Command::new(built(workspace, "liverysync"));
    isolate(&mut command, home);
    command
}

fn built(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.target.join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// A line of the table.
struct Row {
    what: String,
    rust: Vec<String>,
    c: Vec<String>,
    python: Vec<String>,
}

/// Reads the table. Each language has a name in each line.
fn table(workspace: &Workspace) -> Result<Vec<Row>> {
    let text = fs::read_to_string(workspace.root.join(DOCUMENT))?;
    let lines = text.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows: Vec<_> = lines.take_while(|line| line.starts_with('|')).map(row).collect();
    ensure!(!rows.is_empty(), "{DOCUMENT} has no table");
    for Row { what, rust, c, python } in &rows {
        let whole = [rust, c, python].iter().all(|names| !names.is_empty());
        ensure!(whole, "{DOCUMENT}: a language has no name for {what:?}");
    }
    Ok(rows)
}

fn row(line: &str) -> Row {
    let mut cells = line.trim_matches('|').split('|');
    let mut cell = || cells.next().unwrap_or_default();
    let what = cell().trim().to_owned();
    let mut names =
        || -> Vec<String> { cell().split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    Row { what, rust: names(), c: names(), python: names() }
}

fn names(workspace: &Workspace, of: fn(Row) -> Vec<String>) -> Result<BTreeSet<String>> {
    Ok(table(workspace)?.into_iter().flat_map(of).collect())
}

/// Compares two sets of names. The error lists those that only one of them has.
fn same(told: &BTreeSet<String>, there: &BTreeSet<String>, place: &str) -> Result<()> {
    let missing: Vec<_> = told.difference(there).collect();
    let untold: Vec<_> = there.difference(told).collect();
    ensure!(missing.is_empty(), "{DOCUMENT} promises what {place} lacks: {missing:?}");
    ensure!(untold.is_empty(), "{place} has what {DOCUMENT} does not name: {untold:?}");
    Ok(())
}

fn header_is_in_the_table(lab: &Lab<'_>) -> Result<()> {
    let header = fs::read_to_string(lab.workspace.root.join(HEADER))?;
    same(&names(lab.workspace, |row| row.c)?, &functions(&header), HEADER)
}

/// Returns the functions that a header declares: the names in lines without indentation that have `liverysync_name(`.
fn functions(header: &str) -> BTreeSet<String> {
    let declarations = header.lines().filter(|line| line.starts_with(|c: char| c.is_alphabetic()));
    let names = declarations.filter_map(|line| {
        let before = line.split_once('(')?.0;
        let name = before.rsplit([' ', '*']).next()?;
        (name.starts_with("liverysync_") && !before.starts_with("typedef")).then(|| name.to_owned())
    });
    names.collect()
}

fn package_is_in_the_table(lab: &Lab<'_>) -> Result<()> {
    let told = names(lab.workspace, |row| row.python)?;
    let script = "\
import functools, liverysync, sys
for name in sys.argv[1:]:
    functools.reduce(getattr, name.split('.'), liverysync)
print(*liverysync.__all__, sep='\\n')
";
    let mut command = python::clean(lab.workspace);
    command.args(["-c", script]).args(&told);
    let exported = read(command)?.lines().map(str::to_owned).collect();
    let heads = |names: &BTreeSet<String>| -> BTreeSet<String> {
        names.iter().filter_map(|name| name.split('.').next()).map(str::to_owned).collect()
    };
    same(&heads(&told), &exported, "the Python package")
}

/// Makes a package outside of the workspace that uses the library. It shares the target folder, so it builds little.
fn package(lab: &Lab<'_>, name: &str, features: &str, main: &str) -> Result<PathBuf> {
    let folder = lab.workspace.target.join("embedding").join(name);
    fs::create_dir_all(folder.join("src"))?;
    let root = lab.workspace.root.to_string_lossy().replace('\\', "/");
    let manifest = fs::read_to_string(lab.workspace.root.join("Cargo.toml"))?;
    // Cargo reuses the builds of the workspace only if the profiles are the same.
    let profile = manifest.find("[profile.").context("no profile in Cargo.toml")?;
    let profile = manifest[profile..].split("\n[[").next().unwrap_or_default();
    let text = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\nliverysync = {{ path = '{root}', {features} }}\n\
         tokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }}\n\n\
         [workspace]\n\n{profile}\n"
    );
    fs::write(folder.join("Cargo.toml"), text)?;
    fs::copy(lab.workspace.root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    fs::write(folder.join("src/main.rs"), main)?;
    Ok(folder)
}

fn cargo(lab: &Lab<'_>, what: &str, package: &Path) -> Command {
    let mut cargo = lab.workspace.cargo(what);
    cargo.arg("--manifest-path").arg(package.join("Cargo.toml")).args(["--config", PLAIN_CORE]);
    cargo.env("CARGO_TARGET_DIR", &lab.workspace.target);
    cargo
}

/// Builds such a package and returns its program.
fn build(lab: &Lab<'_>, name: &str, features: &str, main: &str) -> Result<PathBuf> {
    let package = package(lab, name, features, main)?;
    run(cargo(lab, "build", &package))?;
    Ok(built(lab.workspace, name))
}

fn crate_has_the_table(lab: &Lab<'_>) -> Result<()> {
    let mut main = String::from("#![allow(unused)]\nfn main() {}\n");
    let listings = ["liverysync", "liverysync-core"].map(|name| format!("docs/api/{name}.txt"));
    let listings = listings.map(|path| fs::read_to_string(lab.workspace.root.join(path)));
    let listings = listings.into_iter().collect::<Result<String, _>>()?;
    for (number, name) in names(lab.workspace, |row| row.rust)?.iter().enumerate() {
        // A method cannot be imported, and one with a generic argument has no type to be named by.
        let item = match name.rsplit_once("::") {
            Some((parent, _)) if is_type(parent) => {
                ensure!(has_member(&listings, name), "docs/api has no {name}");
                parent
            }
            _ => name,
        };
        writeln!(main, "use liverysync::{item} as Name{number};")?;
    }
    let package = package(lab, "liverysync-names", "features = [\"server\"]", &main)?;
    run(cargo(lab, "check", &package))
}

/// Returns whether a path is that of a type, whose members cannot be imported.
fn is_type(path: &str) -> bool {
    let name = path.rsplit("::").next().unwrap_or_default();
    name.starts_with(char::is_uppercase)
}

/// Returns whether a listing of an API has a member of a type: `Client::builder`.
fn has_member(listing: &str, member: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let member = format!("::{member}");
    listing.match_indices(&member).any(|(at, _)| ends(&listing[at + member.len()..]))
}

fn client_has_no_server(lab: &Lab<'_>) -> Result<()> {
    let parts = ["Server", "ServerEvent", "league", "database"];
    let uses = parts.map(|part| format!("use liverysync::{part} as _;\n")).concat();
    // Without the warnings about unused imports only missing parts are named.
    let main = format!("#![allow(unused)]\n{uses}fn main() {{}}\n");
    let package = package(lab, "liverysync-client", "features = []", &main)?;
    let output = cargo(lab, "check --quiet", &package).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    for part in parts {
        let missing = said.contains(&format!("use liverysync::{part} as _;"));
        ensure!(!output.status.success() && missing, "the client alone has {part}:\n{said}");
    }
    Ok(())
}

fn rust_lines(lab: &Lab<'_>) -> Result<()> {
    // The client alone, so the program needs nothing of the server.
    let program = build(lab, "liverysync-lines", "features = []", &lab.lines("rust,no_run")?)?;
    lab.syncs(&lab.room("rust")?, Command::new(program))
}

fn c_lines(lab: &Lab<'_>) -> Result<()> {
    let room = lab.room("c")?;
    fs::write(room.join("lines.c"), lab.lines("c")?)?;
    let libraries = lab.workspace.target.join("debug");
    let mut cc = lab.workspace.command("cc");
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-I", "liverysync-ffi/include", "-o"])
        .args([room.join("lines"), room.join("lines.c")])
        .arg("-L")
        .arg(&libraries)
        .arg("-lliverysync");
    run(cc)?;
    let mut command = Command::new(room.join("lines"));
    command.env("LD_LIBRARY_PATH", &libraries);
    lab.syncs(&room, command)
}

fn python_lines(lab: &Lab<'_>) -> Result<()> {
    let room = lab.room("python")?;
    fs::write(room.join("lines.py"), lab.lines("python")?)?;
    let mut command = python::clean(lab.workspace);
    command.args(["-W", "error", "lines.py"]);
    lab.syncs(&room, command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_taken_apart() {
        let Row { what, rust, c, python } = row("| scan | `scan::scan` | `a` `b` | `Scan.x` |");
        assert_eq!(
            (what.as_str(), rust, c, python),
            (
                "scan",
                vec!["scan::scan".into()],
                vec!["a".into(), "b".into()],
                vec!["Scan.x".into()]
            )
        );
    }

    #[test]
    fn the_functions_of_a_header_are_found() {
        let header = "typedef void (*liverysync_fn)(int);\nconst char *liverysync_version(void);\n/**\n * liverysync_no()\n */\nliverysync_result liverysync_scan(const char *a,\n    liverysync_x(int));\n#define liverysync_m(x)\n";
        let expected = ["liverysync_scan", "liverysync_version"].map(str::to_owned);
        assert_eq!(functions(header), expected.into());
    }
}
