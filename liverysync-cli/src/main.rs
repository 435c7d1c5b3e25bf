//! The program `liverysync`: the commands around the library of that name.
//!
//! [`cli`] defines all options, [`config`] fills them from the config file and from variables, `cmd` has one module per
//! command, [`text`] all texts for people, [`output`] prints them and JSON, [`exit`] reports failures.

#![forbid(unsafe_code)]

mod cli;
mod cmd;
mod config;
mod exit;
mod output;
mod seal;
mod text;
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
