//! Peers that misbehave as sources. As targets they take what comes, so that a league can rest.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use liverysync_core::{
    hash::{Content, ContentHash},
    wire::data::{ChunkBody, Data, Encoder, TransferId},
    wire::messages::{
        Accept, BUILD, ErrorReport, FileBegin, FileChunk, FileEnd, FileInfo, Hello, ManifestFull,
        ManifestSummary, Message, PROTOCOL_2, Resume, Role, SendFiles, SyncDone, SyncId,
    },
};

use crate::{
    net::{Dir, Note, Queued},
    rig::{Brain, Ev, SECOND, World},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    ErrorInstead,
    Gap,
    Garbled,
    Mute,
    Short,
    Silent,
    Skip,
    TooMany,
    Unasked,
    Unbegun,
    WrongBytes,
    WrongHash,
}

pub(crate) const LIES: [Lie; 12] = [
    Lie::ErrorInstead,
    Lie::Gap,
    Lie::Garbled,
    Lie::Mute,
    Lie::Short,
    Lie::Silent,
    Lie::Skip,
    Lie::TooMany,
    Lie::Unasked,
    Lie::Unbegun,
    Lie::WrongBytes,
    Lie::WrongHash,
];

#[derive(Debug, Default)]
struct Session {
    expected: BTreeMap<String, Content>,
    numbers: BTreeMap<TransferId, String>,
    installed: BTreeSet<String>,
}

#[derive(Debug)]
pub(crate) struct Liar {
    /// True if it speaks protocol 2.
    pub(crate) speaks_v2: bool,
    pub(crate) lie: Lie,
    pub(crate) claims: BTreeMap<String, (Content, Option<Bytes>)>,
    /// Bases that it claims for its files.
    pub(crate) base: Option<ContentHash>,
    /// As a target it has all that it is offered, wherever it got that.
    pub(crate) has_all: bool,
    /// Number of times that it was asked for each name.
    pub(crate) asked: BTreeMap<String, u32>,
    sessions: BTreeMap<SyncId, Session>,
    begun: BTreeMap<(SyncId, String), Content>,
    done_at: Vec<(u64, SyncId)>,
}

impl Liar {
    pub(crate) fn new(speaks_v2: bool, lie: Lie) -> Self {
        Self {
            speaks_v2,
            lie,
            claims: BTreeMap::new(),
            base: None,
            has_all: false,
            asked: BTreeMap::new(),
            sessions: BTreeMap::new(),
            begun: BTreeMap::new(),
            done_at: Vec::new(),
        }
    }

    pub(crate) fn claim(&mut self, path: &str, data: Bytes) {
        self.claims.insert(path.to_owned(), (Content::of(&data), Some(data)));
    }

    pub(crate) fn stop(&mut self) {
        self.sessions.clear();
        self.begun.clear();
        self.done_at.clear();
    }

    /// Claims a file, and nothing that Windows would take for the same.
    fn take(&mut self, path: String, content: Content) {
        let key = liverysync_core::path::fold(&path);
        self.claims.retain(|claimed, _| liverysync_core::path::fold(claimed) != key);
        self.claims.insert(path, (content, None));
    }

    fn manifest(&self) -> Vec<FileInfo> {
        let files = self.claims.iter().map(|(path, (content, _))| FileInfo {
            rel_path: path.clone(),
            size: content.size,
            sha256: content.hash.to_string(),
            mtime: Some(1.7e9),
            base: self.base.map(|base| base.to_string()),
            ..FileInfo::default()
        });
        files.collect()
    }

    /// Returns the frames that it sends instead of a file.
    fn lies(&self, sync_id: &SyncId, path: &str) -> Vec<Message> {
        let Some((content, Some(data))) = self.claims.get(path) else { return Vec::new() };
        let begin = |path: &str, hash: ContentHash| {
            Message::FileBegin(FileBegin {
                sync_id: sync_id.clone(),
                info: FileInfo {
                    rel_path: path.to_owned(),
                    size: content.size,
                    sha256: hash.to_string(),
                    ..FileInfo::default()
                },
            })
        };
        let chunk = |at: usize, data: Bytes| {
            Message::FileChunk(FileChunk {
                sync_id: sync_id.clone(),
                rel_path: path.to_owned(),
                offset: at as u64,
                data,
            })
        };
        let end = |path: &str| {
            Message::FileEnd(FileEnd { sync_id: sync_id.clone(), rel_path: path.to_owned() })
        };
        let half = data.len() / 2;
        let (first, second) = (data.slice(..half), data.slice(half..));
        let right = begin(path, content.hash);
        match self.lie {
            Lie::Skip | Lie::Mute => Vec::new(),
            Lie::ErrorInstead => vec![Message::Error(ErrorReport {
                sync_id: sync_id.clone(),
                message: "no".into(),
                ..ErrorReport::default()
            })],
            Lie::WrongBytes => vec![right, chunk(0, wrong_bytes(data)), end(path)],
            Lie::TooMany => {
                let more = Bytes::from_static(b"more");
                vec![right, chunk(0, data.clone()), chunk(data.len(), more), end(path)]
            }
            // Protocol 2 compresses it; in protocol 1 there is nothing to garble.
            Lie::Garbled => vec![right, chunk(0, wrong_bytes(data)), end(path)],
            Lie::Gap => vec![right, chunk(0, first), chunk(half + 1, second), end(path)],
            Lie::Short => vec![right, chunk(0, first), end(path)],
            Lie::Silent => vec![right, chunk(0, first)],
            Lie::Unasked => {
                vec![begin("evil.png", content.hash), chunk(0, data.clone()), end("evil.png")]
            }
            Lie::Unbegun => vec![chunk(0, data.clone()), end(path)],
            Lie::WrongHash => {
                let other = ContentHash::of(content.hash.to_string().as_bytes());
                vec![begin(path, other), chunk(0, data.clone()), end(path)]
            }
        }
    }
}

