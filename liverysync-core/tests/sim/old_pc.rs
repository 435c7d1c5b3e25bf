//! Python clients of both generations: honest, with the habits that `docs/protocol.md` lists.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use liverysync_core::{
    hash::Content,
    manifest::{Entry, Manifest},
    path::{Extensions, RelPath},
    time::UnixTime,
    transfer::CHUNK_BYTES,
    wire::messages::{
        ErrorReport, FileBegin, FileChunk, FileEnd, FileInfo, Hello, ManifestFull, ManifestSummary,
        Message, SyncDone, SyncId,
    },
};

use crate::{
    disk::Node,
    net::{Dir, Note, Queued},
    rig::{Brain, Ev, SECOND, SimServer, World},
};

#[derive(Debug)]
struct Receiving {
    begin: FileInfo,
    data: BytesMut,
}

#[derive(Debug)]
pub(crate) struct OldPc {
    /// Protocol 1.0.4 rather than `first`.
    pub(crate) careful: bool,
    /// It streams and reads nothing.
    serving: bool,
    unread: VecDeque<Message>,
    receiving: Option<Receiving>,
    /// When to say SYNC_DONE.
    waits: Vec<(u64, SyncId)>,
    last_said: Option<String>,
}

impl OldPc {
    pub(crate) fn new(careful: bool) -> Self {
        Self {
            careful,
            serving: false,
            unread: VecDeque::new(),
            receiving: None,
            waits: Vec::new(),
            last_said: None,
        }
    }

    /// Ends the program.
    pub(crate) fn stop(&mut self) {
        *self = Self::new(self.careful);
    }
}

/// Returns true if client 1.0.4 takes and publishes a file.
pub(crate) fn carried_by_104(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let kind = [".png", ".dds", ".json"].iter().any(|ending| lower.ends_with(ending));
    kind && !path.contains("__CONFLICT__") && !path.contains("Copy.")
}

impl World {
    fn old(&mut self, pc: usize) -> &mut OldPc {
        match &mut self.pcs[pc].brain {
            Brain::Old(old) => old,
            _ => panic!("PC {pc} is not an old client"),
        }
    }

    fn old_sends(&mut self, pc: usize, message: Message, note: Note) {
        if let Some(link) = self.pcs[pc].link {
            self.send(link, Dir::Up, Queued { message, note });
        }
    }

    fn old_nodes(&mut self, pc: usize) -> Vec<Node> {
        let careful = self.old(pc).careful;
        let nodes = self.pcs[pc].disk.tree.values();
        nodes.filter(|node| !careful || carried_by_104(&node.path)).cloned().collect()
    }

    /// Returns its files and their hash, computed as protocol 1 does it: a manifest of this crate could not hold all that
    /// such a client may have.
    fn old_manifest(&mut self, pc: usize) -> (Vec<FileInfo>, String) {
        let careful = self.old(pc).careful;
        let nodes = self.old_nodes(pc);
        let mut manifest = Manifest::new();
        for node in &nodes {
            if let Ok(path) = RelPath::parse(&node.path, &Extensions::default()) {
                let entry = Entry { path, content: node.content, mtime: None };
                let _only_for_its_hash = manifest.insert(entry);
            }
        }
        let files = nodes.iter().map(|node| FileInfo {
            rel_path: node.path.clone(),
            size: node.content.size,
            sha256: node.content.hash.to_string(),
            mtime: careful.then(|| node.mtime.as_seconds()),
            ..FileInfo::default()
        });
        (files.collect(), manifest.hash().to_string())
    }

    fn old_tells_manifest(&mut self, pc: usize, sync_id: SyncId) -> String {
        let (manifest, manifest_hash) = self.old_manifest(pc);
        let summary = ManifestSummary {
            manifest_hash: manifest_hash.clone(),
            file_count: manifest.len() as u64,
            total_bytes: manifest.iter().map(|file| file.size).sum(),
        };
        if self.old(pc).last_said.as_ref() != Some(&manifest_hash) {
            self.mark_busy(|| format!("another manifest of PC {pc}"));
            self.old(pc).last_said = Some(manifest_hash.clone());
        }
        self.old_sends(pc, Message::ManifestSummary(summary), Note::None);
        self.old_sends(
            pc,
            Message::ManifestFull(ManifestFull { sync_id, manifest, ..ManifestFull::default() }),
            Note::None,
        );
        manifest_hash
    }

