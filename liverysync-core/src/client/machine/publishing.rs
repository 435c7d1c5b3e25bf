//! What the server is told of this PC's files: a hash, all of them, or what has changed.

use super::*;

impl ClientMachine {
    pub(super) fn hello(&mut self) {
        // Who only looks is no part of the league.
        let takes_part = !self.cx.config.dry_run;
        let told = takes_part.then(|| self.folder.hash().to_string());
        let key = self.cx.config.member_key.as_ref();
        let key = key.filter(|_| takes_part && self.cx.speaks_v2());
        let hello = Hello {
            member_key: key.map(MemberKey::to_hex),
            steam_id: self.cx.config.steam_id.clone(),
            client_name: self.cx.config.name.chars().take(NAME_CHARS_MAX).collect(),
            manifest_hash: told.unwrap_or_default(),
            liverysync: self.cx.speaks_v2().then_some(PROTOCOL_2),
        };
        self.cx.transmit(Message::Hello(hello));
    }

    /// Tells the server all that this PC holds.
    pub(super) fn publish(&mut self) {
        let (manifest, ours) = (self.folder.manifest().clone(), self.cx.speaks_v2());
        if !ours {
            self.cx.transmit(Message::ManifestSummary(ManifestSummary {
                manifest_hash: self.folder.hash().to_string(),
                file_count: manifest.len() as u64,
                total_bytes: manifest.total_bytes(),
            }));
        }
        let files = manifest.iter().map(|entry| self.info(entry, ours)).collect();
        self.revision += 1;
        let revision = ours.then_some(self.revision);
        let full = ManifestFull { revision, manifest: files, ..ManifestFull::default() };
        self.cx.transmit(Message::ManifestFull(full));
        self.published = Some(manifest);
        self.sync_status = None;
    }

    /// A file as the server is told of it, with what it was made of.
    fn info(&self, entry: &Entry, ours: bool) -> FileInfo {
        let mut info = FileInfo::new(entry.path.as_str(), entry.content, entry.mtime, ours);
        let base =
            self.folder.synced().get(entry.path.key()).filter(|base| *base != entry.content.hash);
        info.base = base.filter(|_| ours).map(|base| base.to_string());
        info
    }

    /// Tells the server what it cannot know by itself. What open sessions installed is reported
    /// when they end.
    pub(super) fn publish_changes(&mut self) {
        let Some(published) = self.published.as_ref().filter(|_| self.cx.link.is_up()) else {
            return;
        };
        let difference = diff(published, self.folder.manifest());
        let sessions = self.inbound.values().filter(|session| session.listed && !session.over);
        let reported_later: BTreeSet<_> =
            sessions.flat_map(|session| &session.files).map(|file| file.path.key()).collect();
        let is_news = |entry: &Entry| !reported_later.contains(entry.path.key());
        let changed = difference.different.into_iter().map(|(_, new)| new);
        let (changed, held): (Vec<_>, Vec<_>) =
            difference.missing.into_iter().chain(changed).partition(is_news);
        let (removed, kept): (Vec<_>, Vec<_>) = difference.extra.into_iter().partition(is_news);
        self.news_held_back |= !held.is_empty() || !kept.is_empty();
        if changed.is_empty() && removed.is_empty() {
            return;
        }
        if !self.cx.speaks_v2() {
            return self.publish();
        }
        self.revision += 1;
        let message = ManifestChanges {
            revision: self.revision,
            removed: removed.iter().map(|entry| entry.path.as_str().to_owned()).collect(),
            changed: changed.iter().map(|entry| self.info(entry, true)).collect(),
        };
        if let Some(published) = &mut self.published {
            for entry in removed {
                published.remove(entry.path.key());
            }
            for entry in changed {
                let _fits = published.replace(entry);
            }
        }
        self.sync_status = None;
        self.cx.transmit(Message::ManifestChanges(message));
    }
}
