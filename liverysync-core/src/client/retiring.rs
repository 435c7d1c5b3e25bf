//! Files that the league has retired: they go to the backup folder, if they are still what the league retired.

use super::{
    DiskFault, DiskRequest, Event,
    context::{Context, Purpose},
    folder::Folder,
};
use crate::{
    hash::{Content, ContentHash},
    path::RelPath,
    select::Stamp,
    wire::messages::{FileInfo, Retire},
};

/// The files that are being retired.
#[derive(Debug, Default)]
pub(super) struct Retiring {
    pending: usize,
}

impl Retiring {
    pub(super) fn handle_message(&mut self, cx: &mut Context, folder: &Folder, retire: &Retire) {
        let files: Vec<_> =
            retire.files.iter().filter_map(|info| find_retired(folder, info)).collect();
        if files.is_empty() || cx.config.dry_run {
            return;
        }
        self.pending += files.len();
        let paths: Vec<_> = files.iter().map(|(path, _)| path.clone()).collect();
        // Caches and placeholders would keep the livery's folder alive in the game.
        let clear = folder.stale_beside(&paths).into_iter().map(Into::into).collect();
        let request = DiskRequest::Retire { date: cx.now.date, files, clear };
        cx.request(request, Purpose::Retire(paths));
    }

    pub(super) fn handle_retired(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        paths: Vec<RelPath>,
        outcomes: Vec<Result<String, DiskFault>>,
    ) {
        self.pending = self.pending.saturating_sub(paths.len());
        for (path, outcome) in paths.into_iter().zip(outcomes) {
            if outcome.is_ok() {
                folder.handle_retired(cx.now.time, &path);
            }
            cx.event(match outcome {
                Ok(backup) => Event::Retired { path, backup },
                Err(fault) => Event::RetireFailed { path, reason: fault.message },
            });
        }
        // The scan finds what is gone, and then the server hears of it.
        folder.scan_by(cx.now.time);
    }

    pub(super) const fn is_idle(&self) -> bool {
        self.pending == 0
    }
}

/// Finds a file of this PC that still has the retired content. A driver who has edited it since keeps it: their edit is a
/// livery that nobody has retired.
fn find_retired(folder: &Folder, info: &FileInfo) -> Option<(RelPath, Stamp)> {
    let file = folder.get_spelled(&info.rel_path)?;
    let hash: ContentHash = info.sha256.parse().ok()?;
    let is_same = file.content == Content { hash, size: info.size };
    is_same.then(|| (file.path.clone(), file.stamp))
}
