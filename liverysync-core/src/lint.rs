//! Lint: finds what is probably wrong with liveries before they spread, and names the fix.
//!
//! [`lint`] judges a list of files by [`LintRules`]. It knows how the game reads its folders, how packs are usually unpacked
//! wrongly, and what Windows, macOS and OneDrive leave behind. Nothing here decides what is shared: that is `select`.

mod files;
mod folders;
mod names;
mod problem;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use self::problem::Problem;
pub use self::rules::LintRules;
use crate::{
    hash::ContentHash,
    inspect::Inspection,
    path::{first_component, fold},
    text::escape,
};

/// A file to judge, as far as it is known.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LintFile<'a> {
    /// Its path below the liveries folder, as the disk spells it, with `/` between components.
    pub path: &'a str,
    /// Its length in bytes.
    pub size: u64,
    /// Set if it is shared. Of other files only their place counts.
    pub is_shared: bool,
    /// The hash of its content, if it is known.
    pub hash: Option<ContentHash>,
    /// Facts that its bytes tell, as far as they are known.
    pub inspection: Inspection,
}

impl<'a> LintFile<'a> {
    /// Makes a shared file of which nothing else is known.
    #[must_use]
    pub fn new(path: &'a str, size: u64) -> Self {
        Self { path, size, is_shared: true, hash: None, inspection: Inspection::default() }
    }
}

/// Something that is probably wrong with a livery.
///
/// Displays as the livery or the file, the problem and the fix, in one line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Finding {
    /// The livery: a folder, or a loose file. [Escape](escape) it before showing it.
    pub livery: String,
    /// The path of the file, with the livery; `None` if it is about all of the livery. Escape it, too.
    pub path: Option<String>,
    problem: Problem,
}

impl Finding {
    /// Returns the kind of the problem as one of the words in `docs/json.md`, for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.problem.kind()
    }

    /// Returns the problem in words, with foreign names escaped.
    #[must_use]
    pub fn reason(&self) -> String {
        self.problem.to_string()
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn fix(&self) -> String {
        self.problem.fix()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = escape(self.path.as_ref().unwrap_or(&self.livery));
        write!(f, "{what}: {}. To fix it, {}.", self.problem, self.problem.fix())
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Finding", 5)?;
        fields.serialize_field("kind", self.kind())?;
        fields.serialize_field("livery", &self.livery)?;
        fields.serialize_field("path", &self.path)?;
        fields.serialize_field("reason", &self.reason())?;
        fields.serialize_field("fix", &self.fix())?;
        fields.end()
    }
}

/// Judges files by rules. The findings are ordered by livery, and do not depend on the order of `files`.
///
/// Sorting the files by name takes the most time.
#[must_use]
pub fn lint(files: &[LintFile<'_>], rules: &LintRules) -> Vec<Finding> {
    let mut items: Vec<_> = files.iter().map(Item::new).collect();
    // By livery first: other names may come between the key of a folder and the keys below it.
    items.sort_unstable_by(|a, b| {
        (a.livery(), &a.key, a.file.path).cmp(&(b.livery(), &b.key, b.file.path))
    });
    let by_livery = items.chunk_by(|a, b| a.livery() == b.livery());
    let liveries: Vec<_> = by_livery.map(Livery).collect();
    let mut findings = Vec::new();
    for livery in &liveries {
        folders::judge(*livery, &liveries, rules, &mut findings);
        files::judge(*livery, rules, &mut findings);
    }
    findings
}

/// Returns the folded names of the liveries that a livery may be a copy of, as its name says. [`lint`] has to see their files, too.
pub(crate) fn possible_originals(livery: &str) -> Vec<String> {
    let key = fold(livery);
    let original = names::original(&key).map(str::to_owned);
    let repaired = names::repaired(livery);
    original.into_iter().chain(repaired.iter().map(|name| fold(name))).collect()
}

/// A file with the key of its path.
#[derive(Debug)]
struct Item<'a> {
    file: &'a LintFile<'a>,
    key: String,
}

impl<'a> Item<'a> {
    fn new(file: &'a LintFile<'a>) -> Self {
        Self { file, key: fold(file.path) }
    }

    /// Returns the key of its livery.
    fn livery(&self) -> &str {
        first_component(&self.key)
    }

    /// Returns the key of its path below its livery; `None` for a loose file.
    fn below(&self) -> Option<&str> {
        self.key.split_once('/').map(|(_, below)| below)
    }

    /// Returns the key of its file name.
    fn name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }
}

/// The files of a livery, ordered by key. There is at least one.
#[derive(Clone, Copy, Debug)]
struct Livery<'a>(&'a [Item<'a>]);

impl<'a> Livery<'a> {
    fn key(self) -> &'a str {
        self.0.first().map_or("", Item::livery)
    }

    /// Returns its name, as its first file spells it.
    fn name(self) -> &'a str {
        self.0.first().map_or("", |item| first_component(item.file.path))
    }

    /// Returns its files that are shared.
    fn shared(self) -> impl Iterator<Item = &'a Item<'a>> {
        self.0.iter().filter(|item| item.file.is_shared)
    }

    /// Returns the file with this key.
    fn get(self, key: &str) -> Option<&'a Item<'a>> {
        let at = self.0.binary_search_by(|item| item.key.as_str().cmp(key)).ok()?;
        self.0.get(at)
    }

    /// Makes a finding about all of it.
    fn finding(self, problem: Problem) -> Finding {
        Finding { livery: self.name().to_owned(), path: None, problem }
    }

    /// Makes a finding about one of its files.
    fn finding_in(self, item: &Item<'_>, problem: Problem) -> Finding {
        Finding { path: Some(item.file.path.to_owned()), ..self.finding(problem) }
    }
}
