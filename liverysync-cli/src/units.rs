//! Sizes, speeds and durations as people give them.

use std::time::Duration;

use liverysync::Limits;

use crate::text::values;

/// The longest duration that an option takes: a year.
const SECONDS_MAX: f64 = 366.0 * 24.0 * 3600.0;

/// Reads a size: a number of bytes, or one with a unit, such as `200MB` or `1.5 GiB`. Never zero.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        0 => Err(values::NOT_ZERO.to_owned()),
        size => Ok(size),
    }
}

/// Reads a size as [`parse_bytes`] does, where zero has a meaning of its own.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return Err(values::SIZE.to_owned()),
    };
    scale(number, factor, values::SIZE)
}

/// Reads a speed in bytes per second: a number, or one with a unit of bytes (`500 KB/s`,
/// `2MB`) or of bits (`10 Mbit/s`). `/s` may be left out. `none` is no limit.
pub(crate) fn parse_rate(text: &str) -> Result<Rate, String> {
    if text.trim().eq_ignore_ascii_case("none") {
        return Ok(Rate(None));
    }
    let (number, unit) = split_unit(text);
    let unit = unit.strip_suffix("/s").unwrap_or(unit).trim_end();
    if matches!(unit, "Kb" | "kb" | "Mb" | "mb" | "Gb" | "gb") {
        return Err(values::bytes_or_bits(unit));
    }
    let (factor, bits) = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => (1, 1),
        "k" | "kb" => (1000, 1),
        "m" | "mb" => (1_000_000, 1),
        "g" | "gb" => (1_000_000_000, 1),
        "kib" => (1 << 10, 1),
        "mib" => (1 << 20, 1),
        "gib" => (1 << 30, 1),
        "bit" => (1, 8),
        "kbit" => (1000, 8),
        "mbit" => (1_000_000, 8),
        "gbit" => (1_000_000_000, 8),
        _ => return Err(values::SPEED.to_owned()),
    };
    match scale(number, factor, values::SPEED)? / bits {
        0 => Err(values::NOT_ZERO_SPEED.to_owned()),
        rate if rate < Limits::MIN => Err(values::too_slow(Limits::MIN)),
        rate => Ok(Rate(Some(rate))),
    }
}

/// A speed limit in bytes per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) Option<u64>);

/// Splits a number from its unit.
fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..unit_at], text[unit_at..].trim())
}

/// Returns the bytes of a number of units of `factor` bytes each.
fn scale(number: &str, factor: u64, wanted: &str) -> Result<u64, String> {
    match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(factor).ok_or_else(|| values::TOO_LARGE.to_owned()),
        Err(_) => {
            let value: f64 = number.parse().map_err(|_| wanted)?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a fraction of a unit is rounded; a cast from a float never wraps"
            )]
            let size = (value * factor as f64).round() as u64;
            Ok(size)
        }
    }
}

/// Reads a duration in seconds, with or without a fraction. Never zero.
pub(crate) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.trim().parse().map_err(|_| values::SECONDS)?;
    if seconds == 0.0 {
        return Err(values::NOT_ZERO.to_owned());
    }
    if !(0.001..=SECONDS_MAX).contains(&seconds) {
        return Err(values::SECONDS_RANGE.to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Reads a number of things. Never zero.
pub(crate) fn parse_count(text: &str) -> Result<usize, String> {
    match text.trim().parse::<usize>() {
        Ok(0) => Err(values::NOT_ZERO.to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err(values::COUNT.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_a_unit() {
        for (text, size) in [
            ("1", 1),
            ("200MB", 200_000_000),
            ("1.5 GiB", 3 << 29),
            ("1TiB", 1 << 40),
            (" 10 k ", 10_000),
        ] {
            assert_eq!(parse_bytes(text), Ok(size), "{text}");
        }
        for wrong in ["", "MB", "-1", "1 XB", "1.2.3", "0", "0 MB", "0.0001", "99999999999TB"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn speeds_are_read_in_bytes_and_in_bits() {
        for (text, rate) in [
            ("500 KB/s", Some(500_000)),
            ("500kB/s", Some(500_000)),
            ("2MB", Some(2_000_000)),
            ("10 Mbit/s", Some(1_250_000)),
            ("1.5 MB/s", Some(1_500_000)),
            ("1 MiB/s", Some(1 << 20)),
            ("50000", Some(50_000)),
            ("400kbit", Some(50_000)),
            ("none", None),
            (" None ", None),
        ] {
            assert_eq!(parse_rate(text), Ok(Rate(rate)), "{text}");
        }
        for wrong in [
            "", "0", "0 MB/s", "49999", "1 B/s", "10 Mb/s", "10mb", "fast", "-1", "2MB/h", "MB/s",
            "1e9",
        ] {
            assert!(parse_rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_size_may_be_zero_only_where_that_means_something() {
        assert_eq!(parse_size("0"), Ok(0));
        assert_eq!(parse_size("8GB"), Ok(8_000_000_000));
        assert!(parse_bytes("0").is_err() && parse_size("").is_err());
    }

    #[test]
    fn seconds_are_never_zero_negative_or_endless() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_seconds("30"), Ok(Duration::from_secs(30)));
        for wrong in ["", "0", "0.0", "-1", "inf", "nan", "1e300", "1e-9", "5s"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }
}
