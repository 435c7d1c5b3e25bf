//! Lists of liveries: those that a driver ignores, and those that they share.

use crate::{
    glob::{CHARS_MAX as GLOB_CHARS_MAX, matches},
    list_file,
    path::{first_component, fold},
    text::InvalidText,
};

/// A list of liveries, as globs for the names of their folders: those that a driver ignores, or those that they share. In
/// a glob, `*` matches any characters or none, and `?` matches any one. All other characters match themselves, in upper or
/// lower case. A glob with `!` in front takes liveries out of what the globs before it cover: the last glob that matches a
/// livery counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveryGlobs(Vec<Glob>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob {
    text: String,
    folded: Vec<char>,
    is_exception: bool,
}

impl LiveryGlobs {
    /// The most liveries that a PC shares with a league that does not have them while its driver has not chosen any.
    pub const UNASKED_MAX: usize = 10;

    /// Reads a list with one glob per line. A line that begins with `#` is a comment. A glob for names that begin with `#`
    /// or `!` has a backslash in front.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(list_file::lines(text).filter_map(Glob::of_line).collect())
    }

    /// Returns the globs as the list has them, in its order. Exceptions begin with `!`.
    pub fn globs(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|glob| glob.text.as_str())
    }

    /// Returns the list that covers all liveries.
    #[must_use]
    pub fn all() -> Self {
        Self::parse("*")
    }

    /// Returns whether the list covers every livery, whatever its name.
    #[must_use]
    pub fn covers_all(&self) -> bool {
        self.0.last().is_some_and(|glob| glob.folded == ['*'] && !glob.is_exception)
    }

    /// Returns the globs that match none of these liveries, as the list has them. Exceptions count as the others.
    pub fn unmatched<'a>(&self, liveries: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut left: Vec<_> = self.0.iter().collect();
        for livery in liveries {
            if left.is_empty() {
                break;
            }
            let name: Vec<_> = fold(livery).chars().collect();
            left.retain(|glob| !matches(&glob.folded, &name));
        }
        left.into_iter().map(|glob| glob.text.clone()).collect()
    }

    /// Returns whether the list covers the livery of a path. The path may be only the livery's name.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        // Most drivers ignore nothing, and this is asked for every file.
        if self.0.is_empty() {
            return false;
        }
        let name: Vec<_> = fold(first_component(path)).chars().collect();
        let last = self.0.iter().rev().find(|glob| matches(&glob.folded, &name));
        last.is_some_and(|glob| !glob.is_exception)
    }

    /// Checks a glob, and returns it as a line of a list.
    ///
    /// # Errors
    ///
    /// Refuses a glob that no folder name can match.
    pub fn line(glob: &str) -> Result<String, InvalidText> {
        let glob = glob.trim();
        let (mark, name) = split_mark(glob);
        let fits = !name.is_empty() && name.chars().count() <= GLOB_CHARS_MAX;
        // A livery is ignored or shared as a whole, so a file in one cannot be named.
        if !fits || name.contains(['/', '\\']) || name.chars().any(char::is_control) {
            return Err(InvalidText::new(format!(
                "not the name of a livery: it needs 1 to {GLOB_CHARS_MAX} characters, in which * matches any characters and \
                 ? any one, and no / or \\"
            )));
        }
        Ok(if mark == "\\" { format!("\\{name}") } else { list_file::line(glob) })
    }

    /// Returns whether a line of a list is this glob, in upper or lower case.
    #[must_use]
    pub fn is_line_of(line: &str, glob: &str) -> bool {
        let glob = Self::line(glob).ok().and_then(|line| Glob::of_line(&line));
        glob.zip(Glob::of_line(line)).is_some_and(|(glob, own)| glob.is_same(&own))
    }
}

impl Glob {
    /// Reads the glob of a line, if it has one.
    fn of_line(line: &str) -> Option<Self> {
        let text = list_file::trimmed(line)?;
        let (mark, name) = split_mark(text);
        let folded: Vec<_> = fold(name).chars().collect();
        // A backslash tells a reader something only where its absence would.
        let text = if mark == "\\" && !name.starts_with('!') { name } else { text };
        let glob = Self { text: text.to_owned(), folded, is_exception: mark == "!" };
        (!glob.folded.is_empty()).then_some(glob)
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.folded, self.is_exception) == (&other.folded, other.is_exception)
    }
}