    pub(crate) fn old_receives(&mut self, pc: usize, message: Message) {
        if self.old(pc).serving {
            self.old(pc).unread.push_back(message);
            return;
        }
        match message {
            Message::Welcome(_) => {
                let (_, manifest_hash) = self.old_manifest(pc);
                let hello = Hello {
                    member_key: None,
                    former_keys: Vec::new(),
                    only: None,
                    steam_id: "UNKNOWN".into(),
                    client_name: self.pcs[pc].name.clone(),
                    manifest_hash,
                    liverysync: None,
                    build: None,
                };
                self.old_sends(pc, Message::Hello(hello), Note::None);
                self.old_tells_manifest(pc, SyncId::default());
            }
            Message::RequestManifest(request) => {
                self.old_tells_manifest(pc, request.sync_id);
            }
            Message::SendFiles(request) => self.old_serves(pc, &request.sync_id, &request.paths),
            Message::FileBegin(begin) => self.old_begin(pc, begin),
            Message::FileChunk(chunk) => self.old_chunk(pc, &chunk),
            Message::FileEnd(end) => self.old_end(pc, &end),
            _ => {}
        }
    }

    fn old_serves(&mut self, pc: usize, sync_id: &SyncId, paths: &[String]) {
        let nodes = self.old_nodes(pc);
        let careful = self.old(pc).careful;
        let mut out = Vec::new();
        for asked in paths {
            let Some(node) = nodes.iter().find(|node| node.path == *asked) else { continue };
            out.push(Message::FileBegin(FileBegin {
                sync_id: sync_id.clone(),
                info: FileInfo {
                    rel_path: asked.clone(),
                    size: node.content.size,
                    sha256: node.content.hash.to_string(),
                    mtime: careful.then(|| node.mtime.as_seconds()),
                    ..FileInfo::default()
                },
            }));
            for at in (0..node.data.len()).step_by(CHUNK_BYTES) {
                let end = node.data.len().min(at + CHUNK_BYTES);
                out.push(Message::FileChunk(FileChunk {
                    sync_id: sync_id.clone(),
                    rel_path: asked.clone(),
                    offset: at as u64,
                    data: node.data.slice(at..end),
                }));
            }
            let (sync_id, rel_path) = (sync_id.clone(), asked.clone());
            out.push(Message::FileEnd(FileEnd { sync_id, rel_path }));
        }
        let count = out.len();
        self.old(pc).serving = count > 0;
        for (number, message) in (1..).zip(out) {
            let note = if number == count { Note::Served } else { Note::None };
            self.old_sends(pc, message, note);
        }
    }

    pub(crate) fn old_served(&mut self, pc: usize) {
        if !matches!(self.pcs[pc].brain, Brain::Old(_)) {
            return;
        }
        self.old(pc).serving = false;
        while !self.old(pc).serving
            && let Some(message) = self.old(pc).unread.pop_front()
        {
            self.old_receives(pc, message);
        }
    }

    fn old_refuses(&mut self, pc: usize, sync_id: &SyncId, path: &str) -> bool {
        let refused = self.old(pc).careful && !carried_by_104(path);
        if refused {
            self.old_error(pc, sync_id, format!("this client does not take '{path}'"));
        }
        refused
    }

    fn old_error(&mut self, pc: usize, sync_id: &SyncId, message: String) {
        let report = ErrorReport { sync_id: sync_id.clone(), message, ..ErrorReport::default() };
        self.old_sends(pc, Message::Error(report), Note::None);
    }

    fn old_begin(&mut self, pc: usize, begin: FileBegin) {
        let path = begin.info.rel_path.clone();
        let name = self.pcs[pc].name.clone();
        let link = self.pcs[pc].link.unwrap_or_default();
        *self.begun.entry((link, path.clone(), begin.info.sha256.clone())).or_default() += 1;
        let open = self.old(pc).receiving.as_ref().map(|open| open.begin.rel_path.clone());
        // Servers of the field do that themselves.
        let calm = open.is_none() || matches!(self.server, SimServer::Old(_));
        assert!(calm, "{name} gets {path} while {open:?} is open");
        if !self.old_refuses(pc, &begin.sync_id, &path) {
            let receiving = Receiving { begin: begin.info, data: BytesMut::new() };
            self.old(pc).receiving = Some(receiving);
        }
    }

