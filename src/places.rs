//! The places of the game's and the user's folders on this PC.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The game's Steam app id.
const APP_ID: u32 = 805_550;

/// The game's own folder in the documents folder.
const GAME: &str = "Assetto Corsa Competizione";

/// The path from the game's own folder to the liveries. A new game has none of it.
const BELOW_GAME: [&str; 2] = ["Customs", "Liveries"];

/// The error if the game's liveries folder was not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot find the game's liveries folder; tried {}", list(.tried))]
#[non_exhaustive]
pub struct FolderNotFound {
    /// The paths that were tried.
    pub tried: Vec<PathBuf>,
}

impl FolderNotFound {
    /// Makes one from its fields, for the tests of a front end.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(tried: Vec<PathBuf>) -> Self {
        Self { tried }
    }
}

fn list(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "nothing, because the system reports no documents folder".to_owned();
    }
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Finds the game's liveries folder: below the system's documents folder and, except on Windows, also in `~/Documents` and
/// where Steam's Proton keeps the game's documents, in each Steam library.
///
/// A new game has no liveries folder. Where only the game's own folder is there, this returns the path that the liveries
/// folder will have; [`Client`](crate::Client) makes it when it starts.
///
/// # Errors
///
/// Fails with the paths that were tried.
pub fn liveries_folder() -> Result<PathBuf, FolderNotFound> {
    find(&documents())
}

/// Makes the missing part of the path to a new game's liveries folder. Does nothing if the game's own folder is not there, or
/// if `liveries` is not in one.
pub(crate) fn complete(liveries: &Path) -> io::Result<()> {
    let is_new = game_folder(liveries).is_some_and(Path::is_dir);
    if is_new { fs::create_dir_all(liveries) } else { Ok(()) }
}

/// Returns `true` if a client would make the liveries folder when it starts: the game is new, and has no liveries.
pub(crate) fn is_to_be_made(liveries: &Path) -> bool {
    let is_missing = |path: &Path| fs::symlink_metadata(path).is_err();
    is_missing(liveries) && game_folder(liveries).is_some_and(Path::is_dir)
}

/// Finds the liveries folder below one of the documents folders. One that exists comes before one that would be made.
fn find(documents: &[PathBuf]) -> Result<PathBuf, FolderNotFound> {
    let tried: Vec<_> = documents.iter().map(|folder| below_documents(folder)).collect();
    let is_new = |path: &&PathBuf| game_folder(path).is_some_and(Path::is_dir);
    let found = tried.iter().find(|path| path.is_dir()).or_else(|| tried.iter().find(is_new));
    match found {
        Some(found) => Ok(found.clone()),
        None => Err(FolderNotFound { tried }),
    }
}

/// Returns the folders that may be the game's documents folder, in the order in which they are searched.
fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = dirs::document_dir().into_iter().collect();
    if !cfg!(windows) {
        // Many systems without a desktop name no documents folder.
        found.extend(dirs::home_dir().map(|home| home.join("Documents")));
        found.extend(proton_documents());
    }
    found.dedup();
    found
}

fn below_documents(documents: &Path) -> PathBuf {
    documents.iter().chain([GAME.as_ref()]).chain(BELOW_GAME.iter().map(AsRef::as_ref)).collect()
}

/// Returns the game's own folder, if a path is that of its liveries folder.
fn game_folder(liveries: &Path) -> Option<&Path> {
    let game = liveries.ancestors().nth(BELOW_GAME.len())?;
    let is_game = game.ends_with(GAME)
        && BELOW_GAME.iter().collect::<PathBuf>() == liveries.strip_prefix(game).ok()?;
    is_game.then_some(game)
}

/// Returns the game's documents folder in each Steam library.
fn proton_documents() -> Vec<PathBuf> {
    let mut libraries = Vec::new();
    for steam in steamlocate::locate_all().unwrap_or_default() {
        libraries.push(steam.path().to_owned());
        libraries.extend(steam.library_paths().unwrap_or_default());
    }
    if let Some(home) = dirs::home_dir() {
        // The Steam of Flatpak has a home folder of its own.
        libraries.push(home.join(".var/app/com.valvesoftware.Steam/.local/share/Steam"));
        libraries.push(home.join(".local/share/Steam"));
    }
    let mut documents: Vec<PathBuf> = Vec::new();
    for library in libraries {
        let drive = library.join(format!("steamapps/compatdata/{APP_ID}/pfx/drive_c"));
        let folder = drive.join("users/steamuser/Documents");
        if !documents.contains(&folder) {
            documents.push(folder);
        }
    }
    documents
}

