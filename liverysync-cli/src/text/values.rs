//! Values of options that are not accepted.

use liverysync::InvalidText;

use super::words::bytes;

pub(crate) const EMPTY_LIST: &str = "an empty list would share nothing";

pub(crate) const NOT_ZERO: &str = "0 does not mean unlimited; give the limit that you want";

pub(crate) const NOT_ZERO_SPEED: &str = "0 does not mean unlimited; leave it out, or give none";

pub(crate) const SIZE: &str = "a size is a number with or without a unit, such as 200MB or 1TiB";

pub(crate) const SPEED: &str = "a speed is a number of bytes per second, with or without a unit, such as 500 KB/s, 2MB or 10 Mbit/s; or none";

pub(crate) const TOO_LARGE: &str = "this is larger than any disk";

pub(crate) const SECONDS: &str = "a number of seconds, such as 30 or 0.5";

pub(crate) const SECONDS_RANGE: &str = "at least 0.001 seconds and at most a year";

pub(crate) const DATE: &str =
    "a date is given in this PC's time, such as \"2026-12-05 20:00\", or in the form of RFC 3339";

pub(crate) const COUNT: &str = "a whole number, 1 or more";

/// Reports a unit such as `Mb`.
pub(crate) fn bytes_or_bits(unit: &str) -> String {
    let prefix = unit[..1].to_ascii_uppercase();
    format!("{unit} may mean bytes or bits: write {prefix}B for bytes, or {prefix}bit")
}

pub(crate) fn too_slow(least: u64) -> String {
    format!(
        "at least {}/s: below that, each side would think the other had disconnected",
        bytes(least)
    )
}

pub(crate) fn glob(glob: &str, reason: &InvalidText) -> String {
    format!("{glob:?} is {reason}")
}
