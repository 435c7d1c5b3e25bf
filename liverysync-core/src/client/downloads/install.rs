//! Installing a livery: which file replaces what, and which contents are kept under a conflict name.

use std::collections::BTreeSet;

use super::{
    Downloads, Refusal,
    parked::{ParkedProgress, ParkedStage},
    session::{Download, DownloadFile, FileState},
    step::{DownloadStep, discard},
};
use crate::{
    client::{
        DiskFault, DiskFaultKind, DiskRequest, Event, InstallFile, Installed, StageId,
        context::{Context, Purpose},
        folder::Folder,
    },
    conflict::{Naming, Scope},
    hash::Content,
    path::{PathKey, RelPath},
    pathmap::PathMap,
    text::limit_name,
    wire::messages::{LostName, SyncId},
};

impl Downloads {
    /// Installs the staged files of one livery.
    pub(super) fn install(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        sync_id: &SyncId,
        group: &[usize],
    ) {
        if folder.is_respelling() {
            // It is looked at again after that.
            return;
        }
        self.spell(cx, folder, sync_id, group);
        let Some(session) = self.sessions.get(sync_id) else { return };
        if session.is_listed() && is_torn(session, group) {
            return self.postpone(cx, sync_id, group, "another file of its livery did not come");
        }
        let copy_names = self.conflict_copy_names(&cx.naming, folder, session, group);
        // Protocol 1 cannot say where the livery has to go.
        let whole_liveries = session.is_listed() && cx.naming.scope == Scope::Livery;
        if whole_liveries && copy_names.iter().any(Option::is_some) {
            let reason = "this PC has another file there that the league does not know yet";
            return self.postpone(cx, sync_id, group, reason);
        }
        let Some(session) = self.sessions.get_mut(sync_id) else { return };
        let (mut files, mut step, mut paths) = (Vec::new(), Vec::new(), Vec::new());
        for (index, keep_as) in group.iter().zip(copy_names) {
            let file = &mut session.files[*index];
            let FileState::Staged(stage) = file.state else { continue };
            file.state = FileState::Installing(stage);
            paths.push(file.path.clone());
            step.push((stage, keep_as.clone()));
            files.push(InstallFile {
                stage,
                path: file.path.clone(),
                mtime: file.mtime,
                // If the disk has something else by then, the host refuses, and only this file fails.
                replaces: folder.replaceable(&file.path),
                keep_as,
            });
        }
        // Where caches are shared, the union decides about them too.
        let stale =
            if cx.config.rules.derived_dds { Vec::new() } else { folder.stale_beside(&paths) };
        let private = folder.take_private_beside(&paths);
        let clear = stale.into_iter().chain(private).map(Into::into).collect();
        let request = DiskRequest::Install { date: cx.now.date, files, clear };
        let step = DownloadStep::Install(sync_id.clone(), step);
        cx.request(request, Purpose::Download(step));
    }

    /// Spells the paths of a group as the disk does by now, or else in one way.
    fn spell(&mut self, cx: &Context, folder: &Folder, sync_id: &SyncId, group: &[usize]) {
        let Some(session) = self.sessions.get_mut(sync_id) else { return };
        let extensions = &cx.config.rules.extensions;
        let mut new = PathMap::<RelPath>::default();
        for index in group {
            let file = &mut session.files[*index];
            if !matches!(file.state, FileState::Staged(_)) {
                continue;
            }
            file.path = folder.spelled(&file.path, extensions);
            if folder.get(file.path.key()).is_none() {
                let spelled = RelPath::parse(&new.respell(&file.path), extensions);
                file.path = spelled.unwrap_or_else(|_| file.path.clone());
            }
            // What collides fails when it is installed.
            let _fits = new.insert(file.path.clone());
        }
    }

    /// Returns the name of the conflict copy that each file of a group needs.
    ///
    /// A server of protocol 2 gives conflicting contents their names before it sends anything. But the file on this disk
    /// may be newer than the offer, so even that server may not know it.
    fn conflict_copy_names(
        &self,
        naming: &Naming,
        folder: &Folder,
        session: &Download,
        group: &[usize],
    ) -> Vec<Option<RelPath>> {
        let files: Vec<_> = group.iter().map(|index| &session.files[*index]).collect();
        let replaces_any = files.iter().any(|file| folder.get(file.path.key()).is_some());
        // A copy that another download is about to replace does not keep a content alive.
        let replaced = if replaces_any { self.unfinished_keys() } else { BTreeSet::new() };
        // A server of protocol 1 does not say which files it moves to another name, so no file of the session can be
        // counted on to bring back what another one replaces.
        let brought: Vec<_> = if session.is_listed() {
            files.iter().map(|file| file.content).collect()
        } else {
            Vec::new()
        };
        let name_for = |file: &&DownloadFile| {
            // What this PC does not publish has no name in the league. It goes to the backup folder.
            let own = folder.published(file.path.key())?.content.hash;
            let is_older_version = Some(own) == file.replaces;
            if is_older_version {
                // The server keeps it in the livery's history.
                return None;
            }
            conflict_copy_name(naming, folder, &file.path, &replaced, &brought)
        };
        files.iter().map(name_for).collect()
    }

