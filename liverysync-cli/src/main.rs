//! The program `liverysync`: a thin skin over the library of that name.
//!
//! [`cli`] has all options, [`config`] feeds them from the config file and from variables, `cmd` has one
//! module per command, [`output`] everything that is printed, [`exit`] how the program ends.

#![forbid(unsafe_code)]

mod cli;
mod cmd;
mod config;
mod exit;
mod output;
mod units;

use std::process::ExitCode;

use crate::exit::Failure;

fn main() -> ExitCode {
    exit::report(run())
}

fn run() -> Result<(), Failure> {
    let args: Vec<_> = std::env::args_os().collect();
    cmd::run(config::parse(&args)?)
}
