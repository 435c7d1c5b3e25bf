//! `cargo xtask`: everything that takes more than cargo itself.
//!
//! Each subcommand, and each step of `test` that is more than a call of cargo, has a module of its own.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod api;
mod bench;
mod deps;
mod dist;
mod embedding;
mod ffi;
mod folder;
mod package;
mod peers;
mod python;
mod share;
mod steps;
mod test;
mod tools;
mod windows;

use std::process::ExitCode;

use anyhow::Result;
use lexopt::{Arg, Parser};
use xtask::workspace::Workspace;

const HELP: &str = "\
cargo xtask SUBCOMMAND

  test [--only STEP]... [--skip STEP]... [--all] [--without-nextest]
        Run every check of the project, and end with a table and the line `N passed, N failed`.
        Long tests run half of their rounds. Which half depends on the commit's hash. --all runs
        all rounds, and builds the packed crates.
        Cargo runs the tests with --without-nextest, as where nextest cannot be installed.
  windows [--build-only]
        Build the Windows program and check it under Wine.
  dist
        Build the optimised program, Python wheel, C header and libraries into the folder `dist` of
        the target folder.
  api [--write]
        Compare the public API with docs/api; --write updates the listings.
  bench [--quick] [FILTER]
        Run the benchmarks; --quick takes seconds instead of minutes.
  peers [OPTION]...
        Measure liverysync beside rsync and syncthing; `peers --help` lists the options.
  help
        Print this text.
";

/// The result of a subcommand. If it is `false`, the subcommand has already reported what failed.
type Passed = bool;

fn main() -> ExitCode {
    match run(Parser::from_env()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            if error.is::<lexopt::Error>() {
                eprintln!("error: {error}\n\n{}", help());
                return ExitCode::from(2);
            }
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: Parser) -> Result<Passed> {
    match args.next()? {
        Some(Arg::Value(name)) if name == "test" => {
            test::Selection::parse(args)?.run(&Workspace::find()?)
        }
        Some(Arg::Value(name)) if name == "windows" => {
            windows::Options::parse(args)?.run(&Workspace::find()?)
        }
        Some(Arg::Value(name)) if name == "bench" => {
            bench::Options::parse(args)?.run(&Workspace::find()?)
        }
        Some(Arg::Value(name)) if name == "peers" => peers::run_command(args, &Workspace::find()?),
        Some(Arg::Value(name)) if name == "dist" => dist::run_command(args, &Workspace::find()?),
        Some(Arg::Value(name)) if name == "api" => api::run_command(args, &Workspace::find()?),
        Some(Arg::Value(name)) if name == "help" => print_help(),
        Some(Arg::Short('h') | Arg::Long("help")) | None => print_help(),
        Some(other) => Err(other.unexpected().into()),
    }
}

fn print_help() -> Result<Passed> {
    println!("{}", help());
    Ok(true)
}

fn help() -> String {
    format!("{HELP}\nSteps of `test`: {}", test::names())
}
