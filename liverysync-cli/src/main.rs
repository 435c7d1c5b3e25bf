//! The program `liverysync`.

#![forbid(unsafe_code)]

fn main() {}
