//! Being told of changes below a folder.
//!
//! On Linux a watch sees one folder. A walk meets every folder anyway, and one that is to do so sets the watch just
//! before it reads the folder's names: nothing that happens after is missed. Elsewhere one watch sees a whole tree,
//! from the start.

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

/// How often the folder is walked where the system cannot tell of changes.
const UNWATCHED_RESCAN: Duration = Duration::from_secs(5);

/// Tells of changes below a folder for as long as it lives, but for our own folders at its top.
#[derive(Debug)]
pub(crate) struct Watch {
    system: system::Watch,
    changed: Arc<Notify>,
    /// What tells instead where the system cannot.
    instead: Option<JoinHandle<()>>,
}

impl Watch {
    /// `changed` is notified of all that happens after a walk has shown its folders to the [`WatchHandle`].
    pub(crate) fn start(root: &Path, changed: &Arc<Notify>) -> Self {
        let system = system::Watch::start(root, changed);
        Self { system, changed: Arc::clone(changed), instead: None }
    }

    /// What the walk shows each folder to.
    pub(crate) fn eye(&self) -> WatchHandle {
        self.system.eye()
    }

    /// To be called after each walk, with whether it found the folder. Says once, for people, why the
    /// system cannot tell of changes; from then on they are looked for every few seconds.
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
        Some(format!("it cannot be watched ({fault}); it is walked every {seconds} s instead"))
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

    async fn is_told(changed: &Notify) -> bool {
        let told = timeout(Duration::from_millis(300), changed.notified()).await.is_ok();
        // One change may be told in several parts.
        while timeout(Duration::from_millis(100), changed.notified()).await.is_ok() {}
        told
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn changes_are_told_of_wherever_a_walk_has_been() {
        let (root, changed) = (tempfile::tempdir().unwrap(), Arc::new(Notify::new()));
        let below = |path: &str| root.path().join(path);
        for folder in ["T/sub", ".tmp"] {
            fs::create_dir_all(below(folder)).unwrap();
        }
        let mut watch = Watch::start(root.path(), &changed);
        let eye = watch.eye();
        let walk = || list(root.path(), &eye).unwrap().len();
        assert_eq!((walk(), watch.after_walk(true)), (0, None));
        assert!(!is_told(&changed).await, "a walk is no change");

        for (path, matters) in
            [("T/sub/a.png", true), ("b.png", true), (".tmp/c.part", false), ("T/a.txt", true)]
        {
            fs::write(below(path), path).unwrap();
            assert_eq!(is_told(&changed).await, matters, "{path}");
        }
        fs::create_dir(below(".backup")).unwrap();
        fs::remove_dir_all(below(".tmp")).unwrap();
        assert!(!is_told(&changed).await, "our own folders are no news");
        fs::create_dir_all(below("New/deep")).unwrap();
        assert!(is_told(&changed).await);
        assert_eq!(walk(), 3);
        fs::write(below("New/deep/a.png"), "").unwrap();
        assert!(is_told(&changed).await, "the walk that a change asks for sees its folders");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test(flavor = "multi_thread")]
    async fn what_has_left_the_root_is_not_watched_any_more() {
        let (root, changed) = (tempfile::tempdir().unwrap(), Arc::new(Notify::new()));
        let (inside, outside) = (root.path().join("in"), root.path().join("out"));
        fs::create_dir_all(inside.join("T")).unwrap();
        fs::create_dir(&outside).unwrap();
        let mut watch = Watch::start(&inside, &changed);
        list(&inside, &watch.eye()).unwrap();
        watch.after_walk(true);
        fs::rename(inside.join("T"), outside.join("T")).unwrap();
        assert!(is_told(&changed).await);
        list(&inside, &watch.eye()).unwrap();
        fs::write(outside.join("T/a.png"), "").unwrap();
        assert!(!is_told(&changed).await);
    }
}
