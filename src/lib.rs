//! Keeps the custom liveries of a league the same on every driver's PC.

#![forbid(unsafe_code)]

pub use liverysync_core as core;
