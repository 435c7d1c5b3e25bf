//! The list of ignored liveries, which people edit and a running client reads again.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use liverysync_core::{client::Ignored, list_file, text::InvalidText};

use crate::disk::{FolderState, replace_whole};

/// The list of liveries that a driver does not want: a text file in the state folder, with one glob per line. See
/// [`Ignored::parse`].
#[derive(Clone, Debug)]
pub struct IgnoreFile(PathBuf);

/// The reason why a list could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IgnoreError {
    /// It is not a glob.
    #[error("{glob:?} is {reason}")]
    Glob {
        /// The refused text.
        glob: String,
        /// The reason.
        reason: InvalidText,
    },
    /// The file cannot be read or written.
    #[error("cannot use the list of ignored liveries {path}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl IgnoreFile {
    /// Returns the list of a client with this state folder and this liveries folder. The file need not exist. It does not
    /// depend on how the path is spelled, and is found again if the folder was moved.
    ///
    /// # Errors
    ///
    /// Fails if `liveries` is empty, or relative while there is no current folder.
    pub fn new(state: &Path, liveries: &Path) -> io::Result<Self> {
        Ok(Self(FolderState::find(state, liveries)?.ignored()))
    }

    pub(crate) const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Reads the list. It is empty if there is no file.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    pub fn read(&self) -> Result<Ignored, IgnoreError> {
        Ok(Ignored::parse(&self.text()?))
    }

    /// Adds globs. Returns those that are new.
    ///
    /// # Errors
    ///
    /// Refuses a glob that no livery can match; nothing is added then. Fails if the file cannot be read or written.
    pub fn add<'a>(&self, globs: &'a [String]) -> Result<Vec<&'a str>, IgnoreError> {
        let mut text = self.text()?;
        let mut added = Vec::new();
        for glob in globs {
            let line = Ignored::line(glob)
                .map_err(|reason| IgnoreError::Glob { glob: glob.clone(), reason })?;
            if text.lines().any(|line| Ignored::is_line_of(line, glob)) {
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

    /// Removes globs and keeps comments and everything else. Returns those that were in the list.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or written.
    pub fn remove<'a>(&self, globs: &'a [String]) -> Result<Vec<&'a str>, IgnoreError> {
        let text = self.text()?;
        let says = |line: &str, glob: &String| Ignored::is_line_of(line, glob);
        let removed: Vec<_> =
            globs.iter().filter(|glob| text.lines().any(|line| says(line, glob))).collect();
        let kept = text.lines().filter(|line| !removed.iter().any(|glob| says(line, glob)));
        let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
        self.write(&kept, !removed.is_empty())?;
        Ok(removed.into_iter().map(|glob| glob.trim()).collect())
    }

    fn text(&self) -> Result<String, IgnoreError> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        match fs::read(&self.0).and_then(|bytes| list_file::decode(&bytes).map_err(invalid)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            text => text.map_err(|source| IgnoreError::File { path: self.0.clone(), source }),
        }
    }

    fn write(&self, text: &str, changed: bool) -> Result<(), IgnoreError> {
        let written = if changed { replace_whole(&self.0, text.as_bytes()) } else { Ok(()) };
        written.map_err(|source| IgnoreError::File { path: self.0.clone(), source })
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
        let list = IgnoreFile::new(state.path(), Path::new("Liveries")).unwrap();
        assert_eq!(list.read().unwrap(), Ignored::default());
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
        let list = IgnoreFile::new(state.path(), Path::new("Liveries")).unwrap();
        list.add(&texts(&["Team A"])).unwrap();
        fs::write(list.path(), b"\xff\xfe7\x007\0\r\0\n\0").unwrap();
        assert!(list.read().unwrap().covers("77"));
        list.add(&texts(&["Équipe"])).unwrap();
        assert_eq!(list.read().unwrap().globs().collect::<Vec<_>>(), ["77", "Équipe"]);

        let latin: &[u8] = b"77\n\xc9quipe\n";
        fs::write(list.path(), latin).unwrap();
        assert!(matches!(list.read(), Err(IgnoreError::File { .. })));
        assert!(list.add(&texts(&["Team A"])).is_err() && list.remove(&texts(&["77"])).is_err());
        assert_eq!(fs::read(list.path()).unwrap(), latin);
    }

    #[test]
    fn an_invalid_glob_changes_nothing() {
        let state = tempfile::tempdir().unwrap();
        let list = IgnoreFile::new(state.path(), Path::new("Liveries")).unwrap();
        let error = list.add(&texts(&["Team A", "Team A/decals.png"])).unwrap_err();
        assert!(error.to_string().starts_with("\"Team A/decals.png\" is not the name"), "{error}");
        assert!(!list.path().exists());
    }
}
