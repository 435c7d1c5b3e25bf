//! Settling a conflict: one content keeps the name, and the others are retired.

use std::collections::BTreeSet;

use super::{Outcome, Union, UnionEntry, acts::find};
use crate::{
    conflict::{in_claimed_livery, parse_conflict_name, plain_stem},
    hash::Content,
    league::{Act, ActError, Cause},
    manifest::Entry,
    path::{RelPath, fold},
    time::UnixTime,
};

impl Union {
    /// Lets the content that `keep` names keep a name in conflict, or nothing, and retires the others.
    pub(super) fn resolve(
        &mut self,
        path: &str,
        keep: &str,
        outcome: &mut Outcome,
    ) -> Result<(), ActError> {
        let (plain, rivals) = self.find_claims(path)?;
        let now = self.entries.get(plain.key()).map(|entry| Entry::clone(entry));
        let established = now.as_ref().map(|entry| entry.content);
        let kept = match (keep, &now) {
            // Only a free name stays free. An established file has to be retired, not lost in a decision about its
            // copies.
            (Act::KEEP_NONE, None) => None,
            _ => Some(choose(path, keep, now.iter().chain(&rivals))?),
        };
        let content = kept.map(|(content, _)| content);
        let in_folder = |rival: &Entry| {
            plain.folder().is_some() && rival.path.key().livery() != plain.key().livery()
        };
        let (in_folders, rivals): (Vec<_>, Vec<_>) = rivals.into_iter().partition(in_folder);
        let chosen = in_folders.iter().filter(|rival| Some(rival.content) == content);
        let chosen: BTreeSet<_> = chosen.map(|rival| rival.path.livery()).collect();
        if chosen.len() > 1 {
            let folders = chosen.into_iter().map(str::to_owned).collect();
            return Err(ActError::SeveralLiveries { path: path.to_owned(), folders });
        }
        let chosen = chosen.first().map(|folder| fold(folder));
        // A file in a conflict folder is kept with all of its livery: single files would mix two liveries.
        if chosen.is_some() || content == established {
            let folders = in_folders.iter().map(|rival| rival.path.key().livery().to_owned());
            self.resolve_livery(&plain, chosen.as_deref(), &folders.collect(), outcome)?;
        }
        if chosen.is_none() {
            self.resolve_file(&plain, &rivals, kept, outcome)?;
        }
        Ok(())
    }

    /// Lets one of a file and its conflict copies beside it keep the name, or none.
    fn resolve_file(
        &mut self,
        plain: &RelPath,
        rivals: &[Entry],
        kept: Option<(Content, Option<UnixTime>)>,
        outcome: &mut Outcome,
    ) -> Result<(), ActError> {
        let content = kept.map(|(content, _)| content);
        let established = self.entries.get(plain.key()).map(|entry| entry.content);
        let placed = kept.filter(|(content, _)| Some(*content) != established);
        if let Some((content, _)) = placed {
            self.check_sent(plain.as_str(), content)?;
            self.check_name(plain)?;
        }
        // Peers that have the chosen content under this name already become its holders when it is placed.
        for rival in rivals {
            self.record_retired(rival.path.clone(), outcome);
        }
        if let Some((content, mtime)) = placed {
            let author = self.author_of(rivals.iter().find(|rival| rival.content == content));
            let entry = Entry { path: plain.clone(), content, mtime };
            self.record_placed(entry, author, Cause::Resolved, outcome);
        }
        for rival in rivals.iter().filter(|rival| Some(rival.content) != content) {
            // From now on it is outdated at this name, and does not come back as another conflict.
            self.decline(plain.clone(), rival.content, outcome);
        }
        Ok(())
    }

    /// Returns the name that an admin means, in the league's spelling, and the files in conflict with it.
    fn find_claims(&self, path: &str) -> Result<(RelPath, Vec<Entry>), ActError> {
        let no_file = || ActError::NoFile { path: path.to_owned() };
        if let Some(there) = self.entries.get(&*fold(path)) {
            return Ok((there.path.clone(), self.rivals_of(&there.path)));
        }
        let name = RelPath::parse(path, &self.settings.naming.extensions).map_err(|_| no_file())?;
        let rivals = self.rivals_of(&name);
        // No file has the name itself, so a conflict copy tells how it is spelled.
        let first = rivals.first().ok_or_else(no_file)?;
        let spellings = [
            in_claimed_livery(&first.path, &self.settings.naming),
            parse_conflict_name(&first.path, &self.settings.naming).map(|(plain, _)| plain),
        ];
        let mut spellings = spellings.into_iter().flatten();
        Ok((spellings.find(|spelled| spelled.key() == name.key()).unwrap_or(name), rivals))
    }

