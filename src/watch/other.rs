//! One watch for the whole tree, with the notify crate.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use liverysync_core::own_folders::is_own_folder;
use notify::Watcher as _;
use tokio::sync::Notify;

/// Does nothing: the watch of the tree needs no help from a walk.
#[derive(Clone, Debug, Default)]
pub(crate) struct WatchHandle;

impl WatchHandle {
    pub(crate) const fn disabled() -> Self {
        Self
    }
}

#[derive(Debug)]
pub(super) struct Watch {
    root: PathBuf,
    changed: Arc<Notify>,
    watcher: Option<notify::RecommendedWatcher>,
    fault: Option<notify::Error>,
}

impl Watch {
    pub(super) fn start(root: &Path, changed: &Arc<Notify>) -> Self {
        let (root, changed) = (root.to_owned(), Arc::clone(changed));
        let (watcher, fault) = match watch(&root, &changed) {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(error)),
        };
        Self { root, changed, watcher, fault }
    }

    pub(super) fn handle(&self) -> WatchHandle {
        WatchHandle::disabled()
    }

    pub(super) fn after_walk(&mut self, found: bool) -> Option<notify::Error> {
        if !found {
            // A folder that appears again is another one, which is not watched yet.
            self.watcher = None;
        } else if self.watcher.is_none() {
            self.watcher = watch(&self.root, &self.changed).ok();
        }
        self.fault.take()
    }
}

/// Notifies `changed` of changes below `root`, except in liverysync's own folders.
fn watch(root: &Path, changed: &Arc<Notify>) -> notify::Result<notify::RecommendedWatcher> {
    let changed = Arc::clone(changed);
    let folder = root.to_owned();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let matters = event.is_ok_and(|event| {
            let elsewhere = |path: &PathBuf| !is_below_own_folder(&folder, path);
            !event.kind.is_access() && (event.paths.is_empty() || event.paths.iter().any(elsewhere))
        });
        if matters {
            changed.notify_one();
        }
    })?;
    watcher.watch(root, notify::RecursiveMode::Recursive)?;
    Ok(watcher)
}

fn is_below_own_folder(root: &Path, path: &Path) -> bool {
    let below = path.strip_prefix(root).ok();
    let first = below.and_then(|below| below.components().next());
    first.is_some_and(|name| is_own_folder(&name.as_os_str().to_string_lossy()))
}
