//! A PC's liveries folder in memory, with what the client asks of a disk and what can go wrong there.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use bytes::{Bytes, BytesMut};
use liverysync_core::{
    client::{DiskFault, DiskFaultKind, DiskOutcome, DiskRequest, InstallFile, Installed, StageId},
    hash::Content,
    inspect::Inspection,
    path::RelPath,
    select::{Kind, Listed, Stamp},
    time::UnixTime,
};

#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// As the disk spells it.
    pub(crate) path: String,
    pub(crate) data: Bytes,
    pub(crate) content: Content,
    pub(crate) mtime: UnixTime,
}

impl Node {
    pub(crate) const fn stamp(&self) -> Stamp {
        Stamp { size: self.content.size, mtime: self.mtime }
    }
}

#[derive(Clone, Debug)]
struct Stage {
    declared: u64,
    data: BytesMut,
    sealed: bool,
}

/// The fate of a file, for the judge.
#[derive(Clone, Debug)]
pub(crate) enum Trace {
    /// Sync put a content in place of another one, or of nothing.
    Put { path: String, old: Option<Content>, new: Content },
    /// Sync moved a file to the backup.
    Cleared { content: Content },
}

#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) insensitive: bool,
    pub(crate) full: bool,
    pub(crate) locked: BTreeSet<String>,
    /// By the name that the disk tells files apart by.
    pub(crate) tree: BTreeMap<String, Node>,
    pub(crate) backup: BTreeMap<String, Content>,
    stages: BTreeMap<(u64, StageId), Stage>,
    /// Which run of the program its stages belong to.
    pub(crate) run: u64,
    pub(crate) traces: Vec<Trace>,
    pub(crate) touched: bool,
    cache_file: Bytes,
    obstacles: Bytes,
    /// Liveries in which nothing can be written.
    pub(crate) blocked: BTreeSet<String>,
    /// The same, but only an installation finds out.
    pub(crate) refuses: BTreeSet<String>,
}

fn fault(kind: DiskFaultKind, message: &str) -> DiskFault {
    DiskFault { kind, message: message.to_owned() }
}

type Outcome<T> = Result<T, DiskFault>;

impl Disk {
    pub(crate) fn new(insensitive: bool) -> Self {
        Self { insensitive, ..Self::default() }
    }

