//! The file that says who a driver is, and the keys of earlier versions that it takes over.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use liverysync_core::{
    identity::{FoundKey, Identity, OtherIdentity},
    league::{MemberId, MemberKey},
};

use crate::{
    disk::{CLIENTS_FOLDER, flush_folder},
    private::make_folder,
};

/// The file with a driver's member key, by which leagues recognize them. It is private to its user and is replaced as a
/// whole.
///
/// A driver has one, whatever liveries folders they sync; see [`IdentityFile::of_user`].
/// [`ClientBuilder::identity`](crate::ClientBuilder::identity) chooses another.
#[derive(Clone, Debug)]
pub struct IdentityFile(PathBuf);

impl IdentityFile {
    /// Returns the file at this path. It need not exist: a client makes it when it starts.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Returns the file of this user: `liverysync/identity.json` in their config folder, which is `~/.config` on Linux
    /// (`XDG_CONFIG_HOME`), `%APPDATA%` on Windows and `~/Library/Application Support` on macOS. Returns `None` if the
    /// system has no place for it.
    #[must_use]
    pub fn of_user() -> Option<Self> {
        Some(Self(dirs::config_dir()?.join("liverysync").join("identity.json")))
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the member that the driver is; `None` if there is no file.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, and with [`InvalidData`](ErrorKind::InvalidData) if it is damaged.
    pub fn member(&self) -> io::Result<Option<MemberId>> {
        Ok(self.read()?.map(|identity| identity.member()))
    }

    /// Reads the file; `None` if there is none.
    #[doc(hidden)]
    pub fn read(&self) -> io::Result<Option<Identity>> {
        match fs::read(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            bytes => Identity::parse(&bytes?).map(Some).map_err(invalid),
        }
    }

    /// Replaces the identity, if `change` returns another one. Only one process does this at a time.
    #[doc(hidden)]
    pub fn change<E: From<io::Error>>(
        &self,
        change: impl FnOnce(Option<Identity>) -> Result<Identity, E>,
    ) -> Result<Identity, E> {
        // Through a link, so that the file can be kept elsewhere.
        let path = fs::canonicalize(&self.0).or_else(|_| std::path::absolute(&self.0))?;
        if let Some(folder) = path.parent() {
            make_folder(folder).map_err(at("cannot make the folder"))?;
        }
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.with_extension("lock"))
            .map_err(at("cannot lock it"))?;
        lock.lock()?;
        let present = self.read()?;
        let new = change(present.clone())?;
        if present.as_ref() != Some(&new) {
            write_private(&path, &new.to_text())?;
        }
        Ok(new)
    }

    /// Notes that a server knows these as former keys of this driver.
    pub(crate) fn mark_told(&self, server: &str, keys: &[MemberKey]) -> io::Result<()> {
        let marked = self.change(|present| {
            let mut identity = present.ok_or(ErrorKind::NotFound)?;
            identity.mark_told(server, keys);
            Ok::<_, io::Error>(identity)
        });
        marked.map(drop)
    }