impl World {
    pub(crate) fn liar(&mut self, pc: usize) -> &mut Liar {
        match &mut self.pcs[pc].brain {
            Brain::Liar(liar) => liar,
            _ => panic!("PC {pc} is no liar"),
        }
    }

    fn liar_sends(&mut self, pc: usize, message: Message) {
        if let Some(link) = self.pcs[pc].link {
            self.send(link, Dir::Up, Queued { message, note: Note::None });
        }
    }

    fn liar_tells_manifest(&mut self, pc: usize) {
        let manifest = self.liar(pc).manifest();
        let summary =
            ManifestSummary { file_count: manifest.len() as u64, ..ManifestSummary::default() };
        self.liar_sends(pc, Message::ManifestSummary(summary));
        let full = ManifestFull { manifest, ..ManifestFull::default() };
        self.liar_sends(pc, Message::ManifestFull(full));
    }

    pub(crate) fn liar_receives(&mut self, pc: usize, message: Message) {
        match message {
            Message::Welcome(_) => {
                let speaks_v2 = self.liar(pc).speaks_v2;
                let hello = Hello {
                    client_name: self.pcs[pc].name.clone(),
                    liverysync: speaks_v2.then_some(PROTOCOL_2),
                    build: speaks_v2.then_some(BUILD),
                    ..Hello::default()
                };
                self.liar_sends(pc, Message::Hello(hello));
                self.liar_tells_manifest(pc);
                let epoch = self.pcs[pc].epoch;
                self.after(30 * SECOND, Ev::PcTimer(pc, epoch));
            }
            Message::RequestManifest(_) => self.liar_tells_manifest(pc),
            Message::SendFiles(request) => self.liar_serves(pc, &request),
            Message::SyncOffer(offer) if offer.role == Role::Target => {
                let mut session = Session::default();
                for file in offer.files.into_iter().flatten() {
                    let content =
                        Content { hash: file.info.sha256.parse().unwrap(), size: file.info.size };
                    if file.copy_from.is_some() || self.liar(pc).has_all {
                        self.liar(pc).take(file.info.rel_path.clone(), content);
                        session.installed.insert(file.info.rel_path);
                    } else {
                        if let Some(transfer) = file.transfer {
                            session.numbers.insert(transfer, file.info.rel_path.clone());
                        }
                        session.expected.insert(file.info.rel_path, content);
                    }
                }
                if self.liar(pc).speaks_v2 {
                    let all = session.numbers.keys();
                    let files = all.map(|number| Resume { transfer: *number, offset: 0 }).collect();
                    let accept = Accept { sync_id: offer.sync_id.clone(), files };
                    self.liar_sends(pc, Message::Accept(accept));
                }
                self.liar(pc).sessions.insert(offer.sync_id.clone(), session);
                self.liar_checks(pc, &offer.sync_id);
            }
            Message::Retire(retire) => {
                for file in retire.files {
                    let key = liverysync_core::path::fold(&file.rel_path);
                    let claims = &mut self.liar(pc).claims;
                    claims.retain(|claimed, _| liverysync_core::path::fold(claimed) != key);
                }
                self.liar_tells_manifest(pc);
            }
            Message::Error(report) => {
                let Some(path) = report.rel_path else {
                    self.liar(pc).sessions.remove(&report.sync_id);
                    return;
                };
                if let Some(session) = self.liar(pc).sessions.get_mut(&report.sync_id) {
                    session.expected.remove(&path);
                }
                self.liar_checks(pc, &report.sync_id);
            }
            Message::FileBegin(begin) => {
                let hash = begin.info.sha256.parse().unwrap();
                let content = Content { hash, size: begin.info.size };
                self.liar(pc).begun.insert((begin.sync_id, begin.info.rel_path), content);
            }
            Message::FileEnd(end) => self.liar_took(pc, end),
            Message::Data(data) => self.liar_gets(pc, &data),
            _ => {}
        }
    }

