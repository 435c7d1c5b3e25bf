//! The file of the allow list, which people edit and a running server reads again.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use liverysync_core::{list_file, server::ServerMachine};

use super::ServerError;
use crate::{error_chain::with_causes, list_faults::ListFaults};

/// The names of the allowed liveries; `None` for all.
type Names = Option<BTreeSet<String>>;

/// The file of an allow list, and the names that it had when it was last readable.
#[derive(Debug)]
pub(super) struct AllowListFile {
    /// `None` for a server without an allow list.
    path: Option<PathBuf>,
    names: Names,
    faults: ListFaults,
}

/// News of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It names other liveries.
    Names(Names),
    /// It cannot be read any more, with the reason.
    Fault(String),
}

impl AllowListFile {
    /// Reads the file for the first time.
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, ServerError> {
        let names = match &path {
            Some(path) => read(path).map_err(|error| unreadable(path, error))?,
            None => None,
        };
        Ok(Self { path, names, faults: ListFaults::default() })
    }

    /// Returns the names.
    pub(super) fn names(&self) -> Names {
        self.names.clone()
    }

    /// Reads the file again. If it cannot be read, the last names stay, and that is told once.
    pub(super) fn read_again(&mut self) -> Option<News> {
        let path = self.path.as_ref()?;
        match read(path) {
            Ok(names) => {
                self.faults.clear();
                if names == self.names {
                    return None;
                }
                self.names = names;
                Some(News::Names(self.names()))
            }
            Err(error) => {
                let fault = || News::Fault(with_causes(&unreadable(path, error)));
                self.faults.add().then(fault)
            }
        }
    }
}

fn unreadable(path: &Path, source: io::Error) -> ServerError {
    ServerError::AllowList { path: path.to_owned(), source }
}

fn read(path: &Path) -> io::Result<Names> {
    let text = list_file::decode(&fs::read(path)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(ServerMachine::parse_allow_list(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_readable_list_stays_and_a_fault_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("allow.txt");
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let missing = AllowListFile::open(Some(path.clone()));
        assert!(matches!(missing, Err(ServerError::AllowList { .. })), "{missing:?}");
        fs::write(&path, b"\xff\xfeA\0\r\0\n\0").unwrap();
        let mut file = AllowListFile::open(Some(path.clone())).unwrap();
        assert_eq!(file.names(), names(&["A"]));

        for undecodable in [true, false] {
            if undecodable {
                fs::write(&path, b"A\n\xe9").unwrap();
            } else {
                fs::remove_file(&path).unwrap();
            }
            // Somebody may just be saving it.
            assert_eq!(file.read_again(), None);
            let Some(News::Fault(reason)) = file.read_again() else { panic!("no fault") };
            assert!(reason.contains("allow.txt: "), "{reason}");
            assert_eq!(reason.contains("line 2"), undecodable, "{reason}");
            assert_eq!(file.read_again(), None);
            assert_eq!(file.names(), names(&["A"]));
            fs::write(&path, "A").unwrap();
            assert_eq!(file.read_again(), None);
        }
        fs::write(&path, "B").unwrap();
        assert_eq!(file.read_again(), Some(News::Names(names(&["B"]))));
    }
}