    /// Returns the identity. Makes one at the first start, of the keys that an earlier version has left in the state folder
    /// if there are some, and takes over keys that are found there later.
    pub(crate) fn read_or_make(&self, state: Option<&Path>) -> io::Result<Identity> {
        let present = self.read()?;
        let found = keys_in(state, present.is_some())?;
        if let Some(present) = present {
            let same = Identity::settle(Some(present.clone()), &found, unreachable_key);
            if same == present {
                return Ok(present);
            }
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        self.change(|present| {
            Ok(Identity::settle(present, &found, || MemberKey::from_bytes(bytes)))
        })
    }

    /// Takes over the identity of another PC. The inner result is an error if this PC has another one and `replace` is not
    /// set.
    #[doc(hidden)]
    pub fn import(
        &self,
        state: Option<&Path>,
        new: Identity,
        replace: bool,
    ) -> io::Result<Result<Identity, OtherIdentity>> {
        let found = keys_in(state, true)?;
        let imported = self.change(|present| {
            let is_known = present.is_some() || !found.is_empty();
            let present = is_known.then(|| Identity::settle(present, &found, unreachable_key));
            Identity::import(present, new, replace).map_err(ImportError::Other)
        });
        match imported {
            Ok(identity) => Ok(Ok(identity)),
            Err(ImportError::Other(other)) => Ok(Err(other)),
            Err(ImportError::File(error)) => Err(error),
        }
    }

    /// Returns the identity that a start would use, without making one; `None` if it would be a new one.
    #[doc(hidden)]
    pub fn look(&self, state: Option<&Path>) -> io::Result<Option<Identity>> {
        let present = self.read()?;
        let found = keys_in(state, present.is_some())?;
        let is_known = present.is_some() || !found.is_empty();
        Ok(is_known.then(|| Identity::settle(present, &found, unreachable_key)))
    }
}

/// The reason why an identity was not taken over.
enum ImportError {
    File(io::Error),
    Other(OtherIdentity),
}

impl From<io::Error> for ImportError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

/// An identity that exists needs no new key.
const fn unreachable_key() -> MemberKey {
    MemberKey::from_bytes([0; 32])
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

fn at(what: &'static str) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// Returns the keys that earlier versions have left in a state folder, one for each liveries folder.
///
/// A key was last used when the scan cache beside it was written. A damaged one must not make somebody a new member, and
/// does no harm to somebody who has an identity.
fn keys_in(state: Option<&Path>, has_identity: bool) -> io::Result<Vec<FoundKey>> {
    let Some(state) = state else { return Ok(Vec::new()) };
    let names = match fs::read_dir(state.join(CLIENTS_FOLDER)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        names => names?,
    };
    let mut found = Vec::new();
    for name in names {
        let path = name?.path();
        if path.extension() != Some(OsStr::new("key")) {
            continue;
        }
        let key = match fs::read(&path) {
            // Like a damaged key, it does no harm to somebody who has an identity.
            Err(_unreadable) if has_identity => continue,
            key => key?,
        };
        match std::str::from_utf8(&key).ok().and_then(|text| text.trim_end().parse().ok()) {
            Some(key) => found.push(FoundKey { key, used: last_used(&path) }),
            None if has_identity => {}
            None => {
                let text = format!("the member key {} is damaged", path.display());
                return Err(io::Error::new(ErrorKind::InvalidData, text));
            }
        }
    }
    Ok(found)
}

fn last_used(key: &Path) -> u128 {
    let files = [key.to_owned(), key.with_extension("files")].into_iter();
    let times = files.filter_map(|path| fs::metadata(path).ok()?.modified().ok());
    let times = times.filter_map(|time| time.duration_since(UNIX_EPOCH).ok());
    times.map(|time| time.as_nanos()).max().unwrap_or_default()
}

/// Replaces a file in one step, even if the power fails, with one that only its user can read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = create_private(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), flush_folder)
}

/// Creates a file that only its user can read. On other systems than Unix, the user's own folders are private.
#[doc(hidden)]
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    fn key(digit: u8) -> MemberKey {
        MemberKey::from_bytes([digit; 32])
    }

    /// A state folder of an earlier version, with the scan cache of each key written so many seconds after the last one.
    fn state(folder: &Path, keys: &[u8]) -> PathBuf {
        let state = folder.join("state");
        let clients = state.join(CLIENTS_FOLDER);
        fs::create_dir_all(&clients).unwrap();
        for (number, digit) in keys.iter().enumerate() {
            // The oldest key is used last.
            let key_file = clients.join(format!("0000000{digit}.key"));
            fs::write(&key_file, format!("{}\n", key(*digit).to_hex())).unwrap();
            let cache = File::create(clients.join(format!("0000000{digit}.files"))).unwrap();
            let day = 86_400 * (number as u64 + 1);
            cache.set_modified(std::time::SystemTime::now() + Duration::from_secs(day)).unwrap();
        }
        state
    }

    #[test]
    fn an_identity_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = IdentityFile::new(folder.path().join("config/identity.json"));
        assert_eq!(file.member().unwrap(), None);
        assert!(file.look(None).unwrap().is_none());
        let identity = file.read_or_make(None).unwrap();
        assert_eq!(file.read_or_make(None).unwrap(), identity);
        assert_eq!(file.member().unwrap(), Some(identity.member()));
        assert_eq!(file.look(None).unwrap(), Some(identity.clone()));
        let other = IdentityFile::new(folder.path().join("other.json"));
        assert_ne!(other.read_or_make(None).unwrap(), identity);
    }

