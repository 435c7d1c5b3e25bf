//! The files of the league that this PC cannot install, and why.
//!
//! Whoever wants to know what is missing here asks this part: the client that runs, a wait for a sync, and a dry run. An
//! obstacle that lasts is reported to the server once, so that the file is not sent in vain, and is looked at again after
//! each scan. What passes by itself is retried by the server.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    DiskFault, DiskFaultKind, DiskRequest, Outstanding,
    context::{Context, Purpose},
    folder::Folder,
};
use crate::{
    hash::ContentHash,
    path::{PathKey, RelPath, fold},
    time::Time,
    wire::messages::Fault,
};

/// Most obstacles that are remembered. The names come from a peer, which may invent new ones without end.
const OBSTACLES_MAX: usize = 1000;

/// The time after which a full disk is tried again if a check cannot tell how much is free.
const FULL_RETRY: Duration = Duration::from_secs(60);

/// The form of the text that is kept for a dry run.
const FORM: u32 = 1;

/// The obstacles of one PC.
#[derive(Debug, Default)]
pub(super) struct Obstacles {
    by_key: BTreeMap<String, Obstacle>,
    /// Set while the host checks them again.
    checking: bool,
    /// Set if the text that is kept is out of date. That of an earlier run is kept until something else is known.
    unsaved: bool,
    confirmed: bool,
}

/// The reason why one content cannot be installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Obstacle {
    path: String,
    sha256: ContentHash,
    bytes: u64,
    reason: String,
    cause: Cause,
    #[serde(skip)]
    met: Option<Met>,
}

/// The cause of an obstacle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cause {
    /// A setting of this PC. It lasts as long as the client runs.
    Setting,
    /// A check of the disk finds it, and finds when it is gone.
    Checked,
    /// An installation met it. It lasts until its livery looks different on the disk.
    Met,
    /// It passes by itself.
    Passing,
}

/// An obstacle that an installation met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Met {
    kind: DiskFaultKind,
    at: Time,
    /// The look of the livery at the scan after that.
    look: Option<ContentHash>,
}

/// The kept text.
#[derive(Serialize, Deserialize)]
struct Kept {
    form: u32,
    files: Vec<Obstacle>,
}

impl Obstacle {
    /// Makes an obstacle from what went wrong with a file. `fault` is the disk's, if it was the disk.
    pub(super) fn new(
        path: &str,
        (sha256, bytes): (ContentHash, u64),
        reason: &str,
        cause: Cause,
    ) -> Self {
        let (path, reason) = (path.to_owned(), reason.to_owned());
        Self { path, sha256, bytes, reason, cause, met: None }
    }

    /// Makes an obstacle from a disk fault during an installation.
    pub(super) fn met(
        path: &str,
        content: (ContentHash, u64),
        fault: &DiskFault,
        now: Time,
    ) -> Self {
        let cause = if fault.kind.is_lasting() { Cause::Met } else { Cause::Passing };
        let met = Some(Met { kind: fault.kind, at: now, look: None });
        Self { met, ..Self::new(path, content, &fault.message, cause) }
    }

    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    pub(super) fn lasts(&self) -> bool {
        self.cause != Cause::Passing
    }

    /// Returns what the server is told.
    pub(super) fn fault(&self) -> Fault {
        match self.met {
            _ if self.lasts() => Fault::Blocked,
            Some(Met { kind: DiskFaultKind::Corrupt, .. }) => Fault::Corrupt,
            _ => Fault::Failed,
        }
    }
}

impl Obstacles {
    /// Notes an obstacle. Returns whether it is news.
    pub(super) fn add(&mut self, obstacle: Obstacle) -> bool {
        let key = fold(&obstacle.path);
        let before = self.by_key.get(&key);
        let is_news = before.is_none_or(|before| {
            (before.sha256, &before.reason) != (obstacle.sha256, &obstacle.reason)
        });
        if before.is_some() || self.by_key.len() < OBSTACLES_MAX {
            self.unsaved |= before != Some(&obstacle);
            self.by_key.insert(key, obstacle);
        }
        is_news
    }

    /// Notes that a file was installed.
    pub(super) fn handle_installed(&mut self, key: &PathKey) {
        self.unsaved |= self.by_key.remove(key.as_str()).is_some();
    }

    /// Returns the obstacle that an earlier attempt to install a content met, and that a check does not find.
    pub(super) fn known(&self, key: &PathKey, content: ContentHash) -> Option<&Obstacle> {
        let known = self.by_key.get(key.as_str()).filter(|known| known.sha256 == content)?;
        (known.cause != Cause::Checked).then_some(known)
    }

