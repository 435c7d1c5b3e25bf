//! The step `ffi`: builds C programs that use the library, without a warning, and runs them without a leak.
//!
//! The C tests run against the shared and the static library, and once more under valgrind, or under AddressSanitizer on
//! a machine that cannot get valgrind. A C++ compiler reads the header too. The launcher of `examples/` syncs a folder
//! with a real server.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;
use tempfile::TempDir;
use xtask::process::{Program, isolate, poll, run};
use xtask::workspace::Workspace;

use crate::folder::{Content, Folder};
use crate::steps::{Outcome, Tally};
use crate::test::build_all;

/// The folder of the C tests.
const TESTS: &str = "liverysync-ffi/tests/c";

/// The compiler flags of every C program.
const FLAGS: &[&str] =
    &["-g", "-O1", "-Wall", "-Wextra", "-Werror", "-I", "liverysync-ffi/include"];

/// The system libraries that a static Rust library needs, from `rustc --print native-static-libs`.
const SYSTEM: &[&str] = &["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"];

/// The script that installs the packages.
const INSTALL: &str = "scripts/install-c-tools.sh";

/// The time limit of a program: far more than any of them takes.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs the step of `cargo xtask test`.
pub(crate) fn step(workspace: &Workspace) -> Result<Outcome> {
    if !cfg!(target_os = "linux") {
        return Ok(Outcome::Skipped("the C tests are written for Linux".to_owned()));
    }
    let watch = Watch::find(workspace)?;
    run(build_all(workspace))?;
    let lab = Lab { workspace, watch, folder: tempfile::tempdir()? };
    let mut tally = Tally::default();
    for (name, check) in CHECKS {
        tally += Tally::of_check(name, || check(&lab));
    }
    Ok(Outcome::Tests(tally))
}

/// The tool that watches the memory of C programs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Watch {
    Valgrind,
    AddressSanitizer,
}

impl Watch {
    /// Installs missing packages where that is possible, and returns the tool.
    fn find(workspace: &Workspace) -> Result<Self> {
        let output = workspace
            .command(INSTALL)
            .arg("--check")
            .output()
            .with_context(|| format!("cannot run {INSTALL}"))?;
        match output.status.code() {
            Some(0) => {}
            Some(1) => run(workspace.command(INSTALL))?,
            _ => println!("{}", String::from_utf8_lossy(&output.stdout).trim()),
        }
        let valgrind = workspace.command("valgrind").arg("--version").output();
        let watch = match valgrind {
            Ok(output) if output.status.success() => Self::Valgrind,
            _ => Self::AddressSanitizer,
        };
        println!("memory is watched by {watch:?}");
        Ok(watch)
    }

    /// Returns the compiler flags for it.
    const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Valgrind => &[],
            Self::AddressSanitizer => &["-fsanitize=address", "-fno-omit-frame-pointer"],
        }
    }

    /// Returns a command that runs `program` so that an error or a leak makes it fail.
    fn command(self, workspace: &Workspace, program: &Path) -> Command {
        match self {
            Self::Valgrind => {
                let mut command = workspace.command("valgrind");
                command
                    .args(["--quiet", "--error-exitcode=99", "--num-callers=50"])
                    .args(["--leak-check=full", "--show-leak-kinds=all"])
                    .arg("--errors-for-leak-kinds=all")
                    .arg(format!("--suppressions={TESTS}/valgrind.supp"))
                    .arg(program);
                command
            }
            Self::AddressSanitizer => workspace.command(&program.to_string_lossy()),
        }
    }
}

/// A named check, which returns the number of tests it ran.
type Check = (&'static str, fn(&Lab<'_>) -> Result<Tally>);

const CHECKS: &[Check] = &[
    ("header_from_cpp", header_from_cpp),
    ("tests_with_the_shared_library", tests_with_the_shared_library),
    ("tests_with_the_static_library", tests_with_the_static_library),
    ("tests_with_memory_watched", tests_with_memory_watched),
    ("the_example_of_the_documentation", the_example_of_the_documentation),
    ("launcher_syncs_with_a_real_server", launcher_syncs_with_a_real_server),
    ("launcher_ends_at_ctrl_c", launcher_ends_at_ctrl_c),
    ("launcher_shows_no_text_that_acts", launcher_shows_no_text_that_acts),
];

/// The place where the checks work.
struct Lab<'a> {
    workspace: &'a Workspace,
    watch: Watch,
    folder: TempDir,
}