    fn old_chunk(&mut self, pc: usize, chunk: &FileChunk) {
        if self.old_refuses(pc, &chunk.sync_id, &chunk.rel_path) {
            return;
        }
        let (name, old_server) =
            (self.pcs[pc].name.clone(), matches!(self.server, SimServer::Old(_)));
        if let Some(receiving) = &mut self.old(pc).receiving {
            let same = receiving.begin.rel_path == chunk.rel_path;
            assert!(same || old_server, "{name} gets two files interleaved");
            if same {
                receiving.data.extend_from_slice(&chunk.data);
            }
        }
    }

    fn old_end(&mut self, pc: usize, end: &FileEnd) {
        if self.old_refuses(pc, &end.sync_id, &end.rel_path) {
            return;
        }
        let open = self.old(pc).receiving.take_if(|open| open.begin.rel_path == end.rel_path);
        let Some(Receiving { begin, data }) = open else { return };
        let content = Content::of(&data);
        if content.hash.to_string() != begin.sha256 {
            let text = format!("Hash mismatch for {}: {}", begin.rel_path, content.hash);
            return self.old_error(pc, &end.sync_id, text);
        }
        let path = begin.rel_path;
        if !self.pcs[pc].disk.fits(&path) {
            // Python's makedirs raises, and the program ends.
            if let Some(link) = self.pcs[pc].link {
                self.break_link(link);
            }
            return;
        }
        self.old_stores(pc, &path, data.freeze(), content, begin.mtime);
        let at = self.now + SECOND;
        let old = self.old(pc);
        if old.careful {
            old.waits.clear();
        }
        old.waits.push((at, end.sync_id.clone()));
        let epoch = self.pcs[pc].epoch;
        self.at(at, Ev::PcTimer(pc, epoch));
    }

    fn old_stores(
        &mut self,
        pc: usize,
        path: &str,
        data: Bytes,
        content: Content,
        mtime: Option<f64>,
    ) {
        let (date, careful) = (self.date(), self.old(pc).careful);
        let told = mtime.and_then(UnixTime::from_seconds);
        let disk = &mut self.pcs[pc].disk;
        let own = disk.get(path).cloned();
        let newer = own.as_ref().is_some_and(|own| {
            careful && own.mtime.since(told.unwrap_or_default()).as_secs_f64() > 1.0
        });
        let mtime = told.filter(|_| careful).unwrap_or(date);
        if newer {
            let (stem, extension) = path.rsplit_once('.').unwrap_or((path, ""));
            let digits = content.hash.short();
            let names = (0..).map(|number| match number {
                0 => format!("{stem}__CONFLICT__{digits}.{extension}"),
                _ => format!("{stem}__CONFLICT__{digits}_{number}.{extension}"),
            });
            let name = names.into_iter().find(|name| disk.get(name).is_none()).unwrap_or_default();
            disk.put(&name, data, content, mtime);
            return;
        }
        if own.is_some() {
            disk.back_up(date, path);
        }
        disk.put(path, data, content, mtime);
        let old = own.map(|own| own.content);
        disk.traces.push(crate::disk::Trace::Put { path: path.to_owned(), old, new: content });
        self.collect_traces(pc);
        self.mark_busy(|| format!("PC {pc} installs {path}"));
    }

    pub(crate) fn old_timer(&mut self, pc: usize) {
        let now = self.now;
        let due: Vec<_> = self.old(pc).waits.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, sync_id) in due {
            if self.old(pc).receiving.is_some() {
                continue;
            }
            let new_manifest_hash = self.old_tells_manifest(pc, SyncId::default());
            let done = SyncDone { sync_id, new_manifest_hash, ..SyncDone::default() };
            self.old_sends(pc, Message::SyncDone(done), Note::None);
        }
    }
}
