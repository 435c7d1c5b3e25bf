//! The lists of ignored and of shared liveries, which people edit and a running client reads again.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use liverysync_core::{client::LiveryGlobs, list_file, text::InvalidText};

use crate::{
    client::server_name,
    disk::{FolderState, replace_whole},
};

/// A list of liveries that a driver ignores, or that they share with a league: a text file in the state folder, with one
/// glob per line. See [`LiveryGlobs::parse`].
#[derive(Clone, Debug)]
pub struct LiveryList {
    path: PathBuf,
    /// The league of a list of shared liveries.
    league: Option<String>,
}

/// The reason why a list could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveryListError {
    /// It is not a glob.
    #[error("{glob:?} is {reason}")]
    Glob {
        /// The refused text.
        glob: String,
        /// The reason.
        reason: InvalidText,
    },
    /// The file cannot be read or written.
    #[error("cannot use the list of liveries {path}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl LiveryList {
    /// Returns the list of ignored liveries of a client with this state folder and this liveries folder. The file need not
    /// exist. It does not depend on how the path is spelled, and is found again if the folder was moved.
    ///
    /// # Errors
    ///
    /// Fails if `liveries` is empty, or relative while there is no current folder.
    pub fn ignored(state: &Path, liveries: &Path) -> io::Result<Self> {
        Ok(Self::ignored_in(&FolderState::find(state, liveries)?))
    }

    /// Returns the list of liveries that such a client shares with the league of a server, by its host and port; without
    /// one, with the league that it was last in. Returns `None` if it was in none.
    ///
    /// # Errors
    ///
    /// As [`LiveryList::ignored`].
    pub fn shared(
        state: &Path,
        liveries: &Path,
        server: Option<(&str, u16)>,
    ) -> io::Result<Option<Self>> {
        let state = FolderState::find(state, liveries)?;
        let given = server.map(|(host, port)| server_name(host, port));
        let last = || state.leagues().into_iter().next().map(|(server, _)| server);
        Ok(given.or_else(last).map(|server| Self::shared_in(&state, server)))
    }

    pub(crate) fn ignored_in(state: &FolderState) -> Self {
        Self { path: state.ignored(), league: None }
    }

    pub(crate) fn shared_in(state: &FolderState, server: String) -> Self {
        Self { path: state.shared(&server), league: Some(server) }
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the league of a list of shared liveries: its server's host and port.
    #[must_use]
    pub fn league(&self) -> Option<&str> {
        self.league.as_deref()
    }

    /// Reads the list, if there is a file. Without one, a driver has not chosen what they share.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    pub fn chosen(&self) -> Result<Option<LiveryGlobs>, LiveryListError> {
        Ok(self.text()?.map(|text| LiveryGlobs::parse(&text)))
    }

    /// Writes the list again if it has other globs.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or written.
    pub fn replace(&self, globs: &LiveryGlobs) -> Result<(), LiveryListError> {
        if self.chosen()?.as_ref() == Some(globs) {
            return Ok(());
        }
        let lines = globs.globs().filter_map(|glob| LiveryGlobs::line(glob).ok());
        let text: String = lines.flat_map(|line| [line, "\n".to_owned()]).collect();
        self.write(&(self.head() + &text), true)
    }

    /// Reads the list. It is empty if there is no file.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    pub fn read(&self) -> Result<LiveryGlobs, LiveryListError> {
        Ok(self.chosen()?.unwrap_or_default())
    }

    /// Returns the globs that match no livery in a folder, as the list has them. A livery that is ignored may well not be
    /// there.
    ///
    /// # Errors
    ///
    /// Fails if the list or the folder cannot be read.
    pub fn unmatched(&self, liveries: &Path) -> Result<Vec<String>, LiveryListError> {
        let failed = |source| LiveryListError::File { path: liveries.to_owned(), source };
        let name = |entry: io::Result<fs::DirEntry>| {
            Some(entry.ok()?.file_name().to_string_lossy().into_owned())
        };
        let names: Vec<_> = match fs::read_dir(liveries) {
            Ok(entries) => entries.filter_map(name).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let mut unmatched = self.read()?.unmatched(names.iter().map(String::as_str));
        // It is a choice, and no name.
        unmatched.retain(|glob| glob != "*");
        Ok(unmatched)
    }

    /// Adds globs. Returns those that are new.
    ///
    /// # Errors
    ///
    /// Refuses a glob that no livery can match; nothing is added then. Fails if the file cannot be read or written.
    pub fn add<'a>(&self, globs: &'a [String]) -> Result<Vec<&'a str>, LiveryListError> {
        let mut text = self.text()?.unwrap_or_else(|| self.head());
        let mut added = Vec::new();
        for glob in globs {
            let line = LiveryGlobs::line(glob)
                .map_err(|reason| LiveryListError::Glob { glob: glob.clone(), reason })?;
            if text.lines().any(|line| LiveryGlobs::is_line_of(line, glob)) {
                continue;
            }
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text += &line;
            text.push('\n');
            added.push(glob.trim());
        }
        self.write(&text, !added.is_empty())?;
        Ok(added)
    }

    /// Removes globs and keeps comments and everything else. Returns those that were in the list. A driver who has not chosen
    /// what they share has chosen then: nothing.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or written.
    pub fn remove<'a>(&self, globs: &'a [String]) -> Result<Vec<&'a str>, LiveryListError> {
        let before = self.text()?;
        let is_choice = before.is_none() && self.league.is_some();
        let text = before.unwrap_or_else(|| self.head());
        let says = |line: &str, glob: &String| LiveryGlobs::is_line_of(line, glob);
        let removed: Vec<_> =
            globs.iter().filter(|glob| text.lines().any(|line| says(line, glob))).collect();
        let kept = text.lines().filter(|line| !removed.iter().any(|glob| says(line, glob)));
        let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
        self.write(&kept, !removed.is_empty() || is_choice)?;
        Ok(removed.into_iter().map(|glob| glob.trim()).collect())
    }

    /// Returns the text of the file, if there is one.
    fn text(&self) -> Result<Option<String>, LiveryListError> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        match fs::read(&self.path).and_then(|bytes| list_file::decode(&bytes).map_err(invalid)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Ok(text) => Ok(Some(text)),
            Err(source) => Err(LiveryListError::File { path: self.path.clone(), source }),
        }
    }

    /// Returns the first line of a new list: the name of the file says nothing to people.
    fn head(&self) -> String {
        let head = |league| format!("# Liveries shared with {league}\n");
        self.league.as_deref().map(head).unwrap_or_default()
    }

    fn write(&self, text: &str, changed: bool) -> Result<(), LiveryListError> {
        let written = if changed { replace_whole(&self.path, text.as_bytes()) } else { Ok(()) };
        written.map_err(|source| LiveryListError::File { path: self.path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(globs: &[&str]) -> Vec<String> {
        globs.iter().map(|glob| (*glob).to_owned()).collect()
    }

    #[test]
    fn globs_are_added_and_removed_and_comments_stay() {
        let state = tempfile::tempdir().unwrap();
        let list = LiveryList::ignored(state.path(), Path::new("Liveries")).unwrap();
        assert_eq!(list.read().unwrap(), LiveryGlobs::default());
        assert_eq!(list.add(&texts(&["#2_*", "Team A"])).unwrap(), ["#2_*", "Team A"]);
        fs::write(list.path(), "# mine\n\\#2_*\nTeam A").unwrap();
        assert_eq!(list.add(&texts(&["team a", "Team B"])).unwrap(), ["Team B"]);
        assert_eq!(list.remove(&texts(&["TEAM A", "Team C"])).unwrap(), ["TEAM A"]);
        assert_eq!(fs::read_to_string(list.path()).unwrap(), "# mine\n\\#2_*\nTeam B\n");
        assert!(list.read().unwrap().covers("#2_TeamIris"));
    }

    #[test]
    fn a_list_of_notepad_is_read_and_what_is_no_text_is_left_alone() {
        let state = tempfile::tempdir().unwrap();
        let list = LiveryList::ignored(state.path(), Path::new("Liveries")).unwrap();
        list.add(&texts(&["Team A"])).unwrap();
        fs::write(list.path(), b"\xff\xfe7\x007\0\r\0\n\0").unwrap();
        assert!(list.read().unwrap().covers("77"));
        list.add(&texts(&["Équipe"])).unwrap();
        assert_eq!(list.read().unwrap().globs().collect::<Vec<_>>(), ["77", "Équipe"]);

        let latin: &[u8] = b"77\n\xc9quipe\n";
        fs::write(list.path(), latin).unwrap();
        assert!(matches!(list.read(), Err(LiveryListError::File { .. })));
        assert!(list.add(&texts(&["Team A"])).is_err() && list.remove(&texts(&["77"])).is_err());
        assert_eq!(fs::read(list.path()).unwrap(), latin);
    }

    #[test]
    fn an_invalid_glob_changes_nothing() {
        let state = tempfile::tempdir().unwrap();
        let list = LiveryList::ignored(state.path(), Path::new("Liveries")).unwrap();
        let error = list.add(&texts(&["Team A", "Team A/decals.png"])).unwrap_err();
        assert!(error.to_string().starts_with("\"Team A/decals.png\" is not the name"), "{error}");
        assert!(!list.path().exists());
    }

    #[test]
    fn shared_liveries_are_chosen_for_each_league() {
        let state = tempfile::tempdir().unwrap();
        let shared = |host| {
            let server = Some((host, 9239));
            LiveryList::shared(state.path(), Path::new("Liveries"), server).unwrap().unwrap()
        };
        let (one, two) = (shared("one"), shared("two"));
        assert_eq!(one.chosen().unwrap(), None);
        one.add(&texts(&["904*", "!904 old"])).unwrap();
        let text = fs::read_to_string(one.path()).unwrap();
        assert_eq!(text, "# Liveries shared with one:9239\n904*\n!904 old\n");
        assert_eq!(two.chosen().unwrap(), None);
        // Whoever removes something before they have chosen shares nothing.
        assert!(two.remove(&texts(&["*"])).unwrap().is_empty());
        assert_eq!(two.chosen().unwrap(), Some(LiveryGlobs::default()));
        two.replace(&LiveryGlobs::parse("\\#2\n\\!a\n!b")).unwrap();
        let globs = two.chosen().unwrap().unwrap();
        assert!(globs.covers("#2") && globs.covers("!a") && !globs.covers("b"));
        assert!(one.chosen().unwrap().unwrap().covers("904 new"));
    }
}
