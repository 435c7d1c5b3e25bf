//! Whole leagues of real processes on loopback, in temporary folders.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod administration;
mod backups;
mod conflicts;
mod database;
mod faults;
mod forwarder;
mod holds;
mod ignoring;
mod league;
mod leagues;

mod one_pass;
mod process;
mod protocol_1;
mod sharing;
mod store;
