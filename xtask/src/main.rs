//! `cargo xtask`: everything that takes more than cargo itself.

#![forbid(unsafe_code)]

fn main() {}
