//! Backups on a driver's PC: which folders are sets of them, where a file of one goes back to, and what may go.
//!
//! A set holds what was replaced at one moment, below `.backup/<YYYYMMDD_HHMMSS>/`, each file under its own
//! path. What lies there may be anybody's doing: only what a backup could have made is taken for one.

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
    name::{InvalidSetName, SetName},
    prune::{Bounds, Cut, FRESH, Held, Stays, cut, lengths},
    restore::{Target, stale_beside, target},
    wanted::Wanted,
};

/// A regular file whose path every PC could have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it lies.
    pub path: RelPath,
    /// How the walk found it.
    pub stamp: Stamp,
}

impl Located for Found {
    fn path(&self) -> &RelPath {
        &self.path
    }
}

/// Tells files that a backup could hold, of whatever type, from the rest, with reasons. Depends on the set of
/// things listed, not on their order.
#[must_use]
pub fn sound_files(mut listed: Vec<Listed>) -> (PathMap<Found>, Vec<Skipped>) {
    listed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let (mut found, mut rest) = (PathMap::default(), Vec::new());
    for item in listed {
        let file = sound_file(&item);
        if let Err(reason) = file.and_then(|file| Ok(found.insert(file)?)) {
            rest.push(Skipped { path: item.path, reason });
        }
    }
    (found, rest)
}

fn sound_file(item: &Listed) -> Result<Found, Reason> {
    let stamp = match &item.kind {
        Kind::File(stamp) => *stamp,
        Kind::Link => return Err(Reason::Link),
        Kind::Cloud => return Err(Reason::Cloud),
        Kind::Unreadable(why) => return Err(Reason::Unreadable(why.clone())),
    };
    let path = of_any_type(&item.path).map_err(|invalid| Reason::Name(invalid.fault))?;
    Ok(Found { path, stamp })
}

/// The list of types says what is shared, not what a driver may have back.
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
    fn only_what_a_backup_could_have_made_is_a_file_of_one() {
        let stamp = Stamp { size: 1, mtime: UnixTime::default() };
        let file =
            |path: &str| Listed { path: path.to_owned(), kind: Kind::File(stamp), change_tag: 0 };
        let mut listed: Vec<_> =
            ["T/b.TGA", "T/a.png", "t/A.png", "T/none", "T/a:b.png", "T/c."].map(file).into();
        listed.push(Listed { path: "T/link.png".to_owned(), kind: Kind::Link, change_tag: 0 });
        let (found, rest) = sound_files(listed.clone());
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
        assert_eq!(sound_files(listed), (found, rest));
    }
}
