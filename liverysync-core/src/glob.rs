//! Globs for the names of liveries.

use crate::path::fold;

/// Longest glob, in characters: that of the longest folder name.
pub(crate) const CHARS_MAX: usize = 255;

/// A glob. `*` matches any characters or none, and `?` matches any one. All other characters match themselves, in upper or
/// lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    text: String,
    folded: Vec<char>,
}

impl Glob {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), folded: fold(text).chars().collect() }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether it is the same glob as another one, in upper or lower case.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.folded == other.folded
    }

    /// Returns whether it matches a folded name.
    pub(crate) fn matches(&self, name: &[char]) -> bool {
        matches(&self.folded, name)
    }
}

/// Returns whether a glob matches a name. Only the last `*` is ever extended, so a glob with many of them takes no
/// exponential time.
pub(crate) fn matches(glob: &[char], name: &[char]) -> bool {
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
