//! The folders that liverysync itself makes at the top of a liveries folder.

use crate::path::fold;

/// The folder of the backup sets.
pub const BACKUP_FOLDER: &str = ".backup";

/// The folder for staged files.
pub const STAGING_FOLDER: &str = ".tmp";

/// Returns true if a folder of this name, at the top of a liveries folder, is liverysync's own.
#[must_use]
pub fn is_own_folder(name: &str) -> bool {
    is_own_key(&fold(name))
}

/// Does the same for a name that is folded already.
pub(crate) fn is_own_key(folded: &str) -> bool {
    [BACKUP_FOLDER, STAGING_FOLDER].contains(&folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_folders_are_recognized_in_every_spelling() {
        for name in [".backup", ".BackUp", ".bac\u{212a}up", ".tmp", ".TMP"] {
            assert!(is_own_folder(name), "{name}");
        }
        for name in ["", "backup", ".backups", ".backup ", ".tmp1", "tmp", "T/.tmp"] {
            assert!(!is_own_folder(name), "{name}");
        }
    }
}
