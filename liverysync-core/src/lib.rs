//! The decisions of liverysync, without I/O.

#![forbid(unsafe_code)]

pub mod path;
pub mod text;
