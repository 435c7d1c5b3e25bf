//! Restoring: the target of a backup's file, and the game's files that must be removed with it.

use super::Found;
use crate::{
    path::RelPath,
    pathmap::{Collision, PathMap},
    select::{Listed, Reason, Rules, StaleFiles, Stamp, is_placeholder, select},
};

/// The target of a restored file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The path, as this PC spells it now.
    pub path: RelPath,
    /// The file that is there now, if any.
    pub there: Option<Stamp>,
}

/// Returns the target of the file that was at `path`, in a folder with the files `now`.
///
/// # Errors
///
/// Fails if a file has the name of one of its folders, or a folder has its name.
pub fn target(path: &RelPath, now: &PathMap<Found>) -> Result<Target, Collision> {
    if let Some(found) = now.get(path.key()) {
        return Ok(Target { path: found.path.clone(), there: Some(found.stamp) });
    }
    now.check(path)?;
    // Where a disk tells upper from lower case, the livery would be split in two folders otherwise.
    let spelled = super::of_any_type(&now.respell(path));
    Ok(Target { path: spelled.unwrap_or_else(|_| path.clone()), there: None })
}

/// Returns what the game made of the liveries before `arriving` comes back: caches beside pictures that change, and the
/// placeholder files of a livery that this PC did not have. Paths are as `listed` has them.
#[must_use]
pub fn stale_beside(arriving: &[RelPath], listed: &[Listed]) -> Vec<String> {
    // Files of a placeholder that come back make no livery, so the rest of the placeholder stays.
    let rule = StaleFiles::beside(arriving, |path| !is_placeholder(path));
    let selection = select(listed, &Rules::default());
    let skipped = selection.skipped.iter().filter_map(|item| {
        let path = super::of_any_type(&item.path).ok()?;
        let placeholder = item.reason == Reason::Placeholder;
        rule.is_stale(path.key().as_str(), placeholder).then(|| item.path.clone())
    });
    let published = selection.publish.iter().map(|file| &file.path);
    let published = published
        .filter(|path| rule.is_stale(path.key().as_str(), false))
        .map(|path| path.as_str().to_owned());
    published.chain(skipped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backups::valid_files, path::Extensions, select::Kind, time::UnixTime};

    const STAMP: Stamp = Stamp { size: 1, mtime: UnixTime::from_nanos(0) };

    fn listed(paths: &[&str]) -> Vec<Listed> {
        let file = |path: &&str| Listed {
            path: (*path).to_owned(),
            kind: Kind::File(STAMP),
            change_tag: 0,
        };
        paths.iter().map(file).collect()
    }

    fn rel(path: &str) -> RelPath {
        RelPath::parse(path, &Extensions::default()).unwrap()
    }

    #[test]
    fn a_file_goes_where_this_pc_has_it_now() {
        let (now, _) = valid_files(listed(&["team/A.png", "Loose", "x.png", "F/sub.png/a.png"]));
        let at =
            |path| target(&rel(path), &now).map(|target| (target.path.to_string(), target.there));
        assert_eq!(at("Team/a.png"), Ok(("team/A.png".to_owned(), Some(STAMP))));
        assert_eq!(at("Team/b.png"), Ok(("team/b.png".to_owned(), None)));
        assert_eq!(at("New/b.png"), Ok(("New/b.png".to_owned(), None)));
        assert_eq!(at("X.png/b.png"), Err(Collision::File(rel("x.png"))));
        assert_eq!(at("F/sub.png"), Err(Collision::Folder));
    }

    #[track_caller]
    fn check(now: &[&str], arriving: &[&str], stale: &[&str]) {
        let arriving: Vec<_> = arriving.iter().map(|path| rel(path)).collect();
        assert_eq!(stale_beside(&arriving, &listed(now)), stale);
    }

    #[test]
    fn what_the_game_made_of_another_picture_makes_way() {
        let now = [
            "T/decals.png",
            "T/decals_0.dds",
            "T/DECALS_1.DDS",
            "T/sponsors_0.dds",
            "U/decals_0.dds",
        ];
        check(&now, &["T/decals.png"], &["T/DECALS_1.DDS", "T/decals_0.dds"]);
        check(&now, &["T/decals.png", "T/decals_0.dds"], &["T/DECALS_1.DDS"]);
        check(&now, &["U/decals.png"], &["U/decals_0.dds"]);
        check(&now, &["T/other.png"], &[]);
    }

    #[test]
    fn placeholders_make_way_for_a_livery() {
        let now = ["T/decals.json", "T/sponsors.json", "U/decals.json"];
        check(&now, &["T/decals.png"], &["T/decals.json", "T/sponsors.json"]);
        check(&now, &["T/decals.png", "T/decals.json"], &["T/sponsors.json"]);
        check(&now, &["T/decals.json"], &[]);
        // Whatever else is there, values without their picture are no author's work.
        check(&["T/decals.json", "T/a.png"], &["T/decals.png"], &["T/decals.json"]);
    }
}
