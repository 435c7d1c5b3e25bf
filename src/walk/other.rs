//! Walks folder by folder. On Windows, reading a folder's names already returns everything about each file.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
};

use liverysync_core::{
    own_folders::is_own_folder,
    select::{Kind, Listed},
};

use crate::{
    disk::beneath::{Folder, Found, What},
    watch::WatchHandle,
};

/// Lists everything below `root`, except liverysync's own folders.
pub(crate) fn list(root: &Path, _handle: &WatchHandle) -> io::Result<Vec<Listed>> {
    list_open(&Folder::open(root)?)
}

/// Lists everything below a folder that is open, except liverysync's own folders.
pub(crate) fn list_open(root: &Folder) -> io::Result<Vec<Listed>> {
    let mut listed = Vec::new();
    let mut waiting = vec![(String::new(), PathBuf::new())];
    while let Some((above, below)) = waiting.pop() {
        let entries = match root.folder(&below).and_then(|folder| folder.entries()) {
            Ok(entries) => entries,
            Err(error) if above.is_empty() => return Err(error),
            // It may be removed between being listed and being looked at.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                let kind = Kind::Unreadable(error.to_string());
                listed.push(Listed { path: above, kind, change_tag: 0 });
                continue;
            }
        };
        for (name, found) in entries {
            let path = path_of(&above, &name);
            match found {
                Ok(found) if found.what == What::Folder => {
                    if !(above.is_empty() && is_own_folder(&path)) {
                        waiting.push((path, below.join(name)));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                found => {
                    let (kind, change_tag) = kind_of(found);
                    listed.push(Listed { path, kind, change_tag });
                }
            }
        }
    }
    Ok(listed)
}

fn kind_of(found: io::Result<Found>) -> (Kind, u64) {
    match found {
        Ok(found) if found.in_the_cloud => (Kind::Cloud, 0),
        Ok(found) if found.what == What::File => (Kind::File(found.stamp), found.change_tag),
        Ok(_) => (Kind::Link, 0),
        Err(error) => (Kind::Unreadable(error.to_string()), 0),
    }
}

/// Returns the path below the root with `/` between components. Invalid Unicode becomes U+FFFD, which the path rule
/// refuses.
fn path_of(above: &str, name: &OsStr) -> String {
    let name = name.to_string_lossy();
    if above.is_empty() { name.into_owned() } else { format!("{above}/{name}") }
}
