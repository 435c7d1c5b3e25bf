//! `cargo xtask peers`: measures liverysync beside rsync and syncthing, in turn, on the same data.
//!
//! Nothing is installed: a program that is missing is left out, and the table says so. The runs use loopback, or a
//! network made for them.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod cases;
mod data;
mod machine;
mod measure;
mod ours;
mod rsync;
mod site;
mod syncthing;
mod table;
mod uplink;

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use lexopt::{Arg, Parser, ValueExt as _};
use tempfile::TempDir;
use xtask::process::read;
use xtask::workspace::Workspace;

use crate::cases::{Group, Program, Run};
use crate::data::{L, M, S, Set, Spec, UPLINK};
use crate::ours::Ours;
use crate::site::{Round, Site, Task, settle};
use crate::table::{Report, Row};

const HELP: &str = "\
cargo xtask peers [OPTION]...

Measure liverysync beside rsync and syncthing, where they are installed, on the same data.

  --set S|M|L|uplink  Measure this set only; repeat it for several sets
  --rounds N          Run each program N times (default: 5)
  --uplink            Add a slow uplink, in a network of its own; needs root
  --json FILE         Write the figures as JSON
  --markdown FILE     Write the table as Markdown
  -h, --help          Print this text
";

/// The rounds of a run without `--rounds`.
const ROUNDS: usize = 5;

/// The most rounds: more of them make no figure better.
const MOST_ROUNDS: usize = 100;

/// The folders of a set with fewer files are removed after its group. Those of a larger set stay until the end, because
/// their removal would slow down the next run.
const FEW_FILES: usize = 1_000;

/// The start of the names of temporary folders.
const RUN: &str = "run-";

