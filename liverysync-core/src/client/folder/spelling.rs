//! The spelling of names on this disk: what its driver has renamed, and what is renamed to the league's spelling.

use super::{Folder, IndexedFile};
use crate::{
    client::context::Context,
    path::{Extensions, PathKey, RelPath, fold},
    pathmap::PathMap,
};

impl Folder {
    /// Notes which files have got another spelling since the last scan.
    pub(super) fn note_renamed(&mut self, files: &PathMap<IndexedFile>) {
        let renamed = files.iter().filter(|file| {
            let before = self.index.get(file.path.key());
            before.is_some_and(|before| before.path != file.path)
        });
        self.renamed.extend(renamed.map(|file| file.path.key().clone()));
    }

    /// Returns whether this PC had a file in another spelling until now.
    pub(in crate::client) fn is_renamed(&self, key: &PathKey) -> bool {
        self.renamed.contains(key)
    }

    /// Notes that files are being renamed. Until that is over nobody knows where a new file has to go.
    pub(in crate::client) const fn begin_respelling(&mut self) {
        self.respelling = true;
    }

    pub(in crate::client) const fn end_respelling(&mut self) {
        self.respelling = false;
    }

    pub(in crate::client) const fn is_respelling(&self) -> bool {
        self.respelling
    }

    /// Notes that a file was given the league's spelling, together with its folders and everything in them.
    pub(in crate::client) fn handle_respelled(
        &mut self,
        cx: &Context,
        from: &RelPath,
        to: &RelPath,
    ) {
        let ends = |path: &RelPath| {
            let slashes = path.as_str().match_indices('/').map(|(at, _)| at);
            slashes.chain([path.as_str().len()]).collect::<Vec<_>>()
        };
        for (old, new) in ends(from).into_iter().zip(ends(to)) {
            // The folders above have their new names already.
            let above = to.as_str()[..new].rfind('/').map_or(0, |at| at + 1);
            let (old, new) = (&from.as_str()[..old], &to.as_str()[..new]);
            let name = old.rsplit('/').next().unwrap_or(old);
            if name != &new[above..] {
                self.respell_below(cx, &format!("{}{name}", &new[..above]), new);
            }
        }
        self.save_timer.handle_index_change(cx.now.time);
    }

    fn respell_below(&mut self, cx: &Context, from: &str, to: &str) {
        if let Some(listing) = &mut self.listing {
            listing.respell(from, to);
        }
        let key = fold(from);
        let files = self.files();
        let below = files.with_prefix(format!("{key}/")).chain(files.get(&*key));
        let renamed: Vec<_> = below
            .filter_map(|file| {
                let rest = below_folder(file.path.as_str(), from)?;
                let path = RelPath::parse(&format!("{to}{rest}"), &cx.config.rules.extensions);
                // Renaming a file itself changes its tag, renaming its folder does not.
                let change_tag = if rest.is_empty() { 0 } else { file.change_tag };
                Some(IndexedFile { path: path.ok()?, change_tag, ..file.clone() })
            })
            .collect();
        let files = self.index.files_mut();
        for file in renamed {
            let key = file.path.key().clone();
            files.remove(&key);
            // It fits where it was.
            let _fits = files.insert(file);
            // A scan under way may have seen the old name.
            self.installed.insert(key);
        }
    }

    /// Returns a path as this PC spells it now: the file that it has there, or else its folders.
    pub(in crate::client) fn spelled(&self, path: &RelPath, extensions: &Extensions) -> RelPath {
        if let Some(file) = self.get(path.key()) {
            return file.path.clone();
        }
        let spelling = match self.spelling(path.key()) {
            Some(there) => there.to_owned(),
            None => self.files().respell(path),
        };
        RelPath::parse(&spelling, extensions).unwrap_or_else(|_| path.clone())
    }
}

/// Returns the rest of a path that is `folder` or below it, in this spelling.
pub(super) fn below_folder<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}