impl Lab<'_> {
    /// Makes a folder for one check.
    fn room(&self, name: &str) -> Result<PathBuf> {
        let room = self.folder.path().join(name);
        fs::create_dir(&room)?;
        Ok(room)
    }

    fn built(&self) -> PathBuf {
        self.workspace.target.join("debug")
    }

    /// Returns a compiler with all flags and with these sources.
    fn compiler(&self, program: &Path, language: &[&str], sources: &[PathBuf]) -> Command {
        let mut command = self.workspace.command(language[0]);
        command.args(&language[1..]).args(FLAGS).args(sources).arg("-o").arg(program);
        command
    }

    fn link_shared(&self, mut compiler: Command) -> Result<()> {
        let built = self.built();
        compiler.arg("-L").arg(&built).arg(format!("-Wl,-rpath,{}", built.display()));
        compiler.args(["-lliverysync", "-lpthread"]);
        run(compiler)
    }

    fn link_static(&self, mut compiler: Command) -> Result<()> {
        compiler.arg(self.built().join("libliverysync.a")).args(SYSTEM);
        run(compiler)
    }

    /// Runs a test program in a folder of its own, and counts its tests.
    fn count(&self, mut command: Command, room: &Path) -> Result<Tally> {
        let scratch = room.join("scratch");
        fs::create_dir(&scratch)?;
        command.arg(scratch);
        let mut program = Program::start("tests", command, room)?;
        let output = program.finish(LIMIT)?;
        let mut tally = Tally::default();
        for line in output.lines() {
            if let Some(counted) = Tally::from_line(line) {
                println!("{line}");
                tally += counted;
            }
        }
        Ok(tally)
    }
}

const C: &[&str] = &["cc", "-std=c11"];
const CPP: &[&str] = &["c++", "-std=c++17"];

fn c_tests(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(workspace.root.join(TESTS))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
    }
    ensure!(!sources.is_empty(), "there are no C tests in {TESTS}");
    sources.sort();
    Ok(sources)
}

fn header_from_cpp(lab: &Lab<'_>) -> Result<Tally> {
    let room = lab.room("cpp")?;
    let program = room.join("header");
    let source = lab.workspace.root.join(TESTS).join("header.cpp");
    lab.link_shared(lab.compiler(&program, CPP, &[source]))?;
    lab.count(Command::new(program), &room)
}

fn tests_with_the_shared_library(lab: &Lab<'_>) -> Result<Tally> {
    let room = lab.room("shared")?;
    let program = room.join("c-tests");
    lab.link_shared(lab.compiler(&program, C, &c_tests(lab.workspace)?))?;
    lab.count(Command::new(program), &room)
}

fn tests_with_the_static_library(lab: &Lab<'_>) -> Result<Tally> {
    let room = lab.room("static")?;
    let program = room.join("c-tests");
    lab.link_static(lab.compiler(&program, C, &c_tests(lab.workspace)?))?;
    lab.count(Command::new(program), &room)
}

fn tests_with_memory_watched(lab: &Lab<'_>) -> Result<Tally> {
    let room = lab.room("watched")?;
    let program = room.join("c-tests");
    let mut compiler = lab.compiler(&program, C, &c_tests(lab.workspace)?);
    compiler.args(lab.watch.flags());
    lab.link_shared(compiler)?;
    lab.count(lab.watch.command(lab.workspace, &program), &room)
}

/// Runs the first program in `docs/c.md`.
fn the_example_of_the_documentation(lab: &Lab<'_>) -> Result<Tally> {
    let room = lab.room("documentation")?;
    let text = fs::read_to_string(lab.workspace.root.join("docs/c.md"))?;
    let example = text.split("```c\n").find(|part| part.starts_with("#include"));
    let example = example.and_then(|part| part.split("```").next());
    let source = room.join("example.c");
    fs::write(&source, example.context("docs/c.md has no program in C")?)?;
    let program = room.join("example");
    lab.link_shared(lab.compiler(&program, C, &[source]))?;

    let (mine, theirs) = (room.join("mine"), room.join("theirs"));
    let file = |len| Content::new("a", len, 1_600_000_000);
    Folder::from([("a/decals.png", file(1))]).write(&mine)?;
    Folder::from([("a/decals.png", file(2)), ("b/decals.png", file(3))]).write(&theirs)?;
    let mut command = Command::new(program);
    command.args([mine, theirs]);
    let output = Program::start("example", command, &room)?.finish(LIMIT)?;
    ensure!(output == "b/decals.png (3 bytes)\n", "it printed {output:?}");
    Ok(Tally::ONE_PASSED)
}

/// Builds the launcher as its first lines say.
fn launcher(lab: &Lab<'_>, room: &Path) -> Result<PathBuf> {
    let program = room.join("launcher");
    let source = lab.workspace.root.join("examples/launcher.c");
    let mut compiler = lab.compiler(&program, C, &[source]);
    compiler.args(lab.watch.flags());
    lab.link_shared(compiler)?;
    Ok(program)
}