/// The bytes that have to stay free on the disk.
const SPARE: u64 = 5_000_000_000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<lexopt::Error>() => {
            eprintln!("error: {error}\n\n{HELP}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let options = Options::parse(Parser::from_env())?;
    if options.help {
        println!("{HELP}");
        return Ok(());
    }
    options.run(&Workspace::find()?)
}

/// The sets and rounds to run, and the files to write.
#[derive(Debug, Default)]
struct Options {
    help: bool,
    sets: Vec<&'static Spec>,
    rounds: usize,
    uplink: bool,
    only_uplink: bool,
    json: Option<PathBuf>,
    markdown: Option<PathBuf>,
}

impl Options {
    fn parse(mut args: Parser) -> Result<Self> {
        let mut options = Self { rounds: ROUNDS, ..Self::default() };
        while let Some(arg) = args.next()? {
            match arg {
                Arg::Short('h') | Arg::Long("help") => options.help = true,
                Arg::Long("set") => options.add_set(&args.value()?.string()?)?,
                Arg::Long("rounds") => options.rounds = rounds(args.value()?.parse()?)?,
                Arg::Long("uplink") => options.uplink = true,
                Arg::Long("json") => options.json = Some(args.value()?.into()),
                Arg::Long("markdown") => options.markdown = Some(args.value()?.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }

    fn run(&self, workspace: &Workspace) -> Result<()> {
        if self.uplink {
            ensure!(rsync::runs_as_root()?, "--uplink makes a network of its own: run it as root");
        }
        let bench = Bench::new(workspace, self.rounds)?;
        let mut report = Report { limits: bench.limits()?, ..Report::default() };
        for group in cases::loopback(&self.chosen_sets()) {
            report.rows.extend(bench.group(&group, &Site::loopback())?);
        }
        if self.uplink {
            let network = uplink::Network::new()?;
            report.rows.extend(bench.group(&cases::uplink(), &network.site())?);
        }
        report.conditions = bench.conditions(workspace);
        self.publish(&report)
    }

    fn add_set(&mut self, name: &str) -> Result<()> {
        if name == UPLINK.name {
            self.only_uplink = self.sets.is_empty();
            self.uplink = true;
            return Ok(());
        }
        let found = [&S, &M, &L].into_iter().find(|spec| spec.name == name);
        self.sets.push(found.ok_or_else(|| {
            lexopt::Error::from(format!(
                "there is no set {name:?}; the sets are S, M, L and uplink"
            ))
        })?);
        Ok(())
    }

    /// Returns the sets that the options name, or all.
    fn chosen_sets(&self) -> Vec<&'static Spec> {
        if self.sets.is_empty() && !self.only_uplink {
            return vec![&S, &L, &M];
        }
        self.sets.clone()
    }

    fn publish(&self, report: &Report) -> Result<()> {
        print!("{}", report.text());
        if let Some(file) = &self.json {
            fs::write(file, format!("{:#}\n", report.json()))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        if let Some(file) = &self.markdown {
            fs::write(file, report.markdown())
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }
}

fn rounds(number: usize) -> Result<usize> {
    if (1..=MOST_ROUNDS).contains(&number) {
        return Ok(number);
    }
    Err(lexopt::Error::from(format!("--rounds is from 1 to {MOST_ROUNDS}")).into())
}

/// Removes the folders of a run that was killed. The caller has to hold the lock.
fn remove_leftovers(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(RUN) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// The programs and folders that all runs share.
struct Bench {
    /// The folder for data sets and runs. The lock keeps other instances out.
    folder: PathBuf,
    _lock: File,
    rounds: usize,
    ours: Ours,
    rsync: Result<String, String>,
    syncthing: Result<String, String>,
    /// Folders that are removed at the end.
    kept: RefCell<Vec<TempDir>>,
    /// The largest share of all cores that other programs used just before a run.
    others: Cell<f64>,
}

impl Bench {
    fn new(workspace: &Workspace, rounds: usize) -> Result<Self> {
        let folder = workspace.target.join("peers");
        fs::create_dir_all(folder.join("data"))?;
        let lock = File::create(folder.join("lock"))?;
        lock.try_lock().context("another `cargo xtask peers` is running")?;
        remove_leftovers(&folder)?;
        Ok(Self {
            folder,
            _lock: lock,
            rounds,
            ours: Ours::build(workspace)?,
            rsync: rsync::version().map_err(|_| "not present".to_owned()),
            syncthing: syncthing::version().map_err(|_| "not present".to_owned()),
            kept: RefCell::default(),
            others: Cell::default(),
        })
    }

    fn new_folder(&self) -> Result<TempDir> {
        Ok(tempfile::Builder::new().prefix(RUN).tempdir_in(&self.folder)?)
    }

    fn limits(&self) -> Result<Vec<(String, String)>> {
        let folder = self.new_folder()?;
        settle()?;
        machine::wait_for_quiet()?;
        machine::limits(folder.path())
    }

    fn conditions(&self, workspace: &Workspace) -> Vec<(String, String)> {
        let mut list = machine::conditions(workspace, &self.folder);
        let mut add = |key: &str, value: String| list.push((key.to_owned(), value));
        let version = |found: &Result<String, String>| found.clone().unwrap_or_else(|why| why);
        add("rsync", version(&self.rsync));
        add("syncthing", version(&self.syncthing));
        add("rounds", format!("{}, the programs in turn; medians", self.rounds));
        add(
            "used by other programs before a run",
            format!("at most {:.0} % of all cores", self.others.get() * 100.0),
        );
        if let Some(peak) = machine::own_peak() {
            add(
                "smallest peak that can be measured",
                format!("{:.0} MB, of the tool itself", peak as f64 / 1e6),
            );
        }
        list
    }

    /// Runs all of a group in turn, once in each round.
    fn group(&self, group: &Group, site: &Site) -> Result<Vec<Row>> {
        let set = Set::prepare(group.set, &self.folder.join("data"))?;
        self.ensure_space(group)?;
        set.warm()?;
        let folder = self.new_folder()?;
        let mut results: Vec<Vec<Round>> = vec![Vec::new(); group.runs.len()];
        for number in 0..self.rounds {
            for (run, rounds) in group.runs.iter().zip(&mut results) {
                if self.present(run.program).is_ok() {
                    let room = folder.path().join(format!("{number}-{}", run.label()));
                    rounds.push(self.run(run, &set, site, &room, number == 0)?);
                }
            }
        }
        if group.set.files().len() < FEW_FILES {
            drop(folder);
            settle()?;
        } else {
            self.kept.borrow_mut().push(folder);
        }
        Ok(group.rows(&results, |program| self.present(program)))
    }

    fn run(&self, run: &Run, set: &Set, site: &Site, room: &Path, bytes: bool) -> Result<Round> {
        fs::create_dir(room)?;
        let task = Task {
            set,
            targets: run.targets,
            again: run.again.is_some(),
            dropped: run.dropped.is_some(),
            site,
            room,
            bytes,
        };
        settle()?;
        if let Some(busy) = machine::wait_for_quiet()? {
            self.others.set(self.others.get().max(busy));
        }
        machine::warm_memory()?;
        let round = match run.program {
            Program::Rsync => rsync::round(&task),
            Program::Ours => self.ours.round(&task),
            Program::Syncthing => syncthing::round(&task),
        }
        .with_context(|| format!("{} with {}", run.case, run.program.name()))?;
        println!("{:>8.3} s  {}, {}", round.copy.wall.as_secs_f64(), run.case, run.program.name());
        Ok(round)
    }

    /// Checks that a program is there. The error is the reason why it is left out.
    fn present(&self, program: Program) -> Result<(), String> {
        match program {
            Program::Rsync => self.rsync.clone().map(drop),
            Program::Ours => Ok(()),
            Program::Syncthing => self.syncthing.clone().map(drop),
        }
    }

    fn ensure_space(&self, group: &Group) -> Result<()> {
        let copies: usize = group.runs.iter().map(|run| run.targets + 1).sum();
        let needed = group.set.bytes * (copies * self.rounds) as u64 + SPARE;
        let mut df = Command::new("df");
        df.args(["-B1", "--output=avail"]).arg(&self.folder);
        let text = read(df)?;
        let free: u64 = text
            .lines()
            .nth(1)
            .and_then(|line| line.trim().parse().ok())
            .context("cannot read the free space from `df`")?;
        ensure!(
            free > needed,
            "{} runs need {:.0} GB and {:.0} GB are free: use fewer --rounds",
            group.set.name,
            needed as f64 / 1e9,
            free as f64 / 1e9
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options> {
        Options::parse(Parser::from_args(args))
    }

    #[test]
    fn all_sets_are_run_unless_some_are_named() {
        let names = |args: &[&str]| -> Vec<_> {
            parse(args).unwrap().chosen_sets().iter().map(|spec| spec.name).collect()
        };
        assert_eq!(names(&[]), ["S", "L", "M"]);
        assert_eq!(names(&["--set", "M"]), ["M"]);
        assert_eq!(names(&["--uplink", "--set=S", "--set=M"]), ["S", "M"]);
        assert_eq!(names(&["--uplink"]), ["S", "L", "M"]);
        assert!(names(&["--set=uplink"]).is_empty());
        assert_eq!(names(&["--set=uplink", "--set=L"]), ["L"]);
    }

    #[test]
    fn folders_of_a_killed_run_are_removed_and_the_data_stays() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["run-a1/0-rsync-1", "data/S"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("lock"), "").unwrap();
        remove_leftovers(folder.path()).unwrap();
        assert!(!folder.path().join("run-a1").exists());
        assert!(folder.path().join("data/S").exists() && folder.path().join("lock").exists());
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        for args in [&["--set", "X"][..], &["--rounds", "0"], &["--rounds=101"], &["--fast"]] {
            assert!(parse(args).unwrap_err().is::<lexopt::Error>(), "{args:?}");
        }
        assert_eq!(parse(&["--rounds", "3"]).unwrap().rounds, 3);
    }
}
