//! Files that the league has retired go into the backup folder, if they are still what the league knows.

use super::*;

impl ClientMachine {
    pub(super) fn retire(&mut self, retire: &Retire) {
        let files: Vec<_> = retire.files.iter().filter_map(|info| self.retired(info)).collect();
        if files.is_empty() || self.cx.config.dry_run {
            return;
        }
        self.retiring += files.len();
        let paths: Vec<_> = files.iter().map(|(path, _)| path.clone()).collect();
        let clear = self.folder.stale_beside(&paths).into_iter().map(Into::into).collect();
        let plan = RetirePlan { date: self.cx.now.date, files, clear };
        self.cx.request(DiskRequest::Retire(plan), Purpose::Retire(paths));
    }

    /// A file that is here and still holds what is retired.
    fn retired(&self, info: &FileInfo) -> Option<(RelPath, Stamp)> {
        let known = self.folder.get_spelled(&info.rel_path)?;
        let hash: ContentHash = info.sha256.parse().ok()?;
        (known.content == Content { hash, size: info.size })
            .then(|| (known.path.clone(), known.stamp))
    }

    pub(super) fn handle_retired(
        &mut self,
        paths: Vec<RelPath>,
        outcomes: Vec<Result<String, DiskFault>>,
    ) {
        self.retiring = self.retiring.saturating_sub(paths.len());
        for (path, outcome) in paths.into_iter().zip(outcomes) {
            self.cx.event(match outcome {
                Ok(backup) => Event::Retired { path, backup },
                Err(fault) => Event::RetireFailed { path, reason: fault.message },
            });
        }
        // The walk finds what is gone, and the server is told.
        self.folder.scan_by(self.cx.now.time);
    }
}
