//! `cargo xtask test`: every check of the project, in one go.
//!
//! A failing step does not stop the others: the end shows all that is wrong.

use std::collections::BTreeSet;
use std::env;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use lexopt::{Arg, Parser, ValueExt as _};
use xtask::process::{read, run, run_watched};
use xtask::workspace::Workspace;

use crate::Passed;
use crate::embedding;
use crate::ffi;
use crate::python;
use crate::steps::{Outcome, Report, Step, Tally};
use crate::windows;

/// What proptest makes its cases from.
const PROPERTY_SEED: &str = "PROPTEST_RNG_SEED";

/// In the order they run: what fails fast comes first.
const STEPS: &[Step] = &[
    Step { name: "tools", about: "what the other steps need is installed", run: tools },
    Step { name: "fmt", about: "all code is formatted", run: fmt },
    Step {
        name: "core",
        about: "the core depends on no runtime, socket, clock or thread pool",
        run: core,
    },
    Step { name: "clippy", about: "no warnings, in tests, examples and benches too", run: clippy },
    Step {
        name: "features",
        about: "the library builds with each choice of its features",
        run: features,
    },
    Step { name: "doc", about: "the documentation builds without warnings", run: doc },
    Step { name: "build", about: "programs, libraries, examples and benches build", run: build },
    Step { name: "tests", about: "unit, property, simulator and end-to-end tests", run: tests },
    Step { name: "doctests", about: "the examples in the documentation", run: doctests },
    Step { name: "ffi", about: "C programs that use the library, and no leak", run: ffi::step },
    Step { name: "python", about: "the Python wheel, its types and its tests", run: python::step },
    Step {
        name: "embedding",
        about: "the programs of docs/embedding.md and its table of names, in Rust, C and Python",
        run: embedding::step,
    },
    Step { name: "windows", about: "the Windows program, under Wine", run: windows::step },
];

/// Crates that would bring a runtime, sockets, files, threads, a clock or the system's randomness into the core.
const NOT_IN_CORE: &[&str] = &[
    "async-std",
    "chrono",
    "filetime",
    "getrandom",
    "mio",
    "notify",
    "rayon",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "walkdir",
];

/// All crates, and of the library the part that is off by default too. Not `--all-features`: a crate may have one that
/// only suits another kind of build.
const EVERYTHING: &str = "--workspace --features liverysync/server";

/// What users of the library may choose beside [`EVERYTHING`].
const FEATURES: &[&str] = &["", "client", "server"];

/// The oldest Python that the peers of the tests run on.
const PYTHON: (u32, u32) = (3, 10);

/// The names of all steps.
pub(crate) fn names() -> String {
    STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(" ")
}

/// Which steps to run.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    only: Vec<String>,
    skip: Vec<String>,
}

impl Selection {
    pub(crate) fn parse(mut args: Parser) -> Result<Self> {
        let mut selection = Self::default();
        while let Some(arg) = args.next()? {
            let list = match arg {
                Arg::Long("only") => &mut selection.only,
                Arg::Long("skip") => &mut selection.skip,
                other => return Err(other.unexpected().into()),
            };
            let name = args.value()?.string()?;
            if !STEPS.iter().any(|step| step.name == name) {
                return Err(lexopt::Error::from(format!("there is no step {name:?}")).into());
            }
            list.push(name);
        }
        Ok(selection)
    }

    fn refusal(&self, step: &Step) -> Option<&'static str> {
        let listed = |names: &[String]| names.iter().any(|name| name == step.name);
        if listed(&self.skip) {
            Some("as asked for with --skip")
        } else if !self.only.is_empty() && !listed(&self.only) {
            Some("not asked for with --only")
        } else {
            None
        }
    }

    pub(crate) fn run(&self, workspace: &Workspace) -> Result<Passed> {
        let mut report = Report::default();
        for step in STEPS {
            let start = Instant::now();
            let result = if let Some(why) = self.refusal(step) {
                Ok(Outcome::Skipped(why.to_owned()))
            } else {
                println!("\n=== {}: {}", step.name, step.about);
                (step.run)(workspace)
            };
            if let Err(error) = &result {
                println!("error: {error:#}");
            }
            report.add(step, start.elapsed(), result);
        }
        print!("{}", report.text());
        Ok(!report.failed())
    }
}