    #[test]
    fn clients_that_start_at_once_have_one_identity() {
        let folder = tempfile::tempdir().unwrap();
        let file = IdentityFile::new(folder.path().join("identity.json"));
        let starts = (0..8).map(|_| {
            let file = file.clone();
            thread::spawn(move || file.read_or_make(None).unwrap())
        });
        let starts: Vec<_> = starts.collect();
        let made: Vec<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
        assert!(made.iter().all(|identity| *identity == made[0]));
    }

    #[cfg(unix)]
    #[test]
    fn only_its_user_can_read_an_identity() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = IdentityFile::new(folder.path().join("identity.json"));
        let mode = || fs::metadata(file.path()).unwrap().permissions().mode() & 0o777;
        file.read_or_make(None).unwrap();
        assert_eq!(mode(), 0o600);
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        file.read_or_make(Some(&state(folder.path(), &[1]))).unwrap();
        assert_eq!(mode(), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn an_identity_behind_a_link_stays_there() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere.json");
        IdentityFile::new(&elsewhere).read_or_make(None).unwrap();
        let file = IdentityFile::new(folder.path().join("identity.json"));
        std::os::unix::fs::symlink(&elsewhere, file.path()).unwrap();
        file.read_or_make(Some(&state(folder.path(), &[1]))).unwrap();
        assert!(file.path().is_symlink());
        let kept = IdentityFile::new(elsewhere).read().unwrap().unwrap();
        assert_eq!(kept.untold("h:1"), [key(1)]);
    }

    #[test]
    fn the_keys_of_an_earlier_version_are_taken_over_and_stay() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path(), &[3, 1, 2]);
        let file = IdentityFile::new(folder.path().join("identity.json"));
        let identity = file.look(Some(&state)).unwrap().unwrap();
        assert!(!file.path().exists());
        assert_eq!(identity.member_key(), &key(2));
        assert_eq!(identity.untold("h:1"), [key(3), key(1)]);
        assert_eq!(file.read_or_make(Some(&state)).unwrap(), identity);
        fs::remove_dir_all(&state).unwrap();
        assert_eq!(file.read_or_make(Some(&state)).unwrap(), identity);
    }

    #[test]
    fn a_damaged_file_is_an_error_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = IdentityFile::new(folder.path().join("identity.json"));
        for damaged in [&b""[..], b"{}", b"{\"liverysync_identity\": 9}", &[0xff; 64]] {
            fs::write(file.path(), damaged).unwrap();
            let state = state(folder.path(), &[1]);
            let error = file.read_or_make(Some(&state)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert!(file.member().is_err() && file.look(None).is_err());
            assert_eq!(fs::read(file.path()).unwrap(), damaged);
        }
    }

    #[test]
    fn a_damaged_key_makes_nobody_a_new_member() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path(), &[1]);
        let damaged = state.join(CLIENTS_FOLDER).join("00000000.key");
        fs::write(&damaged, "0123").unwrap();
        let file = IdentityFile::new(folder.path().join("identity.json"));
        let error = file.read_or_make(Some(&state)).unwrap_err();
        assert!(error.to_string().contains("00000000.key is damaged"), "{error}");
        assert!(!file.path().exists());
        // Somebody who has an identity does not need it.
        let made = file.read_or_make(None).unwrap();
        assert_eq!(file.read_or_make(Some(&state)).unwrap().member(), made.member());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let no_folder = folder.path().join("config");
        fs::write(&no_folder, "").unwrap();
        assert!(IdentityFile::new(no_folder.join("identity.json")).read_or_make(None).is_err());
    }
}
