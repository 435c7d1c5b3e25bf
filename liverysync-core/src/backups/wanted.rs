//! The choice of files by names.

use crate::path::{RelPath, fold};

/// Liveries, folders and files that a person has named; all files if they named none. Case does not matter, and `\` counts
/// as `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted(Vec<(String, String)>);

impl Wanted {
    /// Makes a choice from names, each of a livery, a folder in one, or a file.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let folded = |name: &str| fold(name.replace('\\', "/").trim_end_matches('/'));
        Self(names.into_iter().map(Into::into).map(|name| (folded(&name), name)).collect())
    }

    /// Returns true if a file is chosen.
    #[must_use]
    pub fn includes(&self, path: &RelPath) -> bool {
        self.0.is_empty() || self.0.iter().any(|(name, _)| means(name, path))
    }

    /// Returns the first name, as it was given, that matches none of these files.
    pub fn first_unmatched<'a>(
        &self,
        files: impl Iterator<Item = &'a RelPath> + Clone,
    ) -> Option<&str> {
        let is_unmatched = |name: &str| !files.clone().any(|path| means(name, path));
        let unmatched = self.0.iter().find(|(name, _)| is_unmatched(name));
        unmatched.map(|(_, given)| given.as_str())
    }
}

fn means(name: &str, path: &RelPath) -> bool {
    let rest = path.key().as_str().strip_prefix(name);
    // `Team` does not mean `Team 2`.
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Extensions;

    #[track_caller]
    fn check(name: &str, expected: &[&str]) {
        let all = ["Team/Alt/a.png", "Team/b.png", "Team2/b.png", "loose.png"];
        let paths = all.map(|path| RelPath::parse(path, &Extensions::default()).unwrap());
        let wanted = Wanted::new([name]);
        let found: Vec<_> =
            paths.iter().filter(|path| wanted.includes(path)).map(RelPath::as_str).collect();
        assert_eq!(found, expected, "{name}");
        let unmatched = wanted.first_unmatched(paths.iter());
        assert_eq!(unmatched.is_none(), !expected.is_empty(), "{name}");
    }

    #[test]
    fn a_livery_a_folder_and_a_file_can_be_named() {
        check("team", &["Team/Alt/a.png", "Team/b.png"]);
        check("TEAM\\Alt\\", &["Team/Alt/a.png"]);
        check("Team/b.png", &["Team/b.png"]);
        check("loose.png", &["loose.png"]);
        check("Tea", &[]);
        check("", &[]);
        check("../Team", &[]);
    }

    #[test]
    fn without_names_all_files_are_chosen() {
        let path = RelPath::parse("T/a.png", &Extensions::default()).unwrap();
        let wanted = Wanted::default();
        assert!(wanted.includes(&path));
        assert_eq!(wanted.first_unmatched([&path].into_iter()), None);
    }
}
