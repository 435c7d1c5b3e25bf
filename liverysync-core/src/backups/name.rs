//! The names of backup sets.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use serde::{Serialize, Serializer};

/// The form of a moment, `YYYYMMDD_HHMMSS`, for `strftime` and its like.
pub const MOMENT_FORMAT: &str = "%Y%m%d_%H%M%S";

/// Length of a moment.
const MOMENT_LEN: usize = 15;

/// The parts of a moment after the year: the position and the range of each.
const PARTS: [(usize, RangeInclusive<u8>); 5] =
    [(4, 1..=12), (6, 1..=31), (9, 0..=23), (11, 0..=59), (13, 0..=59)];

/// The name of a backup set: a moment in local time, `YYYYMMDD_HHMMSS`, and a number from 2 on if there are several in one
/// second: `YYYYMMDD_HHMMSS_2`. The oldest comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetName {
    moment: String,
    /// 1 for the first set of a second, whose name has no number.
    number: u32,
}

impl SetName {
    /// Returns the moment alone, `YYYYMMDD_HHMMSS`. Its month may not have that many days.
    #[must_use]
    pub fn moment(&self) -> &str {
        &self.moment
    }

    /// Returns the next name for a set of the same moment, for when this one is taken.
    #[must_use]
    pub fn next(&self) -> Option<Self> {
        Some(Self { moment: self.moment.clone(), number: self.number.checked_add(1)? })
    }
}

/// Error for a text that cannot be the name of a backup set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a backup set is a date and a time, such as 20250301_201500")]
pub struct InvalidSetName;

impl FromStr for SetName {
    type Err = InvalidSetName;

    fn from_str(text: &str) -> Result<Self, InvalidSetName> {
        let (moment, rest) = text.split_at_checked(MOMENT_LEN).ok_or(InvalidSetName)?;
        let number = match rest.strip_prefix('_') {
            None if rest.is_empty() => 1,
            None => return Err(InvalidSetName),
            Some(digits) => digits.parse().map_err(|_| InvalidSetName)?,
        };
        let name = Self { moment: moment.to_owned(), number };
        // Each name has only one spelling, so `_02` is not a set.
        if is_moment(moment) && number > 0 && name.to_string() == text {
            Ok(name)
        } else {
            Err(InvalidSetName)
        }
    }
}

fn is_moment(text: &str) -> bool {
    let is_right =
        |(at, byte): (usize, u8)| if at == 8 { byte == b'_' } else { byte.is_ascii_digit() };
    let fits = |(at, range): &(usize, RangeInclusive<u8>)| {
        text.get(*at..at + 2)
            .and_then(|part| part.parse().ok())
            .is_some_and(|part| range.contains(&part))
    };
    text.bytes().enumerate().all(is_right) && PARTS.iter().all(fits)
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            1 => f.write_str(&self.moment),
            number => write!(f, "{}_{number}", self.moment),
        }
    }
}

impl Serialize for SetName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_distinguished_from_other_folders() {
        for name in ["20250301_201500", "20250301_201500_2", "20250301_201500_10"] {
            assert_eq!(name.parse::<SetName>().unwrap().to_string(), name);
        }
        for other in [
            "",
            "old",
            "20250301-201500",
            "20250301_20150",
            "20250301_2015000",
            "20251301_201500",
            "20250300_201500",
            "20250301_241500",
            "20250301_201560",
            "20250301_201500_",
            "20250301_201500_1",
            "20250301_201500_02",
            "20250301_201500_+2",
            "20250301_201500_0",
            "20250301_201500_99999999999",
            "20250301_201500/x",
            "+0250301_201500",
            "2025030\u{e9}_20150",
            "２0250301_2015",
        ] {
            assert_eq!(other.parse::<SetName>(), Err(InvalidSetName), "{other}");
        }
    }

    #[test]
    fn sets_of_one_moment_are_numbered() {
        let check = |name: &str, expected: Option<&str>| {
            let next = name.parse::<SetName>().unwrap().next().map(|next| next.to_string());
            assert_eq!(next.as_deref(), expected, "{name}");
        };
        check("20250301_201500", Some("20250301_201500_2"));
        check("20250301_201500_2", Some("20250301_201500_3"));
        check("20250301_201500_4294967295", None);
    }

    #[test]
    fn the_oldest_comes_first() {
        let names =
            ["20241231_235959", "20250301_201500", "20250301_201500_2", "20250301_201500_10"];
        let names = names.map(|name| name.parse::<SetName>().unwrap());
        assert!(names.is_sorted());
    }
}