    fn id(&self, path: &str) -> String {
        if self.insensitive { path.to_lowercase() } else { path.to_owned() }
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Node> {
        self.tree.get(&self.id(path))
    }

    pub(crate) fn holds(&self, content: Content) -> bool {
        self.tree.values().any(|node| node.content == content)
    }

    pub(crate) fn backs_up(&self, content: Content) -> bool {
        self.backup.values().any(|kept| *kept == content)
    }

    pub(crate) fn tmp_is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Returns true if a file fits there: no part of the way is a file, and the place itself is no folder.
    pub(crate) fn fits(&self, path: &str) -> bool {
        let id = self.id(path);
        let folder = format!("{id}/");
        let is_folder = self.tree.range(folder.clone()..).next();
        let is_folder = is_folder.is_some_and(|(other, _)| other.starts_with(&folder));
        let on_file = id.match_indices('/').any(|(at, _)| self.tree.contains_key(&id[..at]));
        !is_folder && !on_file
    }

    /// Writes a file as another program does.
    pub(crate) fn put(&mut self, path: &str, data: Bytes, content: Content, mtime: UnixTime) {
        let path = self.spelled(path);
        self.tree.insert(self.id(&path), Node { path, data, content, mtime });
    }

    pub(crate) fn remove(&mut self, path: &str) -> Option<Node> {
        let id = self.id(path);
        self.tree.remove(&id)
    }

    /// Returns a path as the disk spells it: folders keep the spelling that they have.
    fn spelled(&self, path: &str) -> String {
        if !self.insensitive {
            return path.to_owned();
        }
        if let Some(node) = self.get(path) {
            return node.path.clone();
        }
        for (at, _) in path.rmatch_indices('/') {
            let folder = self.id(&path[..=at]);
            let inside = self.tree.range(folder.clone()..).next();
            if let Some((id, node)) = inside
                && id.starts_with(&folder)
            {
                let depth = path[..at].matches('/').count();
                let end = node.path.match_indices('/').nth(depth).map_or(0, |(end, _)| end);
                return format!("{}{}", &node.path[..end], &path[at..]);
            }
        }
        path.to_owned()
    }

    /// Ends the program. Its stages stay, whole or torn.
    pub(crate) fn crash(&mut self, tear: impl Fn(usize) -> usize) {
        for stage in self.stages.values_mut().filter(|stage| !stage.sealed) {
            let keep = tear(stage.data.len());
            stage.data.truncate(keep);
        }
        self.run += 1;
    }

    /// Carries out the beginning of an install that a crash interrupts.
    pub(crate) fn crash_in_install(&mut self, date: UnixTime, files: &[InstallFile], whole: usize) {
        for file in files.iter().take(whole) {
            let _lost_with_the_crash = self.install(date, file);
        }
        if let Some(file) = files.get(whole)
            && self.get(file.path.as_str()).is_some()
            && self.check_install(file).is_ok()
        {
            self.back_up(date, file.path.as_str());
        }
    }

    pub(crate) fn apply(&mut self, request: DiskRequest) -> DiskOutcome {
        let run = self.run;
        match request {
            DiskRequest::LoadCache => DiskOutcome::CacheLoaded(self.cache_file.clone()),
            DiskRequest::SaveCache(text) => {
                self.cache_file = text;
                DiskOutcome::Done(Ok(()))
            }
            DiskRequest::LoadObstacles => DiskOutcome::ObstaclesLoaded(self.obstacles.clone()),
            DiskRequest::SaveObstacles(text) => {
                self.obstacles = text;
                DiskOutcome::Done(Ok(()))
            }
            DiskRequest::Check(files) => {
                let check =
                    |(path, _): &(RelPath, u64)| self.writable(path).and_then(|()| self.room());
                DiskOutcome::Checked(files.iter().map(check).collect())
            }
            DiskRequest::Sweep => {
                self.stages.clear();
                DiskOutcome::Done(Ok(()))
            }
            DiskRequest::List { .. } => DiskOutcome::Listed(Ok(self.list())),
            DiskRequest::Hash(files) => {
                let hashed = files.iter().map(|(path, stamp)| {
                    // The drivers of the simulator have no real pictures, so all their files count as whole.
                    self.readable(path.as_str(), *stamp)
                        .map(|node| (node.content, Inspection::default()))
                });
                DiskOutcome::Hashed(hashed.collect())
            }
            DiskRequest::Read { path, piece, stamp } => {
                let read = self.readable(path.as_str(), stamp).map(|node| {
                    let from = piece.offset as usize;
                    node.data.slice(from..from + piece.len)
                });
                DiskOutcome::Read(read)
            }
            DiskRequest::Create(id, declared) => {
                assert!(!self.stages.contains_key(&(run, id)), "a stage number is used once");
                DiskOutcome::Done(self.room().map(|()| {
                    let stage = Stage { declared, data: BytesMut::new(), sealed: false };
                    self.stages.insert((run, id), stage);
                }))
            }
            DiskRequest::Write(id, offset, bytes) => {
                DiskOutcome::Done(self.write(id, offset, &bytes))
            }
            DiskRequest::Seal(id) => DiskOutcome::Done(self.seal(id)),
            DiskRequest::Copy(id, path) => DiskOutcome::Copied(self.copy(id, path.as_str())),
            DiskRequest::Discard(id) => {
                self.stages.remove(&(run, id));
                DiskOutcome::Done(Ok(()))
            }
            DiskRequest::Receive { .. } | DiskRequest::Park(_) => {
                unreachable!("the host keeps these files itself")
            }
            DiskRequest::Install { date, files, clear } => {
                DiskOutcome::Installed(self.install_all(date, &files, clear))
            }
            DiskRequest::Respell(files) => {
                let respelled = files.iter().map(|(from, to)| self.respell(from, to));
                DiskOutcome::Respelled(respelled.collect())
            }
            DiskRequest::Retire { date, files, clear } => {
                let retired = files.iter().map(|(path, stamp)| self.retire(date, path, *stamp));
                let retired: Vec<_> = retired.collect();
                if retired.iter().any(Result::is_ok) {
                    self.clear(date, clear);
                }
                DiskOutcome::Retired(retired)
            }
        }
    }

    pub(crate) fn list(&self) -> Vec<Listed> {
        let listed = self.tree.values().map(|node| Listed {
            path: node.path.clone(),
            kind: Kind::File(node.stamp()),
            change_tag: 0,
        });
        listed.collect()
    }

    fn writable(&self, path: &RelPath) -> Outcome<()> {
        Self::free_of(&self.blocked, path)
    }

    fn free_of(blocked: &BTreeSet<String>, path: &RelPath) -> Outcome<()> {
        let is_blocked = blocked.contains(path.key().livery());
        let blocked = || fault(DiskFaultKind::Blocked, "the folder is not writable");
        if is_blocked { Err(blocked()) } else { Ok(()) }
    }

    fn room(&self) -> Outcome<()> {
        if self.full { Err(fault(DiskFaultKind::Full, "no space left")) } else { Ok(()) }
    }

    fn readable(&self, path: &str, stamp: Stamp) -> Outcome<&Node> {
        let node = self.get(path).ok_or_else(|| fault(DiskFaultKind::Missing, "not found"))?;
        if self.locked.contains(&self.id(path)) {
            return Err(fault(DiskFaultKind::InUse, "in use"));
        }
        if node.stamp() != stamp {
            return Err(fault(DiskFaultKind::Changed, "it has changed"));
        }
        Ok(node)
    }

    /// Returns a piece of a file that still has this stamp.
    pub(crate) fn piece(
        &self,
        path: &str,
        stamp: Stamp,
        from: usize,
        len: usize,
    ) -> Outcome<Bytes> {
        self.readable(path, stamp).map(|node| node.data.slice(from..from + len))
    }

    fn write(&mut self, id: StageId, offset: u64, bytes: &[u8]) -> Outcome<()> {
        self.room()?;
        // Its creation may have failed.
        let stage = self.stages.get_mut(&(self.run, id));
        let stage = stage.ok_or_else(|| fault(DiskFaultKind::Other, "no such stage"))?;
        if stage.data.len() as u64 != offset {
            return Err(fault(DiskFaultKind::Other, "a piece is missing"));
        }
        stage.data.extend_from_slice(bytes);
        assert!(stage.data.len() as u64 <= stage.declared, "more than was declared");
        Ok(())
    }

    fn seal(&mut self, id: StageId) -> Outcome<()> {
        self.room()?;
        let stage = self.stages.get_mut(&(self.run, id));
        let stage = stage.ok_or_else(|| fault(DiskFaultKind::Other, "no such stage"))?;
        if stage.data.len() as u64 != stage.declared {
            return Err(fault(DiskFaultKind::Other, "bytes are missing"));
        }
        stage.sealed = true;
        Ok(())
    }

    fn copy(&mut self, id: StageId, path: &str) -> Outcome<Content> {
        self.room()?;
        let node = self.get(path).ok_or_else(|| fault(DiskFaultKind::Missing, "not found"))?;
        let (content, data) = (node.content, BytesMut::from(&node.data[..]));
        self.stages.insert((self.run, id), Stage { declared: content.size, data, sealed: true });
        Ok(content)
    }

    fn install_all(
        &mut self,
        date: UnixTime,
        files: &[InstallFile],
        clear: Vec<PathBuf>,
    ) -> Vec<Outcome<Installed>> {
        let outcomes: Vec<_> = files.iter().map(|file| self.install(date, file)).collect();
        if outcomes.iter().any(Result::is_ok) {
            self.clear(date, clear);
        }
        outcomes
    }

    fn clear(&mut self, date: UnixTime, paths: Vec<PathBuf>) {
        for path in paths {
            let path = path.to_str().unwrap().to_owned();
            if let Some(node) = self.get(&path).cloned() {
                self.back_up(date, &path);
                self.remove(&path);
                self.traces.push(Trace::Cleared { content: node.content });
            }
        }
    }

    fn check_install(&self, file: &InstallFile) -> Outcome<()> {
        let path = file.path.as_str();
        self.writable(&file.path)?;
        Self::free_of(&self.refuses, &file.path)?;
        if !self.fits(path) {
            return Err(fault(DiskFaultKind::Other, "a file and a folder of one name"));
        }
        if self.get(path).map(Node::stamp) != file.replaces {
            return Err(fault(DiskFaultKind::Changed, "it has changed"));
        }
        if self.locked.contains(&self.id(path)) {
            return Err(fault(DiskFaultKind::InUse, "in use"));
        }
        if file.replaces.is_some() {
            self.room()?;
        }
        Ok(())
    }

    fn install(&mut self, date: UnixTime, file: &InstallFile) -> Outcome<Installed> {
        let path = file.path.as_str();
        self.check_install(file)?;
        let stage = self.stages.remove(&(self.run, file.stage));
        let stage = stage.expect("only a staged file is installed");
        assert!(stage.sealed, "only a sealed file is installed");
        let old = self.get(path).cloned();
        let backup = old.as_ref().map(|_| self.back_up(date, path));
        let mut kept = false;
        if let (Some(old), Some(name)) = (&old, &file.keep_as)
            && self.get(name.as_str()).is_none()
            && self.fits(name.as_str())
        {
            kept = true;
            self.put(name.as_str(), old.data.clone(), old.content, old.mtime);
        }
        let data = stage.data.freeze();
        let content = Content::of(&data);
        let mtime = file.mtime.unwrap_or(date);
        self.put(path, data, content, mtime);
        let old = old.map(|old| old.content);
        self.traces.push(Trace::Put { path: path.to_owned(), old, new: content });
        self.touched = true;
        Ok(Installed {
            stamp: Stamp { size: content.size, mtime },
            backup,
            kept,
            inspection: Inspection::default(),
        })
    }

    /// Gives a file, with its folders, another spelling.
    fn respell(&mut self, from: &RelPath, to: &RelPath) -> Outcome<()> {
        self.writable(to)?;
        let mut above = String::new();
        for (old, new) in from.components().zip(to.components()) {
            if old != new {
                self.rename(&format!("{above}{old}"), &format!("{above}{new}"))?;
            }
            above = format!("{above}{new}/");
        }
        Ok(())
    }

    /// Renames a file or a folder to another spelling of its name, as its driver or the client does.
    pub(crate) fn rename(&mut self, old: &str, new: &str) -> Outcome<()> {
        let (old_id, new_id) = (self.id(old), self.id(new));
        let is_below = |id: &str, top: &str| {
            id.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let ids = |top: &str| {
            let found = self.tree.keys().filter(|id| is_below(id, top));
            found.cloned().collect::<Vec<_>>()
        };
        let (moved, there) = (ids(&old_id), ids(&new_id));
        if old_id != new_id && !there.is_empty() {
            let done = fault(DiskFaultKind::Changed, "both spellings are there");
            return if moved.is_empty() { Ok(()) } else { Err(done) };
        }
        if moved.is_empty() {
            return Err(fault(DiskFaultKind::Missing, "not found"));
        }
        if moved.iter().any(|id| self.locked.contains(id)) {
            return Err(fault(DiskFaultKind::InUse, "in use"));
        }
        for id in moved {
            let Some(mut node) = self.tree.remove(&id) else { continue };
            node.path = format!("{new}{}", &node.path[old.len()..]);
            self.tree.insert(self.id(&node.path), node);
        }
        self.touched = true;
        Ok(())
    }

    fn retire(&mut self, date: UnixTime, path: &RelPath, stamp: Stamp) -> Outcome<String> {
        let content = self.readable(path.as_str(), stamp)?.content;
        self.room()?;
        let backup = self.back_up(date, path.as_str());
        self.remove(path.as_str());
        self.traces.push(Trace::Cleared { content });
        Ok(backup)
    }

    /// Copies what is there to a name in `.backup` that nothing has.
    pub(crate) fn back_up(&mut self, date: UnixTime, path: &str) -> String {
        let content = self.get(path).expect("what is backed up is there").content;
        let stamp = date.split().0;
        let names = (0..).map(|number| match number {
            0 => format!(".backup/{stamp}/{path}"),
            _ => format!(".backup/{stamp}_{number}/{path}"),
        });
        let name = names.into_iter().find(|name| !self.backup.contains_key(&self.id(name)));
        let name = name.expect("numbers do not run out");
        self.backup.insert(self.id(&name), content);
        name
    }
}
