//! `cargo xtask test`: runs every check of the project.
//!
//! A failing step does not stop the others, so one run shows everything that is wrong.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use lexopt::{Arg, Parser, ValueExt as _};
use xtask::process::{read, run, run_watched, status};
use xtask::workspace::Workspace;

use crate::Passed;
use crate::api;
use crate::deps;
use crate::embedding;
use crate::ffi;
use crate::package;
use crate::python;
use crate::share::{self, Share};
use crate::steps::{Outcome, Report, Row, Step, Tally, Turn};
use crate::tools::NEXTEST;
use crate::windows;

/// The seed of proptest's cases.
const PROPERTY_SEED: &str = "PROPTEST_RNG_SEED";

/// The steps in their order: those that fail fast come first.
const STEPS: &[Step] = &[
    Step {
        name: "tools",
        about: "the tools that the other steps need are installed",
        turn: Turn::Next,
        run: |workspace, _| tools(workspace),
    },
    Step {
        name: "fmt",
        about: "all code is formatted",
        turn: Turn::Next,
        run: |workspace, _| fmt(workspace),
    },
    Step {
        name: "deps",
        about: "licences and sources of all dependencies; the core has no runtime, socket, clock or thread pool",
        turn: Turn::Next,
        run: |workspace, _| deps::step(workspace),
    },
    Step {
        name: "lint",
        about: "no warnings, in all targets, with each choice of features, and in the documentation",
        turn: Turn::Next,
        run: |workspace, _| lint(workspace),
    },
    Step {
        name: "package",
        about: "the published crates can be packed",
        turn: Turn::Next,
        run: package::step,
    },
    Step {
        name: "build",
        about: "programs, libraries, tests and examples build",
        turn: Turn::Next,
        run: |workspace, _| build(workspace),
    },
    Step {
        name: "api",
        about: "the public API is the one in docs/api",
        turn: Turn::Next,
        run: |workspace, _| api::step(workspace),
    },
    Step {
        name: "tests",
        about: "unit, property, simulator and end-to-end tests, and examples in the documentation",
        turn: Turn::Next,
        run: tests,
    },
    Step {
        name: "ffi",
        about: "C programs that use the library, and no leak",
        turn: Turn::Next,
        run: |workspace, _| ffi::step(workspace),
    },
    Step {
        name: "python",
        about: "the Python wheel, its types and its tests",
        turn: Turn::Next,
        run: |workspace, _| python::step(workspace),
    },
    Step {
        name: "embedding",
        about: "the programs and the table of names of docs/embedding.md, in Rust, C and Python",
        turn: Turn::Next,
        run: |workspace, _| embedding::step(workspace),
    },
    Step {
        name: "windows",
        about: "the Windows program, under Wine",
        turn: Turn::Beside,
        run: |workspace, _| windows::step(workspace),
    },
];

/// All crates, and the part of the library that is off by default. Not `--all-features`: a crate may have one that
/// only suits another kind of build.
const EVERYTHING: &str = "--workspace --features liverysync/server";

/// Everything but the Python module, which maturin builds with settings of its own: two builds of it would undo each other.
const BUILT: &str = "--workspace --exclude liverysync-py --features liverysync/server";

/// A setting for builds of the core that cannot be shared with the tests. Optimising it takes most of its compile time, and
/// only the simulator gains from that.
pub(crate) const PLAIN_CORE: &str = "profile.dev.package.liverysync-core.opt-level=0";

/// The choices that users of the library have beside [`EVERYTHING`].
const FEATURES: &[&str] = &["", "client", "server"];

/// The oldest Python that the peers of the tests run on.
const PYTHON: (u32, u32) = (3, 10);

/// Tests that run at once on each core: most end-to-end tests wait most of their time.
const TESTS_PER_CORE: usize = 2;

/// Returns the names of all steps.
pub(crate) fn names() -> String {
    STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(" ")
}

/// The way in which a step runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// The part of the rounds that long tests run.
    share: Share,
    /// Cargo runs the tests, as where there is no nextest.
    without_nextest: bool,
}

impl Settings {
    /// Tells whether no check is cut short.
    pub(crate) fn runs_all(self) -> bool {
        self.share == Share::ALL
    }
}

/// The steps to run, and how.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    only: Vec<String>,
    skip: Vec<String>,
    all: bool,
    without_nextest: bool,
    /// The file for the row of the only step. Another process of this program reads it.
    row: Option<PathBuf>,
}

