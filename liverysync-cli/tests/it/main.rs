//! The program from outside: its command line, its outputs and its exit codes.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod backups;
mod client;
mod config;
mod demo;
mod identity;
mod league;
mod lint;
mod scan;
mod server;
mod status;
mod usage;
