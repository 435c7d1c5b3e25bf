//! The simulator: a whole league in one process, in virtual time, from one seed.
//!
//! ```sh
//! LIVERYSYNC_SIM_SEED=17 cargo test -p liverysync-core --test sim seeds         # one seed, with its log
//! LIVERYSYNC_SIM_SEEDS=20000 cargo test -p liverysync-core --test sim seeds
//! LIVERYSYNC_SIM_WRITE_TRACES=1 cargo test -p liverysync-core --test sim seeds  # writes the expected trace hashes
//! ```
//!
//! # Trace hashes
//!
//! `traces.txt` holds two hashes of each seed that every test run checks: one of what the machines decide, and one of
//! when they tell people something. [`trace`] says what counts. The test `seeds` fails if a hash differs.
//!
//! - A commit that moves or renames code keeps all hashes. If one changes, the commit changes more than it says.
//! - A commit that changes a decision comes alone. It brings the new `traces.txt`, and its message says which seeds
//!   change and why. `LIVERYSYNC_SIM_WRITE_TRACES=1` writes the file and prints the seeds.
//! - Two branches that both change `traces.txt` conflict there. Take either file, then write it once more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a simulator may panic and print"
)]

mod book;
mod disk;
mod fan_out;
mod judge;
mod known;
mod liar;
mod net;
mod old_pc;
mod old_server;
mod plane;
mod reduced;
mod rig;
mod rng;
mod scenarios;
mod script;
mod seasons;
#[path = "../../../tests/share/mod.rs"]
mod share;
mod trace;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use script::Script;

/// The folded trace hashes of one run: of the decisions, and of the events.
type Hashes = [u32; 2];

/// Seeds that every test run checks, from 1 on.
const SEEDS: u64 = 2000;

fn run_seed(seed: u64, log: bool) -> Hashes {
    let (mut world, mut script) = Script::new(seed);
    world.log = log;
    if log {
        println!("seed {seed}: {:?}", script.options);
    }
    script.run(&mut world);
    world.trace.hashes().map(|hash| (hash ^ (hash >> 32)) as u32)
}

/// Runs one seed. If it fails, the text says why and how to replay it.
fn check_seed(seed: u64, log: bool) -> Result<Hashes, String> {
    catch_unwind(AssertUnwindSafe(|| run_seed(seed, log))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let options = Script::new(seed).1.options;
        format!(
            "seed {seed} failed: {}\n  {options:?}\n  replay: LIVERYSYNC_SIM_SEED={seed} cargo test -p \
             liverysync-core --test sim seeds",
            text.unwrap_or_default()
        )
    })
}

/// Returns the hashes in `traces.txt` by seed.
fn expected_traces() -> BTreeMap<u64, Hashes> {
    let line = |line: &str| {
        let mut words = line.split(' ');
        let seed = words.next()?.parse().ok()?;
        let mut hash = || u32::from_str_radix(words.next()?, 16).ok();
        Some((seed, [hash()?, hash()?]))
    };
    let lines = include_str!("traces.txt").lines();
    lines.map(|text| line(text).unwrap_or_else(|| panic!("traces.txt: {text:?}"))).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test writes what later runs are compared with")]
fn write_traces(traces: &BTreeMap<u64, Hashes>) {
    let lines = traces
        .iter()
        .map(|(seed, [decisions, events])| format!("{seed} {decisions:08x} {events:08x}\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/traces.txt");
    std::fs::write(path, lines.collect::<String>()).expect("traces.txt can be written");
}

/// Returns the seeds whose hashes are not as expected, in words; empty if all are.
fn changes(traces: &BTreeMap<u64, Hashes>) -> String {
    let expected = expected_traces();
    let mut text = String::new();
    for (index, what) in ["decisions", "events"].into_iter().enumerate() {
        let changed = traces.iter().filter(|(seed, hashes)| {
            let old = expected.get(seed);
            old.map_or(**seed <= SEEDS, |old| old[index] != hashes[index])
        });
        let seeds: Vec<_> = changed.map(|(seed, _)| seed.to_string()).collect();
        if !seeds.is_empty() {
            text += &format!("{what} change in {} seeds: {}\n", seeds.len(), seeds.join(" "));
        }
    }
    text
}

#[expect(clippy::disallowed_methods, reason = "the seeds to run come from the environment")]
fn setting(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

fn number(variable: &str) -> Option<u64> {
    let text = setting(variable)?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "seeds run on two threads")]
fn seeds() {
    if let Some(seed) = number("LIVERYSYNC_SIM_SEED") {
        let hashes = check_seed(seed, true).unwrap_or_else(|failure| panic!("{failure}"));
        print!("{}", changes(&BTreeMap::from([(seed, hashes)])));
        return;
    }
    let first = number("LIVERYSYNC_SIM_FIRST").unwrap_or(1);
    let last = first + number("LIVERYSYNC_SIM_SEEDS").unwrap_or(SEEDS);
    let seeds: Vec<_> = share::rounds(first..last, setting(share::VARIABLE).as_deref()).collect();
    println!("{} of the seeds {first} to {}", seeds.len(), last - 1);
    let lane = |offset: usize| {
        let seeds = seeds.iter().skip(offset).step_by(2);
        seeds.map(|&seed| (seed, check_seed(seed, false))).collect::<Vec<_>>()
    };
    let mut outcomes = std::thread::scope(|scope| {
        let other = scope.spawn(|| lane(1));
        let mut outcomes = lane(0);
        outcomes.extend(other.join().expect("failures are caught"));
        outcomes
    });
    outcomes.sort_unstable_by_key(|(seed, _)| *seed);
    let (mut traces, mut failures) = (BTreeMap::new(), Vec::new());
    for (seed, outcome) in outcomes {
        match outcome {
            Ok(hashes) => drop(traces.insert(seed, hashes)),
            Err(failure) => failures.push(failure),
        }
    }
    let count = failures.len();
    assert!(failures.is_empty(), "{count} seeds failed\n{}", failures.join("\n"));
    let changes = changes(&traces);
    if number("LIVERYSYNC_SIM_WRITE_TRACES").is_some() {
        assert!(seeds.iter().copied().eq(1..=SEEDS), "traces.txt holds the seeds 1 to {SEEDS}");
        print!("{changes}");
        write_traces(&traces);
    } else {
        assert!(
            changes.is_empty(),
            "{changes}If that is meant: LIVERYSYNC_SIM_WRITE_TRACES=1 cargo test -p liverysync-core --test sim seeds -- \
             --nocapture"
        );
    }
}

#[test]
fn replaying_a_seed_gives_the_same_trace() {
    for seed in 1..=20 {
        let trace = check_seed(seed, false).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(Ok(trace), check_seed(seed, false), "seed {seed}");
        assert_ne!(Ok(trace), check_seed(seed + 1, false), "seed {seed}");
    }
}