impl Selection {
    pub(crate) fn parse(mut args: Parser) -> Result<Self> {
        let mut selection = Self::default();
        while let Some(arg) = args.next()? {
            let list = match arg {
                Arg::Long("all") => {
                    selection.all = true;
                    continue;
                }
                Arg::Long("without-nextest") => {
                    selection.without_nextest = true;
                    continue;
                }
                Arg::Long("row") => {
                    selection.row = Some(args.value()?.into());
                    continue;
                }
                Arg::Long("only") => &mut selection.only,
                Arg::Long("skip") => &mut selection.skip,
                other => return Err(other.unexpected().into()),
            };
            let name = args.value()?.string()?;
            if !STEPS.iter().any(|step| step.name == name) {
                let text = format!("there is no step {name:?}; the steps are: {}", names());
                return Err(lexopt::Error::from(text).into());
            }
            list.push(name);
        }
        Ok(selection)
    }

    /// Returns the reason why a step does not run, if it does not.
    fn refusal(&self, step: &Step) -> Option<&'static str> {
        let listed = |names: &[String]| names.iter().any(|name| name == step.name);
        if listed(&self.skip) {
            Some("left out with --skip")
        } else if !self.only.is_empty() && !listed(&self.only) {
            Some("left out with --only")
        } else {
            None
        }
    }

    pub(crate) fn run(&self, workspace: &Workspace) -> Result<Passed> {
        let settings = Settings {
            share: if self.all { Share::ALL } else { Share::of_commit(workspace) },
            without_nextest: self.without_nextest,
        };
        let start = Instant::now();
        let chosen = || STEPS.iter().filter(|step| self.refusal(step).is_none());
        let alone = chosen().count() == 1;
        let mut beside = Vec::new();
        for step in chosen().filter(|step| step.turn == Turn::Beside && !alone) {
            beside.push(Beside::start(step, workspace, self.all)?);
        }
        let mut report = Report::default();
        for step in STEPS {
            if let Some(why) = self.refusal(step) {
                let outcome = Ok(Outcome::Skipped(why.to_owned()));
                report.add(step.name, &Row::new(step, Duration::ZERO, outcome));
            } else if let Some(beside) =
                beside.iter_mut().find(|other| other.step.name == step.name)
            {
                report.add(step.name, &beside.finish());
            } else {
                println!("\n=== {}: {}", step.name, step.about);
                let start = Instant::now();
                let result = (step.run)(workspace, settings);
                if let Err(error) = &result {
                    println!("error: {error:#}");
                }
                let row = Row::new(step, start.elapsed(), result);
                if let Some(file) = &self.row {
                    fs::write(file, row.to_json())?;
                    return Ok(true);
                }
                report.add(step.name, &row);
            }
        }
        print!("{}", report.text(start.elapsed()));
        Ok(!report.failed())
    }
}

/// A step that runs in another process, with its output in a file. Dropping it kills the process.
struct Beside {
    step: &'static Step,
    child: Child,
    start: Instant,
    output: PathBuf,
    row: PathBuf,
}

impl Beside {
    fn start(step: &'static Step, workspace: &Workspace, all: bool) -> Result<Self> {
        let folder = workspace.target.join("xtask");
        fs::create_dir_all(&folder)?;
        let output = folder.join(format!("{}.log", step.name));
        let row = folder.join(format!("{}.json", step.name));
        if row.exists() {
            fs::remove_file(&row)?;
        }
        let program = env::current_exe().context("this program does not know its own path")?;
        // It gets the time that the other steps leave: their tests have deadlines.
        let mut command = if cfg!(unix) {
            let mut nice = workspace.command("nice");
            nice.args(["-n", "10"]).arg(program);
            nice
        } else {
            Command::new(program)
        };
        command.args(["test", "--only", step.name, "--row"]).arg(&row);
        command.args(all.then_some("--all"));
        let log = File::create(&output)?;
        command.stdout(log.try_clone()?).stderr(log);
        println!("=== {}: {} (beside the other steps)", step.name, step.about);
        let child = command.spawn().with_context(|| format!("cannot start {}", step.name))?;
        Ok(Self { step, child, start: Instant::now(), output, row })
    }

