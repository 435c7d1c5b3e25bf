//! Walking a folder without following links.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
pub(crate) use self::linux::{list, list_open};
#[cfg(not(target_os = "linux"))]
pub(crate) use self::other::{list, list_open};
