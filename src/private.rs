//! Folders and files that only their user can read. On other systems than Unix, the user's own folders are private.

use std::{fs::DirBuilder, io, path::Path};

/// Makes a folder, and what is missing above it, for this user alone. A folder that exists stays as it is.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Takes away what others may do with a file or folder of an earlier version. Some file systems have no permissions, so that
/// it fails is no fault.
#[cfg(feature = "server")]
pub(crate) fn close_to_others(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let Ok(metadata) = std::fs::metadata(path) else { return };
        let mode = metadata.permissions().mode();
        if mode & 0o077 != 0 {
            let own = std::fs::Permissions::from_mode(mode & 0o7700);
            let _without_permissions = std::fs::set_permissions(path, own);
        }
    }
    #[cfg(not(unix))]
    let _private = path;
}
