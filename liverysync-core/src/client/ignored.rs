//! Liveries that this PC does not want.

use crate::path::{first_component, fold};

/// Longest glob, in characters: the longest name of a folder.
const GLOB_CHARS_MAX: usize = 255;

/// The liveries that a driver does not want, as globs for the names of their folders. In a glob, `*` stands for any
/// characters or none and `?` for any one; everything else stands for itself, in upper or lower case.
///
/// An ignored livery is neither fetched nor shared, and what lies here of it stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored(Vec<Glob>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob {
    text: String,
    folded: Vec<char>,
}

impl Ignored {
    /// Reads a list: one glob per line. A line that begins with `#` is a comment; a glob that begins with `#` is
    /// written with a backslash in front. A line that is no glob ignores nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let globs = text.trim_start_matches('\u{feff}').lines().filter_map(glob_of);
        Self(globs.map(Glob::new).collect())
    }

    /// The globs, in the order of the list.
    pub fn globs(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|glob| glob.text.as_str())
    }

    /// Whether the livery of this path is ignored; the name of a livery will do.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let name: Vec<_> = fold(first_component(path)).chars().collect();
        self.0.iter().any(|glob| matches(&glob.folded, &name))
    }

    /// Checks a glob, and returns it as a line of a list.
    ///
    /// # Errors
    ///
    /// Refuses what no folder's name can be.
    pub fn line(glob: &str) -> Result<String, InvalidGlob> {
        let glob = glob.trim();
        let fits = !glob.is_empty() && glob.chars().count() <= GLOB_CHARS_MAX;
        if !fits || glob.contains(['/', '\\']) || glob.chars().any(char::is_control) {
            return Err(InvalidGlob);
        }
        Ok(if glob.starts_with('#') { format!("\\{glob}") } else { glob.to_owned() })
    }

    /// Whether a line of a list says the same as a glob.
    #[must_use]
    pub fn is_line_of(line: &str, glob: &str) -> bool {
        glob_of(line).is_some_and(|own| fold(own) == fold(glob.trim()))
    }
}

impl Glob {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), folded: fold(text).chars().collect() }
    }
}

/// The glob of a line, if it has one.
fn glob_of(line: &str) -> Option<&str> {
    let line = line.trim();
    let glob = if line.starts_with('#') { "" } else { line };
    Some(line.strip_prefix('\\').unwrap_or(glob)).filter(|glob| !glob.is_empty())
}

/// Whether a glob stands for a name. Where it does not fit, the last `*` takes one character more.
fn matches(glob: &[char], name: &[char]) -> bool {
    let (mut at, mut begun) = (0, 0);
    let mut star = None;
    while begun < name.len() {
        match (glob.get(at), star) {
            (Some('*'), _) => {
                star = Some((at + 1, begun));
                at += 1;
            }
            (Some(&c), _) if c == '?' || c == name[begun] => {
                at += 1;
                begun += 1;
            }
            (_, Some((after, taken))) => {
                star = Some((after, taken + 1));
                at = after;
                begun = taken + 1;
            }
            (_, None) => return false,
        }
    }
    glob[at..].iter().all(|c| *c == '*')
}

/// A text that is no glob for the names of liveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the name of a livery: it needs 1 to {GLOB_CHARS_MAX} characters, in which * stands for any characters and ? for \
     one, and no / or \\"
)]
pub struct InvalidGlob;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_stands_for_names_in_upper_and_lower_case() {
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
            let ignored = Ignored::parse(&Ignored::line(glob).unwrap());
            assert_eq!(ignored.covers(name), expected, "{glob} {name}");
            assert_eq!(ignored.covers(&format!("{name}/decals.png")), expected, "{glob} {name}");
        }
        assert!(!Ignored::default().covers("a"));
    }

    #[test]
    fn a_list_is_read_line_by_line() {
        let ignored = Ignored::parse("\u{feff}# not these\r\n\r\n  \\#2_*  \r\nTeam A\n\\\n");
        assert_eq!(ignored.globs().collect::<Vec<_>>(), ["#2_*", "Team A"]);
        assert!(ignored.covers("#2_TeamIris") && !ignored.covers("# not these"));
        assert!(Ignored::is_line_of(" \\#2_*", "#2_*") && Ignored::is_line_of("team a", "TEAM A"));
        assert!(!Ignored::is_line_of("# Team A", "Team A") && !Ignored::is_line_of("", "*"));
    }

    #[test]
    fn what_can_be_no_name_is_refused() {
        for glob in ["", "  ", "Team/decals.png", "Team\\decals.png", "a\nb", &"x".repeat(256)] {
            assert_eq!(Ignored::line(glob), Err(InvalidGlob), "{glob}");
        }
        assert_eq!(Ignored::line("#2_*").as_deref(), Ok("\\#2_*"));
    }

    #[test]
    fn a_hostile_glob_takes_no_time() {
        let ignored = Ignored::parse(&"*a".repeat(120));
        assert!(!ignored.covers(&"a".repeat(119)));
        assert!(!ignored.covers(&format!("{}b", "a".repeat(254))));
    }
}
