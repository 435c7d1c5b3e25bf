//! The league's spelling of names: this PC renames its folders and files to it.
//!
//! It waits until nothing else is on its way: a file that is being sent or installed is named by its path. Each spelling is
//! taken over once. Should a driver or another program rename the file again, it stays as they want it, so that no two ever
//! rename it in turn.

use std::{collections::BTreeMap, time::Duration};

use super::{
    DiskFault, DiskFaultKind, DiskRequest,
    context::{Context, Purpose},
    folder::Folder,
};
use crate::{
    path::{PathKey, RelPath},
    time::{Time, Wake},
};

/// The wait before the next attempt if another program uses a file or a folder.
const RETRY: Duration = Duration::from_secs(60);

/// The files that the league spells differently.
#[derive(Debug, Default)]
pub(super) struct Respelling {
    /// As the server spells them.
    wanted: Vec<RelPath>,
    /// The spellings that were taken over, or could not be.
    done: BTreeMap<PathKey, RelPath>,
    not_before: Time,
    pending: bool,
}

impl Respelling {
    /// Takes the files of this PC that the league spells differently.
    pub(super) fn handle_state(&mut self, cx: &Context, folder: &Folder, spelled: &[String]) {
        let extensions = &cx.config.rules.extensions;
        let paths = spelled.iter().filter_map(|path| RelPath::parse(path, extensions).ok());
        self.wanted = paths.filter(|path| self.differs(folder, path)).collect();
        self.done.retain(|key, _| folder.get(key).is_some());
    }

    fn differs(&self, folder: &Folder, path: &RelPath) -> bool {
        let own = folder.get(path.key());
        own.is_some_and(|own| own.path != *path) && self.done.get(path.key()) != Some(path)
    }

    pub(super) fn handle_link_down(&mut self) {
        self.wanted.clear();
    }

    /// Renames what is spelled differently, if nothing else `is_idle` and it is time.
    pub(super) fn handle_timeout(&mut self, cx: &mut Context, folder: &mut Folder, is_idle: bool) {
        let is_due = is_idle && folder.is_settled() && self.not_before <= cx.now.time;
        if self.pending || self.wanted.is_empty() || !is_due || cx.config.dry_run {
            return;
        }
        let wanted = std::mem::take(&mut self.wanted).into_iter();
        let renames: Vec<_> = wanted
            .filter(|to| self.differs(folder, to))
            .filter_map(|to| Some((folder.get(to.key())?.path.clone(), to)))
            .collect();
        if renames.is_empty() {
            return;
        }
        self.pending = true;
        folder.begin_respelling();
        cx.request(DiskRequest::Respell(renames.clone()), Purpose::Respell(renames));
    }

    pub(super) fn handle_respelled(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        renames: Vec<(RelPath, RelPath)>,
        outcomes: Vec<Result<(), DiskFault>>,
    ) {
        self.pending = false;
        for ((from, to), outcome) in renames.into_iter().zip(outcomes) {
            let is_temporary = |fault: &DiskFault| {
                matches!(fault.kind, DiskFaultKind::InUse | DiskFaultKind::Other)
            };
            match outcome {
                Err(fault) if is_temporary(&fault) => {
                    self.not_before = cx.now.time + RETRY;
                    self.wanted.push(to);
                    continue;
                }
                Ok(()) => folder.handle_respelled(cx, &from, &to),
                Err(_) => {}
            }
            self.done.insert(to.key().clone(), to);
        }
        folder.end_respelling();
        // What the league does not have was renamed with its folder.
        folder.scan_by(cx.now.time);
    }

    pub(super) fn next_wake(&self, now: Time) -> Option<Wake> {
        let waits = !self.wanted.is_empty() && self.not_before > now;
        waits.then_some(Wake { at: self.not_before, why: "rename a file" })
    }

    pub(super) const fn is_idle(&self) -> bool {
        !self.pending
    }
}
