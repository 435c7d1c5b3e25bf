//! Backups on a driver's PC: recognizing backup sets, restoring their files, and pruning them.
//!
//! A backup set has the files that were replaced or removed at one moment, each at its own path below
//! `.backup/<YYYYMMDD_HHMMSS>/`. People may put anything there too, so only files that a backup could have made are
//! considered.

mod name;
mod prune;
mod restore;
mod wanted;

use crate::{
    path::{Extensions, InvalidPath, PathFault, RelPath},
    pathmap::{Located, PathMap},
    select::{Kind, Listed, Reason, Skipped, Stamp},
};

pub use self::{
    name::{InvalidSetName, MOMENT_FORMAT, SetName},
    prune::{Bounds, Cut, FRESH, Held, Stays, cut, lengths},
    restore::{Target, stale_beside, target},
    wanted::Wanted,
};

/// A regular file with a valid path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its path.
    pub path: RelPath,
    /// Its size and modification time when it was listed.
    pub stamp: Stamp,
}

impl Located for Found {
    fn path(&self) -> &RelPath {
        &self.path
    }
}

/// Separates the files that a backup could contain, of any type, from the rest, with reasons.
///
/// The result does not depend on the order of `listed`.
#[must_use]
pub fn valid_files(mut listed: Vec<Listed>) -> (PathMap<Found>, Vec<Skipped>) {
    // Of two names that collide the first one counts, and each disk lists in its own order.
    listed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let (mut found, mut rest) = (PathMap::default(), Vec::new());
    for item in listed {
        let file = valid_file(&item);
        if let Err(reason) = file.and_then(|file| Ok(found.insert(file)?)) {
            rest.push(Skipped { path: item.path, reason });
        }
    }
    (found, rest)
}

fn valid_file(item: &Listed) -> Result<Found, Reason> {
    let stamp = match &item.kind {
        Kind::File(stamp) => *stamp,
        Kind::Link => return Err(Reason::Link),
        Kind::Cloud => return Err(Reason::Cloud),
        Kind::Unreadable(why) => return Err(Reason::Unreadable(why.clone())),
    };
    let path = of_any_type(&item.path).map_err(|invalid| Reason::Name(invalid.fault))?;
    Ok(Found { path, stamp })
}

/// Parses a path with any extension. The list of extensions limits what is shared, not what can be restored.
fn of_any_type(text: &str) -> Result<RelPath, InvalidPath> {
    RelPath::parse(text, &Extensions::default()).or_else(|invalid| match &invalid.fault {
        PathFault::Extension(own) => match Extensions::from_list([own]) {
            Ok(own) => RelPath::parse(text, &own),
            Err(_) => Err(invalid),
        },
        _ => Err(invalid),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixTime;

    #[test]
    fn only_files_that_a_backup_could_have_made_are_found() {
        let stamp = Stamp { size: 1, mtime: UnixTime::default() };
        let file =
            |path: &str| Listed { path: path.to_owned(), kind: Kind::File(stamp), change_tag: 0 };
        let mut listed: Vec<_> =
            ["T/b.TGA", "T/a.png", "t/A.png", "T/none", "T/a:b.png", "T/c."].map(file).into();
        listed.push(Listed { path: "T/link.png".to_owned(), kind: Kind::Link, change_tag: 0 });
        let (found, rest) = valid_files(listed.clone());
        let paths: Vec<_> = found.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["T/a.png", "T/b.TGA"]);
        let kinds: Vec<_> = rest.iter().map(|one| (&*one.path, one.reason.kind())).collect();
        let expected = [
            ("T/a:b.png", "name"),
            ("T/c.", "name"),
            ("T/link.png", "link"),
            ("T/none", "name"),
            ("t/A.png", "collision"),
        ];
        assert_eq!(kinds, expected);
        listed.reverse();
        assert_eq!(valid_files(listed), (found, rest));
    }
}