    /// Returns the paths of all files that are on their way to this PC.
    fn unfinished_keys(&self) -> BTreeSet<PathKey> {
        let files = self.sessions.values().flat_map(|session| &session.files);
        let unfinished = files.filter(|file| !file.is_finished());
        unfinished.map(|file| file.path.key().clone()).collect()
    }

    /// Leaves the files of this PC in place, and parks what has come. The server offers it again.
    ///
    /// Where whole liveries get a conflict name, a single conflict copy would tear a livery apart: the next scan publishes the
    /// files of this PC, and the server finds the name.
    fn postpone(&mut self, cx: &mut Context, sync_id: &SyncId, group: &[usize], reason: &str) {
        for index in group {
            let Some(session) = self.sessions.get_mut(sync_id) else { return };
            let file = &mut session.files[*index];
            let FileState::Staged(stage) = file.state else { continue };
            file.state = FileState::Failed;
            let (content, copied, offered) = (file.content, file.copied, file.offered.clone());
            if copied {
                discard(cx, Some(stage));
            } else {
                self.park(cx, content, ParkedStage { stage, progress: ParkedProgress::Whole });
            }
            self.refuse(cx, sync_id, offered, &Refusal::failed(reason));
        }
    }

    pub(super) fn handle_installed(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        sync_id: &SyncId,
        files: Vec<(StageId, Option<RelPath>)>,
        outcomes: Vec<Result<Installed, DiskFault>>,
    ) {
        for ((stage, keep_as), outcome) in files.into_iter().zip(outcomes) {
            let Some(session) = self.sessions.get_mut(sync_id) else { return };
            let Some(index) = session.by_stage(stage) else { continue };
            let file = &mut session.files[index];
            let (path, content, copied) = (file.path.clone(), file.content, file.copied);
            match outcome {
                Ok(installed) => {
                    file.state = FileState::Installed;
                    let lost_name = file.conflict.take();
                    folder.handle_installed(cx, path.clone(), content, &installed);
                    self.obstacles.handle_installed(path.key());
                    let kept_as = keep_as.filter(|_| installed.kept);
                    if kept_as.is_some() {
                        // The conflict copy is a new file that nobody knows yet.
                        folder.scan_by(cx.now.time);
                    }
                    if let Some(conflict) = conflict(cx, lost_name, &path, kept_as.as_ref()) {
                        cx.event(conflict);
                    }
                    cx.event(Event::Installed {
                        sync_id: sync_id.clone(),
                        path,
                        bytes: content.size,
                        backup: installed.backup,
                        copied,
                        kept_as,
                    });
                }
                Err(fault) => {
                    // A file that could not be installed still has its stage.
                    discard(cx, Some(stage));
                    if fault.kind == DiskFaultKind::Changed {
                        // The server offers the file again at once. Without a scan it would fail the same way.
                        folder.scan_by(cx.now.time);
                    }
                    self.fail_install(cx, folder, sync_id, index, &fault);
                }
            }
        }
        self.check(cx, folder, sync_id, false);
    }
}

/// Returns true if a group would be a part of a livery: its author has left before all of it had come.
fn is_torn(session: &Download, group: &[usize]) -> bool {
    let first = group.first().and_then(|index| session.files.get(*index));
    first.is_some_and(|file| session.misses_any_of(file.path.key().livery()))
}

/// Returns the event for a file of this PC that has lost its name: either `path` is its conflict copy, and the server says
/// of which name, or it is kept as the copy because `path` has replaced it.
fn conflict(
    cx: &Context,
    lost_name: Option<LostName>,
    path: &RelPath,
    kept_as: Option<&RelPath>,
) -> Option<Event> {
    if let Some(kept_as) = kept_as {
        let (path, conflict_path) = (path.clone(), kept_as.clone());
        return Some(Event::Conflict { path, conflict_path, keeper: None });
    }
    let LostName { rel_path, keeper } = lost_name?;
    let lost = RelPath::parse(&rel_path, &cx.config.rules.extensions).ok()?;
    let keeper = keeper.map(|name| limit_name(&name).to_owned());
    Some(Event::Conflict { path: lost, conflict_path: path.clone(), keeper })
}

/// Returns the conflict name under which this PC keeps its content at `path` when that is replaced. Returns `None` if
/// the content is not lost: another file has it, one that is not `replaced` as well, or it is among the contents
/// `brought` at the same time.
pub(in crate::client) fn conflict_copy_name(
    naming: &Naming,
    folder: &Folder,
    path: &RelPath,
    replaced: &BTreeSet<PathKey>,
    brought: &[Content],
) -> Option<RelPath> {
    let own = folder.get(path.key())?;
    let has_copy = folder.files().iter().any(|other| {
        let key = other.path.key();
        other.content == own.content && key != path.key() && !replaced.contains(key)
    });
    if has_copy || brought.contains(&own.content) {
        return None;
    }
    let is_taken = |name: &RelPath| folder.is_taken(name.key());
    // If no name is possible, the content is only kept in the backup that each replacement makes.
    naming.conflict_name(path, own.content.hash, is_taken).ok()
}