    fn liar_took(&mut self, pc: usize, end: FileEnd) {
        let (now, epoch) = (self.now, self.pcs[pc].epoch);
        let liar = self.liar(pc);
        let content = liar.begun.remove(&(end.sync_id.clone(), end.rel_path.clone()));
        let Some(content) = content else { return };
        liar.take(end.rel_path.clone(), content);
        if liar.speaks_v2 {
            if let Some(session) = liar.sessions.get_mut(&end.sync_id)
                && session.expected.remove(&end.rel_path).is_some()
            {
                session.installed.insert(end.rel_path);
            }
            self.liar_checks(pc, &end.sync_id);
        } else {
            liar.done_at.push((now + SECOND, end.sync_id));
            self.after(SECOND, Ev::PcTimer(pc, epoch));
        }
    }

    fn liar_gets(&mut self, pc: usize, data: &Data) {
        self.client_credits(pc, data.body.len());
        if !data.last {
            return;
        }
        let liar = self.liar(pc);
        let found = liar.sessions.iter_mut().find_map(|(sync_id, session)| {
            let path = session.numbers.remove(&data.transfer)?;
            let content = session.expected.remove(&path)?;
            session.installed.insert(path.clone());
            Some((sync_id.clone(), path, content))
        });
        if let Some((sync_id, path, content)) = found {
            liar.take(path, content);
            self.liar_checks(pc, &sync_id);
        }
    }

    /// Has a liar of protocol 2 say that it is done, once nothing is due.
    fn liar_checks(&mut self, pc: usize, sync_id: &SyncId) {
        let liar = self.liar(pc);
        if !liar.speaks_v2 || liar.sessions.get(sync_id).is_none_or(|s| !s.expected.is_empty()) {
            return;
        }
        let installed = liar.sessions.remove(sync_id).map(|session| session.installed);
        let done = SyncDone {
            sync_id: sync_id.clone(),
            new_manifest_hash: "not a hash".into(),
            revision: None,
            installed: Some(installed.into_iter().flatten().collect()),
        };
        self.liar_sends(pc, Message::SyncDone(done));
    }

    pub(crate) fn liar_timer(&mut self, pc: usize) {
        let (now, epoch) = (self.now, self.pcs[pc].epoch);
        if self.liar(pc).speaks_v2 && self.pcs[pc].link.is_some() {
            self.liar_sends(pc, Message::Ping);
            self.after(30 * SECOND, Ev::PcTimer(pc, epoch));
        }
        let due: Vec<_> = self.liar(pc).done_at.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, sync_id) in due {
            self.liar_tells_manifest(pc);
            let done = SyncDone { sync_id, ..SyncDone::default() };
            self.liar_sends(pc, Message::SyncDone(done));
        }
    }

    fn liar_serves(&mut self, pc: usize, request: &SendFiles) {
        let liar = self.liar(pc);
        for path in &request.paths {
            *liar.asked.entry(path.clone()).or_default() += 1;
        }
        for asked in request.files.iter().flatten() {
            *liar.asked.entry(asked.info.rel_path.clone()).or_default() += 1;
        }
        if liar.lie == Lie::Mute {
            return;
        }
        let mut messages: Vec<_> =
            request.paths.iter().flat_map(|path| liar.lies(&request.sync_id, path)).collect();
        for asked in request.files.iter().flatten() {
            // A file with a number has no FILE_BEGIN about which a source could lie.
            if matches!(liar.lie, Lie::Unbegun | Lie::WrongHash) {
                continue;
            }
            let lies = liar.lies(&request.sync_id, &asked.info.rel_path);
            let number = if liar.lie == Lie::Unasked { 9999 } else { asked.resume.transfer.0 };
            let lies = numbered(lies, TransferId(number), asked.info.size);
            let is_garbled = liar.lie == Lie::Garbled;
            messages
                .extend(lies.into_iter().map(|lie| if is_garbled { garbled(lie) } else { lie }));
        }
        for message in messages {
            let is_piece = matches!(message, Message::FileChunk(_) | Message::Data(_));
            let silent_from_here = is_piece && self.liar(pc).lie == Lie::Silent;
            self.liar_sends(pc, message);
            if silent_from_here {
                return;
            }
        }
    }
}

fn wrong_bytes(data: &Bytes) -> Bytes {
    data.iter().map(|byte| byte ^ 0xff).collect()
}

/// Returns a piece that claims to be compressed: its frame has the right size, and lacks its end.
fn garbled(lie: Message) -> Message {
    let Message::Data(data) = lie else { return lie };
    let plain = data.body.on_wire();
    let frame = Encoder::default().pack(plain, plain.len()).map(Bytes::copy_from_slice);
    let frame = frame.unwrap_or_default();
    let body = ChunkBody::zstd(frame.slice(..frame.len().saturating_sub(1)));
    Message::Data(Data { body, ..data })
}

/// Returns the same lies in protocol 2.
fn numbered(lies: Vec<Message>, transfer: TransferId, size: u64) -> Vec<Message> {
    let tell = |lie| match lie {
        Message::FileBegin(_) => None,
        Message::FileChunk(FileChunk { offset, data: bytes, .. }) => {
            Some(Message::Data(Data { transfer, offset, last: false, body: bytes.into() }))
        }
        Message::FileEnd(_) => {
            let body = ChunkBody::default();
            Some(Message::Data(Data { transfer, offset: size, last: true, body }))
        }
        other => Some(other),
    };
    lies.into_iter().filter_map(tell).collect()
}
