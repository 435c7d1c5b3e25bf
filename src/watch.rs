//! Watching a folder for changes.
//!
//! On Linux a watch is for one folder, without those below it. A walk visits every folder anyway, so it sets the watch
//! of each just before it reads the folder's names: no later change is missed. On other systems one watch is for the
//! whole tree, and is set at the start.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{sync::Notify, task::JoinHandle, time::sleep};

#[cfg(target_os = "linux")]
use self::linux as system;
#[cfg(not(target_os = "linux"))]
use self::other as system;
pub(crate) use self::system::WatchHandle;

/// The interval between walks of a folder that cannot be watched.
const UNWATCHED_RESCAN: Duration = Duration::from_secs(5);

/// Reports changes below a folder until it is dropped, except in liverysync's own folders.
#[derive(Debug)]
pub(crate) struct Watch {
    system: system::Watch,
    changed: Arc<Notify>,
    /// Requests walks instead, if the folder cannot be watched.
    instead: Option<JoinHandle<()>>,
}

impl Watch {
    /// Notifies `changed` of every change after a walk has passed the folder to the [`WatchHandle`].
    pub(crate) fn start(root: &Path, changed: &Arc<Notify>) -> Self {
        let system = system::Watch::start(root, changed);
        Self { system, changed: Arc::clone(changed), instead: None }
    }

    /// Returns the handle for the walk.
    pub(crate) fn handle(&self) -> WatchHandle {
        self.system.handle()
    }

    /// Ends a walk, which has `found` the folder or not. Returns once, in words for people, why the folder cannot be
    /// watched; from then on it is walked every few seconds.
    pub(crate) fn after_walk(&mut self, found: bool) -> Option<String> {
        let fault = self.system.after_walk(found)?;
        if self.instead.is_some() {
            return None;
        }
        let changed = Arc::clone(&self.changed);
        self.instead = Some(tokio::spawn(async move {
            loop {
                sleep(UNWATCHED_RESCAN).await;
                changed.notify_one();
            }
        }));
        let seconds = UNWATCHED_RESCAN.as_secs();
        Some(format!(
            "the system cannot watch the folder ({fault}), so it is scanned every {seconds} s"
        ))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(instead) = &self.instead {
            instead.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::time::timeout;

    use super::*;
    use crate::walk::list;

    async fn is_notified(changed: &Notify) -> bool {
        let told = timeout(Duration::from_millis(300), changed.notified()).await.is_ok();
        // One change may come as several events.
        while timeout(Duration::from_millis(100), changed.notified()).await.is_ok() {}
        told
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn changes_are_reported_wherever_a_walk_has_been() {
        let (root, changed) = (tempfile::tempdir().unwrap(), Arc::new(Notify::new()));
        let below = |path: &str| root.path().join(path);
        for folder in ["T/sub", ".tmp"] {
            fs::create_dir_all(below(folder)).unwrap();
        }
        let mut watch = Watch::start(root.path(), &changed);
        let handle = watch.handle();
        let walk = || list(root.path(), &handle).unwrap().len();
        assert_eq!((walk(), watch.after_walk(true)), (0, None));
        assert!(!is_notified(&changed).await, "a walk is no change");

        for (path, matters) in
            [("T/sub/a.png", true), ("b.png", true), (".tmp/c.part", false), ("T/a.txt", true)]
        {
            fs::write(below(path), path).unwrap();
            assert_eq!(is_notified(&changed).await, matters, "{path}");
        }
        fs::create_dir(below(".backup")).unwrap();
        fs::remove_dir_all(below(".tmp")).unwrap();
        assert!(!is_notified(&changed).await, "our own folders are no news");
        fs::create_dir_all(below("New/deep")).unwrap();
        assert!(is_notified(&changed).await);
        assert_eq!(walk(), 3);
        fs::write(below("New/deep/a.png"), "").unwrap();
        assert!(is_notified(&changed).await, "the walk that a change asks for sees its folders");
    }

    #[cfg(unix)]
    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_behind_a_link_is_watched_and_no_link_in_it() {
        let (home, changed) = (tempfile::tempdir().unwrap(), Arc::new(Notify::new()));
        let [real, other, link] = ["real", "other", "link"].map(|name| home.path().join(name));
        fs::create_dir_all(real.join("T")).unwrap();
        fs::create_dir(&other).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        std::os::unix::fs::symlink(&other, real.join("elsewhere")).unwrap();
        let mut watch = Watch::start(&link, &changed);
        list(&link, &watch.handle()).unwrap();
        assert_eq!(watch.after_walk(true), None);
        fs::write(real.join("T/a.png"), "").unwrap();
        assert!(is_notified(&changed).await);
        fs::write(other.join("b.png"), "").unwrap();
        assert!(!is_notified(&changed).await, "nothing outside of the folder is watched");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_that_was_moved_away_is_no_longer_watched() {
        let (root, changed) = (tempfile::tempdir().unwrap(), Arc::new(Notify::new()));
        let (inside, outside) = (root.path().join("in"), root.path().join("out"));
        fs::create_dir_all(inside.join("T")).unwrap();
        fs::create_dir(&outside).unwrap();
        let mut watch = Watch::start(&inside, &changed);
        list(&inside, &watch.handle()).unwrap();
        watch.after_walk(true);
        fs::rename(inside.join("T"), outside.join("T")).unwrap();
        assert!(is_notified(&changed).await);
        list(&inside, &watch.handle()).unwrap();
        fs::write(outside.join("T/a.png"), "").unwrap();
        assert!(!is_notified(&changed).await);
    }
}