    /// Returns whether a content could not be installed when it was last offered.
    pub(super) fn has_met(&self, key: &PathKey, content: ContentHash) -> bool {
        self.by_key.get(key.as_str()).is_some_and(|met| met.sha256 == content)
    }

    /// Returns the same if it lasts.
    pub(super) fn lasting(&self, key: &PathKey, content: ContentHash) -> Option<&Obstacle> {
        self.known(key, content).filter(|known| known.cause == Cause::Met)
    }

    /// Returns the outstanding for files that the server counts as blocked. `others` finds reasons that are not noted here.
    pub(super) fn outstanding(
        &self,
        blocked: &[String],
        others: impl Fn(&str) -> Option<String>,
    ) -> Vec<Outstanding> {
        let outstanding = |path: &String| {
            let noted = self.by_key.get(&fold(path)).filter(|obstacle| obstacle.lasts());
            let reason = noted.map(|obstacle| obstacle.reason.clone()).or_else(|| others(path));
            let reason = reason.unwrap_or_else(|| "it cannot be installed on this PC".to_owned());
            Outstanding::NotInstallable { path: path.clone(), reason }
        };
        blocked.iter().map(outstanding).collect()
    }

    /// Forgets what the server does not count as blocked: the league has it no more, or has another content there.
    pub(super) fn handle_in_sync(&mut self, blocked: &[String]) {
        let before = self.by_key.len();
        let blocked: BTreeSet<_> = blocked.iter().map(|path| fold(path)).collect();
        self.by_key.retain(|key, _| blocked.contains(key));
        self.unsaved |= self.by_key.len() < before || !self.confirmed;
        self.confirmed = true;
    }

    /// Has the host check the obstacles again after a scan.
    pub(super) fn handle_scanned(&mut self, cx: &mut Context) {
        let extensions = &cx.config.rules.extensions;
        let lasting = self.by_key.values().filter(|obstacle| obstacle.lasts());
        let may_end = lasting.filter(|obstacle| obstacle.cause != Cause::Setting);
        let path = |obstacle: &Obstacle| {
            Some((RelPath::parse(&obstacle.path, extensions).ok()?, obstacle.bytes))
        };
        let files: Vec<_> = may_end.filter_map(path).collect();
        if !self.checking && !files.is_empty() {
            self.checking = true;
            let purpose = Purpose::Recheck(files.iter().map(|(path, _)| path.clone()).collect());
            cx.request(DiskRequest::Check(files), purpose);
        }
    }

    /// Takes the outcome of that. Returns whether some file can be installed now.
    pub(super) fn handle_checked(
        &mut self,
        cx: &Context,
        folder: &Folder,
        paths: &[RelPath],
        outcomes: &[Result<(), DiskFault>],
    ) -> bool {
        self.checking = false;
        let before = self.by_key.len();
        for (path, outcome) in paths.iter().zip(outcomes) {
            let key = path.key().as_str();
            let Some(obstacle) = self.by_key.get_mut(key) else { continue };
            let is_gone = outcome.is_ok() && obstacle.is_gone(cx.now.time, || folder.look(path));
            if is_gone {
                self.by_key.remove(key);
            }
        }
        let is_any_gone = self.by_key.len() < before;
        self.unsaved |= is_any_gone;
        is_any_gone
    }

    /// Returns whether the host is checking the obstacles.
    pub(super) const fn is_checking(&self) -> bool {
        self.checking
    }

    /// Has the host keep the obstacles for a dry run, if they have changed.
    pub(super) fn save(&mut self, cx: &mut Context) {
        if std::mem::take(&mut self.unsaved) && !cx.config.dry_run {
            let kept = Kept { form: FORM, files: self.by_key.values().cloned().collect() };
            let text = serde_json::to_vec(&kept).unwrap_or_default();
            cx.request(DiskRequest::SaveObstacles(text.into()), Purpose::Folder);
        }
    }

    /// Takes what the last run knew.
    pub(super) fn load(&mut self, text: &Bytes) {
        // Whatever else is there was written by another version, and only costs a reason.
        let kept = serde_json::from_slice(text).ok().filter(|kept: &Kept| kept.form == FORM);
        let files = kept.map(|kept| kept.files).unwrap_or_default();
        let files = files.into_iter().take(OBSTACLES_MAX);
        self.by_key = files.map(|obstacle| (fold(&obstacle.path), obstacle)).collect();
    }
}

impl Obstacle {
    /// Returns whether an obstacle is gone that a check does not find.
    fn is_gone(&mut self, now: Time, look: impl FnOnce() -> ContentHash) -> bool {
        let Some(met) = &mut self.met else { return true };
        if met.kind == DiskFaultKind::Full {
            return now >= met.at + FULL_RETRY;
        }
        let look = look();
        *met.look.get_or_insert(look) != look
    }
}
