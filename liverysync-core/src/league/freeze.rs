//! Freezes: liveries that do not change before a race.

use std::fmt;

use super::InvalidSetting;
use crate::{
    glob::{CHARS_MAX, Glob},
    path::fold,
    time::UnixTime,
};

/// The freezes of a league. A livery whose name matches one of their globs does not change until that freeze ends.
///
/// In text, each freeze has a line: its glob and, if it ends by itself, a tab and the date. No name of a livery has either
/// character that separates them.
// Programs see it as the value of a setting.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freezes(Vec<Freeze>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Freeze {
    glob: Glob,
    /// `None` for a freeze that an admin ends.
    until: Option<UnixTime>,
}

impl Freezes {
    /// Reads freezes from their text.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidSetting> {
        let invalid = |line: &str| InvalidSetting::Frozen { line: line.to_owned() };
        let mut freezes = Self::default();
        for line in text.lines() {
            let (glob, until) = match line.split_once('\t') {
                Some((glob, until)) => (glob, Some(until.parse().map_err(|_| invalid(line))?)),
                None => (line, None),
            };
            freezes.add(glob, until).map_err(|_| invalid(line))?;
        }
        Ok(freezes)
    }

    /// Adds a freeze. It replaces one with the same glob.
    ///
    /// # Errors
    ///
    /// Refuses a glob that no livery can match.
    pub fn add(&mut self, glob: &str, until: Option<UnixTime>) -> Result<(), InvalidSetting> {
        let fits = !glob.trim().is_empty() && glob.chars().count() <= CHARS_MAX;
        if !fits || glob.contains(['/', '\\']) || glob.chars().any(char::is_control) {
            return Err(InvalidSetting::Frozen { line: glob.to_owned() });
        }
        self.remove(glob);
        self.0.push(Freeze { glob: Glob::new(glob.trim()), until });
        Ok(())
    }

    /// Ends the freeze with this glob. Returns whether there was one.
    pub fn remove(&mut self, glob: &str) -> bool {
        let (glob, before) = (Glob::new(glob.trim()), self.0.len());
        self.0.retain(|freeze| !freeze.glob.is(&glob));
        self.0.len() < before
    }

    /// Returns each freeze: its glob, and the date of its end.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Option<UnixTime>)> {
        self.0.iter().map(|freeze| (freeze.glob.as_str(), freeze.until))
    }

    /// Returns when a livery, given by its name, may change again: `Some(None)` if an admin decides, and `None` if it is not
    /// frozen.
    pub(crate) fn end_for(&self, livery: &str) -> Option<Option<UnixTime>> {
        // Most leagues freeze nothing, and this is asked for every file.
        if self.0.is_empty() {
            return None;
        }
        let name: Vec<_> = fold(livery).chars().collect();
        let ends = self.0.iter().filter(|freeze| freeze.glob.matches(&name));
        // Without an end it lasts longer than any other.
        let ends = ends.map(|freeze| (freeze.until.is_none(), freeze.until));
        ends.max().map(|(_, until)| until)
    }

    /// Returns the date at which the next freeze ends by itself.
    #[cfg(feature = "server")]
    pub(crate) fn next_end(&self) -> Option<UnixTime> {
        self.0.iter().filter_map(|freeze| freeze.until).min()
    }

    /// Returns the freezes that have not ended at a date.
    pub(crate) fn at(&self, date: UnixTime) -> Self {
        let lasting = self.0.iter().filter(|freeze| freeze.until.is_none_or(|end| end > date));
        Self(lasting.cloned().collect())
    }
}

impl fmt::Display for Freezes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (glob, until)) in self.iter().enumerate() {
            let line = if number == 0 { "" } else { "\n" };
            write!(f, "{line}{glob}")?;
            if let Some(until) = until {
                write!(f, "\t{until}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> UnixTime {
        text.parse().unwrap()
    }

    #[test]
    fn freezes_survive_their_text_and_end_one_by_one() {
        let text = "WRT*\t2026-12-05T20:00:00Z\nSafety Car\nWRT_27\t2026-12-06T20:00:00Z";
        let freezes = Freezes::parse(text).unwrap();
        assert_eq!(freezes.to_string(), text);
        let end = date("2026-12-05T20:00:00Z");
        assert_eq!(freezes.next_end(), Some(end));
        assert_eq!(freezes.end_for("wrt_1"), Some(Some(end)));
        assert_eq!(freezes.end_for("WRT_27"), Some(Some(date("2026-12-06T20:00:00Z"))));
        assert_eq!(freezes.end_for("safety car"), Some(None));
        assert_eq!(freezes.end_for("Safety"), None);
        let later = freezes.at(end);
        assert_eq!(later.end_for("wrt_1"), None);
        assert_eq!(later.iter().len(), 2);
    }

    #[test]
    fn a_later_freeze_of_the_same_liveries_replaces_the_earlier_one() {
        let mut freezes = Freezes::parse("*\t2026-12-05T20:00:00Z").unwrap();
        freezes.add("*", None).unwrap();
        assert_eq!(freezes.to_string(), "*");
        assert!(freezes.remove(" * ") && !freezes.remove("*"));
        assert_eq!(freezes, Freezes::default());
    }

    #[test]
    fn what_is_no_freeze_is_refused() {
        for text in ["a/b", "*\ttomorrow", "*\t", " ", "a\\b", &"x".repeat(256)] {
            assert!(Freezes::parse(text).is_err(), "{text:?}");
        }
    }
}