fn tools(workspace: &Workspace) -> Result<Outcome> {
    let mut cc = workspace.command("cc");
    cc.arg("--version");
    let mut wrong = Vec::new();
    for (command, remedy) in [
        (workspace.cargo("clippy --version"), "needs `rustup component add clippy`"),
        (workspace.cargo("fmt --version"), "needs `rustup component add rustfmt`"),
        (cc, "needs a C compiler, such as Debian's package gcc"),
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
        format!("the tests talk to peers written in Python: needs python3 {major}.{minor} or newer")
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

fn core(workspace: &Workspace) -> Result<Outcome> {
    // For all platforms: a crate that only Windows pulls in counts as well.
    let tree =
        read(workspace.cargo("tree -p liverysync-core -e normal --target all --prefix none"))?;
    let crates: BTreeSet<_> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    ensure!(crates.contains("liverysync-core"), "cannot read the output of cargo tree:\n{tree}");
    let found: Vec<_> = NOT_IN_CORE.iter().filter(|name| crates.contains(*name)).collect();
    ensure!(
        found.is_empty(),
        "liverysync-core depends on {found:?}; `cargo tree -p liverysync-core -i NAME` shows why"
    );
    println!("{} crates, none of {NOT_IN_CORE:?}", crates.len());
    Ok(Outcome::Done)
}

fn clippy(workspace: &Workspace) -> Result<Outcome> {
    run(workspace.cargo(&format!("clippy --all-targets {EVERYTHING} -- -D warnings")))?;
    Ok(Outcome::Done)
}

fn features(workspace: &Workspace) -> Result<Outcome> {
    for features in FEATURES {
        run(workspace.cargo(&format!(
            "clippy -p liverysync --no-default-features --features={features} -- -D warnings"
        )))?;
    }
    Ok(Outcome::Done)
}

fn doc(workspace: &Workspace) -> Result<Outcome> {
    let mut command = workspace.cargo(&format!("doc --no-deps {EVERYTHING}"));
    command.env("RUSTDOCFLAGS", "-D warnings");
    run(command)?;
    Ok(Outcome::Done)
}

fn build(workspace: &Workspace) -> Result<Outcome> {
    run(build_all(workspace))?;
    Ok(Outcome::Done)
}

/// Builds all that is there to use. The C library is a `--lib` that nothing else here depends on.
pub(crate) fn build_all(workspace: &Workspace) -> Command {
    workspace.cargo(&format!("build --lib --bins --examples --benches {EVERYTHING}"))
}

fn tests(workspace: &Workspace) -> Result<Outcome> {
    cargo_test(workspace, "--tests")
}

fn doctests(workspace: &Workspace) -> Result<Outcome> {
    cargo_test(workspace, "--doc")
}

fn cargo_test(workspace: &Workspace, which: &str) -> Result<Outcome> {
    let mut command = workspace.cargo(&format!("test {which} --no-fail-fast {EVERYTHING}"));
    if env::var_os(PROPERTY_SEED).is_none() {
        // A check says the same of the same commit; to look for more, set another seed and PROPTEST_CASES.
        command.env(PROPERTY_SEED, "1");
    }
    let mut tally = Tally::default();
    let status = run_watched(command, |line| {
        if let Some(counted) = Tally::from_line(line) {
            tally += counted;
        }
    })?;
    if !status.success() && tally.failed == 0 {
        // It did not compile, or a test program died before it could count.
        tally.failed = 1;
    }
    Ok(Outcome::Tests(tally))
}
