//! The file with the member key, by which the league recognizes a client.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use liverysync_core::league::MemberKey;

use super::ClientError;
use crate::disk::flush_folder;

/// Reads the key, or makes one if there is none. The caller has locked the liveries folder, so no other client makes
/// one at the same time.
pub(super) fn read_or_make(path: &Path) -> Result<MemberKey, ClientError> {
    let key = match fs::read_to_string(path) {
        Ok(text) => text.trim_end().parse().map_err(|_| damaged()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(damaged()),
        Err(error) => Err(error),
    };
    key.map_err(|source| ClientError::MemberKey { path: path.to_owned(), source })
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file is damaged")
}

/// Returns the key, or `None` if there is none or it cannot be read.
pub(super) fn read(path: &Path) -> Option<MemberKey> {
    fs::read_to_string(path).ok()?.trim_end().parse().ok()
}

fn make(path: &Path) -> io::Result<MemberKey> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let key = MemberKey::from_bytes(bytes);
    let new = path.with_extension("key.new");
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = create_private(&new)?;
    writeln!(file, "{}", key.to_hex())?;
    file.sync_all()?;
    // The file has a complete key or does not exist, even after a power failure.
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), flush_folder)?;
    Ok(key)
}

/// Creates a file that only its user can read. On other systems than Unix, the user's own folders are private.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("clients/0a1b2c3d.key");
        let key = read_or_make(&path).unwrap();
        assert_eq!(read_or_make(&path).unwrap(), key);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", key.to_hex()));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let other = read_or_make(&path.with_file_name("other.key")).unwrap();
        assert_ne!(other, key);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_user_can_read_a_key() {
        use std::os::unix::fs::PermissionsExt as _;
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("0a1b2c3d.key");
        read_or_make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_incomplete_key_of_a_crash_is_replaced() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("0a1b2c3d.key");
        fs::write(path.with_extension("key.new"), "0123").unwrap();
        let key = read_or_make(&path).unwrap();
        assert_eq!(read_or_make(&path).unwrap(), key);
        assert!(!path.with_extension("key.new").exists());
    }

    #[test]
    fn a_damaged_key_is_not_replaced() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("0a1b2c3d.key");
        for damaged in [&b""[..], b"0123\n", &[b'z'; 64], &[0xff; 64]] {
            fs::write(&path, damaged).unwrap();
            let error = read_or_make(&path).unwrap_err();
            let ClientError::MemberKey { source, .. } = error else { panic!("{error}") };
            assert_eq!(source.kind(), io::ErrorKind::InvalidData);
            assert_eq!(fs::read(&path).unwrap(), damaged);
        }
    }

    #[test]
    fn a_key_that_cannot_be_written_is_an_error() {
        let state = tempfile::tempdir().unwrap();
        let no_folder = state.path().join("clients");
        fs::write(&no_folder, "").unwrap();
        assert!(matches!(
            read_or_make(&no_folder.join("0a1b2c3d.key")),
            Err(ClientError::MemberKey { .. })
        ));
    }
}