fn launcher_syncs_with_a_real_server(lab: &Lab<'_>) -> Result<Tally> {
    let room = lab.room("launcher")?;
    let program = launcher(lab, &room)?;
    let (driver, own) = (room.join("driver"), room.join("own"));
    let date = 1_600_000_000;
    let drivers = Folder::from([
        ("Écurie Rhône #7/decals.json", Content::new("{}", 2, date)),
        // Three chunks; the last one is not full.
        ("Écurie Rhône #7/decals.png", Content::new("Rhône", 600_001, date)),
        ("Team/decals.png", Content::new("the driver's decals", 1_000, date)),
    ]);
    let launchers = Folder::from([
        ("Team/decals.png", Content::new("the launcher's decals", 21, date)),
        ("レーシングチーム/スポンサー.png", Content::new("スポンサー", 300_000, date)),
    ]);
    drivers.write(&driver)?;
    launchers.write(&own)?;

    let cli = || {
        let mut command = Command::new(lab.built().join("liverysync"));
        isolate(&mut command, &room);
        command
    };
    let mut command = cli();
    command.args(["server", "--host=127.0.0.1", "--port=0", "--json"]);
    let mut server = Program::start("server", command, &room)?;
    let line: Value = serde_json::from_str(&server.first_line(LIMIT)?)?;
    let port =
        line["port"].as_u64().with_context(|| format!("the server's first line is {line}"))?;
    let mut command = cli();
    command.args(["client", "--host=127.0.0.1", "--name=driver", "--json"]);
    command.arg(format!("--port={port}")).arg("--liveries").arg(&driver);
    let other = Program::start("driver", command, &room)?;
    poll(LIMIT, || Ok(other.transcript().contains(r#""event":"in_sync""#).then_some(())))?
        .with_context(|| format!("the driver is not in sync\n{}", other.transcript()))?;

    let mut command = lab.watch.command(lab.workspace, &program);
    command.args(["127.0.0.1", &port.to_string()]).arg(&own);
    let mut launcher = Program::start("launcher", command, &room)?;
    let result = launcher.finish(LIMIT).and_then(|output| {
        // The first digits of the SHA-256 of the launcher's decals, which came second.
        let copy = "Team/decals__CONFLICT__8eeece0d.png";
        let union = launchers.with(drivers);
        let union =
            union.with(Folder::from([(copy, Content::new("the launcher's decals", 21, date))]));
        Folder::read(&own)?.ensure_is(&union).context("in the launcher's folder")?;
        Folder::read(&driver)?.ensure_is(&union).context("in the other driver's folder")?;
        for expected in
            ["connected to liverysync", "downloaded Écurie Rhône #7/decals.png (600001 bytes)"]
        {
            ensure!(output.contains(expected), "the launcher did not say `{expected}`");
        }
        let last = output.lines().last().unwrap_or_default();
        ensure!(last.starts_with("in sync: 5 files, 901024 bytes"), "its last line is `{last}`");
        Ok(Tally::ONE_PASSED)
    });
    result.map_err(|error| {
        let transcripts = [launcher.transcript(), server.transcript(), other.transcript()];
        anyhow!("{error:#}\n{}", transcripts.concat())
    })
}

/// Interrupts the launcher while it waits for a server that accepts the connection and stays silent.
fn launcher_ends_at_ctrl_c(lab: &Lab<'_>) -> Result<Tally> {
    let room = lab.room("ctrl-c")?;
    let program = launcher(lab, &room)?;
    let own = room.join("own");
    fs::create_dir(&own)?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let mut command = lab.watch.command(lab.workspace, &program);
    command.args(["127.0.0.1", &silent.local_addr()?.port().to_string()]).arg(&own);
    let mut launcher = Program::start("launcher", command, &room)?;
    silent.set_nonblocking(true)?;
    let connection = poll(LIMIT, || Ok(silent.accept().ok()))?;
    ensure!(connection.is_some(), "the launcher does not connect\n{}", launcher.transcript());
    launcher.interrupt()?;
    launcher.finish_with(130, LIMIT)?;
    Ok(Tally::ONE_PASSED)
}

/// Passes the name of a missing folder that has a C1 control and a change of reading direction in it.
fn launcher_shows_no_text_that_acts(lab: &Lab<'_>) -> Result<Tally> {
    let room = lab.room("escape")?;
    let program = launcher(lab, &room)?;
    let mut command = lab.watch.command(lab.workspace, &program);
    command.args(["127.0.0.1", "1"]).arg(room.join("a\u{9b}b\u{202e}c"));
    let mut launcher = Program::start("launcher", command, &room)?;
    launcher.finish_with(1, LIMIT)?;
    let said = launcher.transcript();
    ensure!(said.contains(r"a\u{9b}b\u{202e}c: "), "it said\n{said}");
    Ok(Tally::ONE_PASSED)
}