/// Returns the folder for this user's state on this PC, or `None` if the system has no place for it. The state must not
/// be in the liveries folder: that may be synced by a cloud service, and old clients would share it.
#[must_use]
pub fn state_folder() -> Option<PathBuf> {
    Some(dirs::data_local_dir()?.join("liverysync"))
}

/// Returns the id of the Steam account that logged in last on this PC. It is a label, never a credential.
#[must_use]
pub fn steam_id() -> Option<String> {
    let mut roots: Vec<PathBuf> = steamlocate::locate_all()
        .unwrap_or_default()
        .iter()
        .map(|steam| steam.path().to_owned())
        .collect();
    roots.dedup();
    let texts = roots.iter().map(|root| std::fs::read(root.join("config/loginusers.vdf")));
    texts.flatten().find_map(|text| most_recent_account(&String::from_utf8_lossy(&text)))
}

/// Reads `loginusers.vdf`. Returns the account that is flagged as most recent, else the one with the newest timestamp.
///
/// The file consists of quoted words and braces. The case of its keys varies.
fn most_recent_account(text: &str) -> Option<String> {
    let mut accounts: Vec<(String, bool, u64)> = Vec::new();
    let words = text.lines().map(|line| {
        let mut quoted = line.split('"').skip(1).step_by(2);
        (quoted.next(), quoted.next())
    });
    for word in words {
        match word {
            (Some(id), None) if id.len() == 17 && id.bytes().all(|byte| byte.is_ascii_digit()) => {
                accounts.push((id.to_owned(), false, 0));
            }
            (Some(key), Some(value)) => {
                let Some((_, recent, date)) = accounts.last_mut() else { continue };
                if key.eq_ignore_ascii_case("MostRecent") {
                    *recent = value == "1";
                } else if key.eq_ignore_ascii_case("Timestamp") {
                    *date = value.parse().unwrap_or(0);
                }
            }
            _ => {}
        }
    }
    accounts.into_iter().max_by_key(|(_, recent, date)| (*recent, *date)).map(|(id, ..)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = r#"
"users"
{
	"76561198000000001"
	{
		"AccountName"		"old"
		"mostrecent"		"0"
		"Timestamp"		"1700000000"
	}
	"76561198000000002"
	{
		"AccountName"		"new"
		"MOSTRECENT"		"1"
		"Timestamp"		"1600000000"
	}
}
"#;

    #[test]
    fn the_flagged_account_wins_over_a_newer_one() {
        assert_eq!(most_recent_account(USERS).as_deref(), Some("76561198000000002"));
        let unflagged = USERS.replace("\"1\"", "\"0\"");
        assert_eq!(most_recent_account(&unflagged).as_deref(), Some("76561198000000001"));
        assert_eq!(most_recent_account("\"users\" {"), None);
    }

    #[test]
    fn a_new_game_has_its_liveries_folder_made() {
        let home = tempfile::tempdir().unwrap();
        let documents = ["a", "b", "c"].map(|name| home.path().join(name));
        let liveries = documents.each_ref().map(|folder| below_documents(folder));
        assert_eq!(find(&documents), Err(FolderNotFound { tried: liveries.to_vec() }));
        complete(&liveries[0]).unwrap();
        assert!(!documents[0].exists(), "made without a game");

        let game = documents[1].join(GAME);
        fs::create_dir_all(game.join("Config")).unwrap();
        assert_eq!(find(&documents).as_ref(), Ok(&liveries[1]));
        assert!(!game.join("Customs").exists(), "made before a client starts");
        let is_new = [&liveries[0], &liveries[1]].map(|folder| is_to_be_made(folder));
        assert_eq!(is_new, [false, true]);
        let elsewhere = game.join("Customs/Cars");
        complete(&elsewhere).unwrap();
        assert!(!elsewhere.exists(), "made another folder");
        complete(&liveries[1]).unwrap();
        assert!(liveries[1].is_dir() && !is_to_be_made(&liveries[1]));

        fs::create_dir_all(documents[0].join(GAME)).unwrap();
        assert_eq!(find(&documents).as_ref(), Ok(&liveries[1]), "one that exists comes first");
    }

    #[test]
    fn the_error_names_the_tried_paths() {
        let not_found = FolderNotFound { tried: vec!["/a".into(), "/b".into()] };
        assert!(not_found.to_string().ends_with("tried /a, /b"));
    }
}
