//! The check of a client's manifest: which of its files may join the union.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    hash::{Content, ContentHash},
    manifest::{Entry, Manifest},
    path::{PathKey, RelPath},
    select::{Kind, Listed, Reason, Rules, Selection, Skipped, Stamp, select},
    union::Gained,
    wire::messages::FileInfo,
};

/// A manifest without the files that may not join the union.
#[derive(Debug, Default)]
pub(super) struct CheckedManifest {
    pub(super) manifest: Manifest,
    pub(super) skipped: Vec<Skipped>,
    /// The content that the client last had in sync at a path, where that was another one.
    pub(super) bases: BTreeMap<PathKey, ContentHash>,
    /// The files that the client had under another spelling before.
    pub(super) renamed: BTreeSet<PathKey>,
    /// The client remembers what it last had in sync.
    pub(super) has_bases: bool,
    /// Some entry has a modification time.
    pub(super) dated: bool,
}

impl CheckedManifest {
    /// Returns a file of it, with what the client last had in sync.
    pub(super) fn gained(&self, entry: &Entry) -> Gained {
        let key = entry.path.key();
        let (base, renamed) = (self.bases.get(key).copied(), self.renamed.contains(key));
        Gained { entry: entry.clone(), base, renamed, unchecked: base.is_none() }
    }
}

/// Checks every entry by the rules that a `liverysync` client applies to its folder.
///
/// `is_checked` is set for such a client: it knows better which of its files the game made. For the others, `is_current` says
/// whether the union has a content at a name. A placeholder that the league has is a file like any other, or it would be sent
/// to them again and again.
pub(super) fn check_manifest(
    files: Vec<FileInfo>,
    rules: &Rules,
    is_checked: bool,
    is_current: impl Fn(&PathKey, &str) -> bool,
) -> CheckedManifest {
    let rules = Rules {
        derived_dds: is_checked || rules.derived_dds,
        placeholders: is_checked,
        ..rules.clone()
    };
    let dated = files.iter().any(|file| file.mtime.is_some());
    let listed: Vec<_> = files
        .iter()
        .map(|file| {
            let mtime = file.modified().unwrap_or_default();
            Listed {
                path: file.rel_path.clone(),
                kind: Kind::File(Stamp { size: file.size, mtime }),
                change_tag: 0,
            }
        })
        .collect();
    let Selection { publish, mut skipped } = select(&listed, &rules);
    let hashes: HashMap<_, _> =
        files.iter().map(|file| (file.rel_path.as_str(), file.sha256.as_str())).collect();
    let is_had = |item: &Skipped| {
        let path = RelPath::parse(&item.path, &rules.extensions).ok();
        let path = path.filter(|_| item.reason == Reason::Placeholder);
        let hash = hashes.get(item.path.as_str());
        path.zip(hash).is_some_and(|(path, hash)| is_current(path.key(), hash))
    };
    let had: BTreeSet<_> =
        skipped.extract_if(.., |item| is_had(item)).map(|item| item.path).collect();
    let mut checked =
        CheckedManifest { skipped, has_bases: is_checked, dated, ..CheckedManifest::default() };
    for file in &files {
        let Ok(path) = RelPath::parse(&file.rel_path, &rules.extensions) else { continue };
        let chosen = publish.get(path.key()).map(|chosen| chosen.path.as_str());
        // Of two spellings of one file, only the chosen one counts.
        if chosen != Some(file.rel_path.as_str()) && !had.contains(&file.rel_path) {
            continue;
        }
        let mtime = file.modified();
        let entry = file.sha256.parse().map(|hash| Entry {
            path: path.clone(),
            content: Content { hash, size: file.size },
            mtime,
        });
        let base = file.base.as_ref().and_then(|base| base.parse().ok());
        checked.bases.extend(base.map(|base| (path.key().clone(), base)));
        if file.renamed {
            checked.renamed.insert(path.key().clone());
        }
        let taken = match entry {
            Ok(entry) => checked.manifest.insert(entry).map_err(Reason::from),
            Err(invalid) => Err(Reason::Unreadable(invalid.to_string())),
        };
        if let Err(reason) = taken {
            checked.skipped.push(Skipped { path: file.rel_path.clone(), reason });
        }
    }
    checked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_macos_adds_joins_no_union_whatever_program_brings_it() {
        let file = |path: &str| FileInfo {
            rel_path: path.to_owned(),
            size: 1,
            sha256: ContentHash::of(b"x").to_string(),
            ..FileInfo::default()
        };
        let files = ["T/decals.png", "T/._decals.png", "__MACOSX/T/._decals.png"].map(file);
        for is_checked in [false, true] {
            // Not even if the league has it already.
            let checked =
                check_manifest(files.to_vec(), &Rules::default(), is_checked, |_, _| true);
            let taken: Vec<_> = checked.manifest.iter().map(|entry| entry.path.as_str()).collect();
            assert_eq!(taken, ["T/decals.png"]);
            assert!(checked.skipped.iter().all(|item| item.reason == Reason::MacOs));
        }
    }
}