    /// Waits for the end, shows the output, and returns the row.
    fn finish(&mut self) -> Row {
        let row = self.child.wait().map_err(Into::into).and_then(|status| {
            let text = fs::read_to_string(&self.row)
                .with_context(|| format!("it ended early with {status}"))?;
            Row::from_json(&text)
        });
        println!("\n{}", fs::read_to_string(&self.output).unwrap_or_default());
        row.unwrap_or_else(|error| Row::new(self.step, self.start.elapsed(), Err(error)))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Both fail only if the process has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn tools(workspace: &Workspace) -> Result<Outcome> {
    let mut cc = workspace.command("cc");
    cc.arg("--version");
    let mut wrong = Vec::new();
    for (command, remedy) in [
        (workspace.cargo("clippy --version"), "run `rustup component add clippy`"),
        (workspace.cargo("fmt --version"), "run `rustup component add rustfmt`"),
        (cc, "install a C compiler, such as Debian's package gcc"),
    ] {
        match read(command) {
            Ok(version) => println!("{}", version.lines().next().unwrap_or_default()),
            Err(error) => wrong.push(format!("{error:#}: {remedy}")),
        }
    }
    if let Err(error) = python_version(workspace) {
        wrong.push(format!("{error:#}"));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\nerror: "));
    Ok(Outcome::Done)
}

fn python_version(workspace: &Workspace) -> Result<()> {
    let (major, minor) = PYTHON;
    let wanted = || {
        format!(
            "the tests talk to peers written in Python: install python3 {major}.{minor} or newer"
        )
    };
    let mut command = workspace.command("python3");
    command.arg("--version");
    let version = read(command).map_err(|error| anyhow!("{}: {error:#}", wanted()))?;
    let mut numbers = version
        .trim()
        .trim_start_matches("Python ")
        .split('.')
        .map(|number| number.parse().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    ensure!(found >= PYTHON, "{}, this is {}", wanted(), version.trim());
    println!("{}", version.trim());
    Ok(())
}

fn fmt(workspace: &Workspace) -> Result<Outcome> {
    run(workspace.cargo("fmt --all --check"))?;
    Ok(Outcome::Done)
}

fn lint(workspace: &Workspace) -> Result<Outcome> {
    let mut tally = Tally::default();
    let mut clippy = |args: &str| {
        tally += Tally::of(run(workspace.cargo(&format!("clippy {args} -- -D warnings"))));
    };
    clippy(&format!("--all-targets {EVERYTHING}"));
    for features in FEATURES {
        clippy(&format!("-p liverysync --no-default-features --features={features}"));
    }
    tally += Tally::of(run(doc(workspace)));
    Ok(Outcome::Tests(tally))
}

/// Returns the command that builds the documentation.
pub(crate) fn doc(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo(&format!("doc --no-deps {EVERYTHING}"));
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

fn build(workspace: &Workspace) -> Result<Outcome> {
    run(build_all(workspace))?;
    Ok(Outcome::Done)
}

/// Returns the command that builds everything but the benches, which clippy has compiled.
///
/// Steps that need one program use it too. Cargo chooses the features of a dependency by the packages that it builds, so for
/// one package alone it would compile most of them once more.
pub(crate) fn build_all(workspace: &Workspace) -> Command {
    workspace.cargo(&format!("build --lib --bins --tests --examples {BUILT}"))
}

fn tests(workspace: &Workspace, settings: Settings) -> Result<Outcome> {
    let Settings { share, without_nextest } = settings;
    let nextest = if without_nextest {
        Err(anyhow!("left out with --without-nextest"))
    } else {
        NEXTEST.find(workspace)
    };
    let mut tally = match nextest {
        Ok(nextest) => run_nextest(workspace, nextest, share)?,
        Err(error) => {
            println!("cargo runs the tests, without cargo-nextest: {error:#}");
            run_cargo_test(workspace, "--tests", share)?
        }
    };
    tally += run_cargo_test(workspace, "--doc", share)?;
    Ok(Outcome::Noted(tally, format!("share {share} of the long ones")))
}

fn run_nextest(workspace: &Workspace, mut nextest: Command, share: Share) -> Result<Tally> {
    let report = workspace.target.join("nextest/default/junit.xml");
    if report.exists() {
        fs::remove_file(&report)?;
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    nextest
        .args(["nextest", "run", "--tests", "--no-fail-fast"])
        .args(BUILT.split(' '))
        .arg(format!("--test-threads={}", cores * TESTS_PER_CORE));
    let status = status(deterministic(nextest, share))?;
    let report = fs::read_to_string(report).unwrap_or_default();
    Ok(Tally::from_junit(&report).unwrap_or_default().with_exit(status.success()))
}

fn run_cargo_test(workspace: &Workspace, which: &str, share: Share) -> Result<Tally> {
    let command = workspace.cargo(&format!("test {which} --no-fail-fast {BUILT}"));
    let mut tally = Tally::default();
    let status = run_watched(deterministic(command, share), |line| {
        if let Some(counted) = Tally::from_line(line) {
            tally += counted;
        }
    })?;
    Ok(tally.with_exit(status.success()))
}

/// Adds the variables that make a run of the tests the same for the same commit.
fn deterministic(mut command: Command, share: Share) -> Command {
    if env::var_os(PROPERTY_SEED).is_none() {
        command.env(PROPERTY_SEED, "1");
    }
    command.env(share::VARIABLE, share.to_string());
    command
}
