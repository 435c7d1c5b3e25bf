//! The simulator: a whole league in one process, in virtual time, from one seed.
//!
//! ```sh
//! LIVERYSYNC_SIM_SEED=17 cargo test -p liverysync-core --test sim seeds   # one seed, with its log
//! LIVERYSYNC_SIM_SEEDS=20000 cargo test -p liverysync-core --test sim seeds
//! ```

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
mod lineage;
mod named;
mod net;
mod old_hub;
mod old_pc;
mod plane;
mod rig;
mod rng;
mod script;

use std::panic::{AssertUnwindSafe, catch_unwind};

use script::Script;

/// Runs one seed, and returns the hash of all that happened.
fn run_seed(seed: u64, log: bool) -> u64 {
    let (mut world, mut script) = Script::new(seed);
    world.log = log;
    if log {
        println!("seed {seed}: {:?}", script.options);
    }
    script.run(&mut world);
    world.trace
}

/// Runs one seed, and says how to see it again if it fails.
fn check_seed(seed: u64, log: bool) -> Result<u64, String> {
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

#[expect(clippy::disallowed_methods, reason = "the seeds to run come from the environment")]
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "seeds run on two threads")]
fn seeds() {
    if let Some(seed) = number("LIVERYSYNC_SIM_SEED") {
        check_seed(seed, true).unwrap_or_else(|failure| panic!("{failure}"));
        return;
    }
    let first = number("LIVERYSYNC_SIM_FIRST").unwrap_or(1);
    let last = first + number("LIVERYSYNC_SIM_SEEDS").unwrap_or(2000);
    println!("seeds {first} to {}", last - 1);
    let lane = |offset: u64| {
        let seeds = (first + offset..last).step_by(2);
        seeds.filter_map(|seed| check_seed(seed, false).err()).collect::<Vec<_>>()
    };
    let mut failures = std::thread::scope(|scope| {
        let other = scope.spawn(|| lane(1));
        let mut failures = lane(0);
        failures.extend(other.join().expect("failures are caught"));
        failures
    });
    failures.sort_unstable();
    let count = failures.len();
    assert!(failures.is_empty(), "{count} seeds failed\n{}", failures.join("\n"));
}

#[test]
fn a_seed_run_twice_is_the_same_run() {
    for seed in [1, 2, 3, 4, 5, 6, 7, 8] {
        assert_eq!(check_seed(seed, false), check_seed(seed, false), "seed {seed}");
    }
}
