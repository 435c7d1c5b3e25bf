//! `cargo xtask`: everything that takes more than cargo itself.
//!
//! One file per subcommand; [`steps`] and [`process`] are what they share.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod bench;
mod dist;
mod embedding;
mod ffi;
mod folder;
mod peers;
mod python;
mod steps;
mod test;
mod windows;

use std::process::ExitCode;

use anyhow::Result;
use lexopt::{Arg, Parser};
use xtask::workspace::Workspace;

const HELP: &str = "\
cargo xtask SUBCOMMAND

  test [--only STEP]... [--skip STEP]...
        Runs every check of the project. The last line is `N passed, N failed`; a step that has
        no tests of its own counts as one.
  windows [--build-only]
        Builds the Windows program and runs its checks under Wine.
  dist
        Builds what others take, optimised, into the folder `dist` of the target folder: the program, the
        Python wheel, the C header and both libraries.
  bench [--quick] [FILTER]
        Runs the benchmarks, with --quick in seconds instead of minutes.
  peers [OPTION]...
        Measure liverysync beside rsync and syncthing; `peers --help` lists the options.
  help
        Prints this text.
";

/// A subcommand: done, or with something failed that it has already reported.
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
