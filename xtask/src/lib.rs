//! The part of `cargo xtask` that other tools of this workspace use: running programs, and finding the folders.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a part of programs for the terminal")]

pub mod process;
pub mod workspace;