/// Splits a glob into its mark and the name: the `!` of an exception, or the backslash before a name's own `!` or `#`.
fn split_mark(glob: &str) -> (&str, &str) {
    glob.split_at(usize::from(glob.starts_with(['!', '\\'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_matches_names_in_upper_and_lower_case() {
        for (glob, name, expected) in [
            ("League Safety Car", "league SAFETY car", true),
            ("League Safety Car", "League Safety Car 2", false),
            ("équipe*", "ÉQUIPE CHLOÉ", true),
            ("*", "anything", true),
            ("*_992", "#2_TeamIris_992", true),
            ("*_992", "#2_TeamIris_992_992", true),
            ("*_992", "#2_TeamIris_991", false),
            ("#?_Team*", "#2_TeamIris", true),
            ("#?_Team*", "#12_TeamIris", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "acb", false),
            ("?", "é", true),
            ("a**", "a", true),
            ("[ABC] *", "[abc] Team", true),
            ("[ABC] *", "A Team", false),
        ] {
            let ignored = LiveryGlobs::parse(&LiveryGlobs::line(glob).unwrap());
            assert_eq!(ignored.covers(name), expected, "{glob} {name}");
            assert_eq!(ignored.covers(&format!("{name}/decals.png")), expected, "{glob} {name}");
        }
        assert!(!LiveryGlobs::default().covers("a"));
    }

    #[test]
    fn a_list_is_read_line_by_line() {
        let ignored = LiveryGlobs::parse("\u{feff}# not these\r\n\r\n  \\#2_*  \r\nTeam A\n\\\n");
        assert_eq!(ignored.globs().collect::<Vec<_>>(), ["#2_*", "Team A"]);
        assert!(ignored.covers("#2_TeamIris") && !ignored.covers("# not these"));
        assert!(
            LiveryGlobs::is_line_of(" \\#2_*", "#2_*")
                && LiveryGlobs::is_line_of("team a", "TEAM A")
        );
        assert!(
            !LiveryGlobs::is_line_of("# Team A", "Team A") && !LiveryGlobs::is_line_of("", "*")
        );
    }

    #[test]
    fn a_glob_that_can_match_no_name_is_refused() {
        for glob in ["", "  ", "Team/decals.png", "Team\\decals.png", "a\nb", &"x".repeat(256)] {
            assert!(LiveryGlobs::line(glob).is_err(), "{glob}");
        }
        assert_eq!(LiveryGlobs::line("#2_*").as_deref(), Ok("\\#2_*"));
    }

    #[test]
    fn the_last_glob_that_matches_decides() {
        let ignored = LiveryGlobs::parse("*\n!904*\n904 old\n\\!Safety\n");
        for (name, expected) in [
            ("77 Iris", true),
            ("904", false),
            ("904 Mine", false),
            ("904 OLD", true),
            ("!Safety", true),
        ] {
            assert_eq!(ignored.covers(name), expected, "{name}");
        }
        assert!(!LiveryGlobs::parse("!904*").covers("77 Iris"));
        assert_eq!(ignored.globs().collect::<Vec<_>>(), ["*", "!904*", "904 old", "\\!Safety"]);
    }

    #[test]
    fn an_exception_and_a_name_with_an_exclamation_mark_differ() {
        assert_eq!(LiveryGlobs::line("!904*").as_deref(), Ok("!904*"));
        assert_eq!(LiveryGlobs::line("\\!Safety").as_deref(), Ok("\\!Safety"));
        assert!(LiveryGlobs::line("!").is_err() && LiveryGlobs::line("\\").is_err());
        assert!(LiveryGlobs::is_line_of("!team a", "!TEAM A"));
        assert!(LiveryGlobs::is_line_of("\\!Safety", "\\!safety"));
        assert!(!LiveryGlobs::is_line_of("!Safety", "\\!Safety"));
        assert!(!LiveryGlobs::is_line_of("Safety", "!Safety"));
    }

    #[test]
    fn a_list_may_cover_all_liveries() {
        for (text, expected) in [
            ("*", true),
            ("a\n*", true),
            ("", false),
            ("!*", false),
            ("*\n!a", false),
            ("a*", false),
        ] {
            assert_eq!(LiveryGlobs::parse(text).covers_all(), expected, "{text:?}");
        }
        assert!(LiveryGlobs::all().covers_all() && LiveryGlobs::all().covers("77 Iris"));
    }

    #[test]
    fn globs_that_match_no_livery_are_found() {
        let list = LiveryGlobs::parse("904*\nTaem B\n!TEAM a\n!Team C\n");
        assert_eq!(list.unmatched(["904 Mine", "Team A"]), ["Taem B", "!Team C"]);
        assert!(LiveryGlobs::default().unmatched(["a"]).is_empty());
    }

    #[test]
    fn a_hostile_glob_takes_no_time() {
        let ignored = LiveryGlobs::parse(&"*a".repeat(120));
        assert!(!ignored.covers(&"a".repeat(119)));
        assert!(!ignored.covers(&format!("{}b", "a".repeat(254))));
    }
}
