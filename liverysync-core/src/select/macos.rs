//! Files that macOS adds to archives and to disks without room for its attributes. Nobody else needs them, and a pack that
//! was made on a Mac has one beside every picture.

/// The folder in archives, as folded.
const ARCHIVE_FOLDER: &str = "__macosx";

/// The first characters of a file with the attributes of the file that is named behind them.
const ATTRIBUTES: &str = "._";

/// Returns true if a file is one that macOS made, by its path or its key.
pub(crate) fn is_of_macos(path: &str) -> bool {
    // Nearly all paths end here: this is asked of every file in every scan.
    if !path.contains(ATTRIBUTES) && !path.starts_with('_') && !path.contains("/_") {
        return false;
    }
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let has_attributes = name.strip_prefix(ATTRIBUTES).is_some_and(|rest| !rest.is_empty());
    has_attributes || folders.split('/').any(|folder| folder.eq_ignore_ascii_case(ARCHIVE_FOLDER))
}
