//! The places of the game's and the user's folders on this PC.

use std::path::{Path, PathBuf};

/// The game's Steam app id.
const APP_ID: u32 = 805_550;

/// The path from the documents folder to the liveries.
const BELOW_DOCUMENTS: [&str; 3] = ["Assetto Corsa Competizione", "Customs", "Liveries"];

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
        return "nothing, because the system names no documents folder".to_owned();
    }
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Finds the game's liveries folder: below the system's documents folder and, except on Windows, also where Steam's
/// Proton keeps the game's documents, in each Steam library.
///
/// # Errors
///
/// Fails with the paths that were tried.
pub fn liveries_folder() -> Result<PathBuf, FolderNotFound> {
    let tried = candidates();
    match tried.iter().find(|path| path.is_dir()) {
        Some(found) => Ok(found.clone()),
        None => Err(FolderNotFound { tried }),
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut documents: Vec<PathBuf> = dirs::document_dir().into_iter().collect();
    if !cfg!(windows) {
        documents.extend(proton_documents());
    }
    let mut places: Vec<_> = documents.iter().map(|folder| below_documents(folder)).collect();
    places.dedup();
    places
}

fn below_documents(documents: &Path) -> PathBuf {
    documents.iter().chain(BELOW_DOCUMENTS.iter().map(AsRef::as_ref)).collect()
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
    fn the_error_names_the_tried_paths() {
        let not_found = FolderNotFound { tried: vec!["/a".into(), "/b".into()] };
        assert!(not_found.to_string().ends_with("tried /a, /b"));
    }
}