    /// Lets one of a livery and its conflict folders keep the name as a whole: the folder `kept`, or else the established one.
    fn resolve_livery(
        &mut self,
        plain: &RelPath,
        kept: Option<&str>,
        folders: &BTreeSet<String>,
        outcome: &mut Outcome,
    ) -> Result<(), ActError> {
        let livery = plain.key().livery().to_owned();
        let own: Vec<_> = self.entries.of_livery(&livery).map(|e| Entry::clone(e)).collect();
        let rivals = folders.iter().flat_map(|folder| self.entries.of_livery(folder));
        let rivals: Vec<_> = rivals.map(|entry| Entry::clone(entry)).collect();
        // Each file with its author and the name that it claims, in the established spelling.
        let claims = rivals.into_iter().filter_map(|rival| {
            let claimed = in_claimed_livery(&rival.path, &self.settings.naming)?;
            let there = own.iter().find(|own| own.path.key() == claimed.key());
            let claimed = there.map_or(claimed, |there| there.path.clone());
            Some((self.author_of(Some(&rival)), claimed, rival))
        });
        let claims: Vec<_> = claims.collect();
        let is_kept = |rival: &Entry| kept == Some(rival.path.key().livery());
        for (_, claimed, rival) in claims.iter().filter(|(.., rival)| is_kept(rival)) {
            self.check_sent(claimed.as_str(), rival.content)?;
        }
        for (_, _, rival) in &claims {
            self.record_retired(rival.path.clone(), outcome);
        }
        if kept.is_some() {
            // Files that only the former livery has would mix two liveries under the name.
            let stays = claims.iter().filter(|(.., rival)| is_kept(rival));
            let stays: BTreeSet<_> = stays.map(|(_, claimed, _)| claimed.key()).collect();
            for gone in own.iter().filter(|own| !stays.contains(own.path.key())) {
                self.record_retired(gone.path.clone(), outcome);
            }
        }
        if let Some(folder) = kept {
            // Whoever made the livery that keeps the name may go on changing it.
            let owners = self.owners(folder).cloned().unwrap_or_default();
            self.set_owners(plain.livery(), owners, false, outcome);
        }
        for (author, claimed, rival) in &claims {
            let (content, mtime) = (rival.content, rival.mtime);
            let there = self.entries.get(claimed.key()).map(|entry| entry.content);
            if is_kept(rival) && there != Some(content) {
                let entry = Entry { path: claimed.clone(), content, mtime };
                self.record_placed(entry, *author, Cause::Resolved, outcome);
            }
        }
        for (_, claimed, rival) in claims.into_iter().filter(|(.., rival)| !is_kept(rival)) {
            let there = self.entries.get(claimed.key()).map(|entry| entry.content);
            // What both liveries have is not in conflict.
            if there != Some(rival.content) {
                self.decline(claimed, rival.content, outcome);
            }
        }
        Ok(())
    }

    /// Returns the files in conflict with a name, ordered by their conflict names.
    pub(super) fn rivals_of(&self, plain: &RelPath) -> Vec<Entry> {
        let is_named_so = |entry: &&UnionEntry| {
            let parsed = parse_conflict_name(&entry.path, &self.settings.naming);
            parsed.is_some_and(|(name, _)| name.key() == plain.key())
        };
        // Conflict copies of a loose file are liveries by themselves.
        if plain.folder().is_none() {
            let rivals = self.entries.iter().filter(is_named_so);
            return rivals.map(|entry| Entry::clone(entry)).collect();
        }
        let livery = plain.key().livery();
        let established = self.entries.get(plain.key()).map(|entry| entry.content);
        let beside = self.entries.of_livery(livery).filter(is_named_so);
        // A conflict folder also has the files that both liveries share; those are not in conflict.
        let in_folders = self.in_conflict_folders(livery).filter(|entry| {
            let claimed = in_claimed_livery(&entry.path, &self.settings.naming);
            claimed.is_some_and(|claimed| claimed.key() == plain.key())
                && Some(entry.content) != established
        });
        beside.chain(in_folders).map(|entry| Entry::clone(entry)).collect()
    }

    /// Returns the files in the conflict folders of a livery, ordered by key.
    pub(super) fn in_conflict_folders(&self, livery: &str) -> impl Iterator<Item = &UnionEntry> {
        let (naming, livery) = (self.settings.naming.folded(), livery.to_owned());
        let prefixes = self.settings.naming.folder_prefixes(&livery).into_iter();
        let all = prefixes.flat_map(|prefix| self.entries.with_prefix(prefix));
        all.filter(move |entry| {
            let folder = entry.path.folder().map(|_| entry.path.key().livery());
            folder.is_some_and(|folder| plain_stem(folder, &naming) == livery)
        })
    }
}

/// Finds the content that `keep` names among the claims to a name, with its time.
fn choose<'a>(
    path: &str,
    keep: &str,
    claims: impl Iterator<Item = &'a Entry>,
) -> Result<(Content, Option<UnixTime>), ActError> {
    // Several liveries may have the same content.
    let mut seen = BTreeSet::new();
    let different = claims.filter(|claim| seen.insert(claim.content));
    let different: Vec<_> = different.map(|claim| (claim.content, claim.mtime)).collect();
    let hashes = different.iter().map(|(content, _)| content.hash.to_string());
    let no_content = || ActError::NoContent { path: path.to_owned(), hash: keep.to_owned() };
    find(hashes, keep)?.and_then(|at| different.get(at).copied()).ok_or_else(no_content)
}
