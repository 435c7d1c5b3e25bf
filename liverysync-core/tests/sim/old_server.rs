//! The Python server of both generations, as simply as its habits allow.

use std::collections::{BTreeMap, BTreeSet};

use liverysync_core::{
    hash::ContentHash,
    wire::messages::{
        FileInfo, Message, RequestManifest, Role, SendFiles, ServerState, SyncDoneAck, SyncId,
        SyncOffer, Welcome,
    },
};

use crate::{
    net::{Dir, LinkId, Note, Queued},
    old_pc::carried_by_104,
    rig::{Ev, SECOND, SimServer, World},
};

const STALE: u64 = 15 * SECOND;
const BETWEEN_REQUESTS: u64 = 3 * SECOND;

#[derive(Debug)]
struct Member {
    manifest: Option<Vec<FileInfo>>,
    manifest_at: u64,
    /// It says nothing of what this client has until its next manifest.
    awaited: bool,
    asked: bool,
    asked_at: u64,
    reported: String,
}

#[derive(Debug)]
struct Session {
    source: LinkId,
    target: LinkId,
    paths: Vec<String>,
}

#[derive(Debug, Default)]
pub(crate) struct OldServer {
    /// The later generation.
    pub(crate) later: bool,
    members: BTreeMap<LinkId, Member>,
    sessions: BTreeMap<SyncId, Session>,
    next: u64,
    /// Number of sessions for each (target, paths), to see what goes on for ever.
    pub(crate) begun: u64,
}

/// The union of an old server: for each name a digest and who holds it.
type Union = BTreeMap<String, (String, u64, Vec<LinkId>)>;

impl OldServer {
    pub(crate) fn new(later: bool) -> Self {
        Self { later, ..Self::default() }
    }

    fn is_busy(&self, link: LinkId) -> bool {
        self.sessions.values().any(|session| session.source == link || session.target == link)
    }

    /// Returns the links of those who take part in a session.
    pub(crate) fn sessions_open(&self) -> impl Iterator<Item = [LinkId; 2]> {
        self.sessions.values().map(|session| [session.source, session.target])
    }

    pub(crate) fn union(&self) -> Union {
        let mut seen = Vec::new();
        for (link, member) in &self.members {
            if self.later && member.awaited {
                continue;
            }
            for file in member.manifest.iter().flatten() {
                if !self.later || carried_by_104(&file.rel_path) {
                    seen.push((link, file));
                }
            }
        }
        let mut union = Union::new();
        if self.later {
            let mut winners: BTreeMap<&str, (f64, LinkId, &FileInfo)> = BTreeMap::new();
            for (link, file) in &seen {
                let mtime = file.mtime.unwrap_or_default();
                let better =
                    winners.get(file.rel_path.as_str()).is_none_or(|(best, ..)| mtime > *best);
                if better {
                    winners.insert(&file.rel_path, (mtime, **link, file));
                }
            }
            for (link, file) in &seen {
                let winner = winners[file.rel_path.as_str()].2;
                if winner.sha256 == file.sha256 {
                    add(&mut union, file.rel_path.clone(), file, **link);
                }
            }
            return union;
        }
        seen.sort_by_key(|(link, file)| (file.rel_path.clone(), file.sha256.clone(), **link));
        for (link, file) in seen {
            let mut name = file.rel_path.clone();
            if union.get(&name).is_some_and(|(hash, ..)| *hash != file.sha256) {
                name = marked(&name, &file.sha256);
                while union.contains_key(&name) && union[&name].0 != file.sha256 {
                    name = marked(&name, &file.sha256);
                }
            }
            add(&mut union, name, file, *link);
        }
        union
    }

    /// Returns the next session, if there is anything to do.
    fn choose(&self) -> Option<(LinkId, LinkId, Vec<String>)> {
        let union = self.union();
        let mut targets = Vec::new();
        for (link, member) in &self.members {
            let ready = !self.later
                || (!member.awaited && member.manifest.as_ref().is_some_and(|m| !m.is_empty()));
            if self.is_busy(*link) || !ready {
                continue;
            }
            let held: BTreeMap<_, _> = member
                .manifest
                .iter()
                .flatten()
                .map(|file| (file.rel_path.as_str(), file.sha256.as_str()))
                .collect();
            let missing: Vec<_> = union
                .iter()
                .filter(|(path, (hash, ..))| held.get(path.as_str()) != Some(&hash.as_str()))
                .collect();
            if !missing.is_empty() {
                targets.push((*link, missing));
            }
        }
        if self.later {
            targets.sort_by_key(|(_, missing)| usize::MAX - missing.len());
        }
        for (target, missing) in targets {
            let mut found: BTreeMap<LinkId, Vec<String>> = BTreeMap::new();
            for (path, (_, _, holders)) in missing {
                let free = holders.iter().filter(|holder| {
                    !(self.is_busy(**holder) || self.later && self.members[holder].awaited)
                });
                let source = free.min().copied().unwrap_or(target);
                if source != target {
                    found.entry(source).or_default().push(path.clone());
                }
            }
            let best = found.into_iter().next();
            if let Some((source, mut paths)) = best {
                paths.truncate(if self.later { 500 } else { 50 });
                return Some((source, target, paths));
            }
        }
        None
    }
}

fn add(union: &mut Union, name: String, file: &FileInfo, link: LinkId) {
    let entry = union.entry(name).or_insert_with(|| (file.sha256.clone(), file.size, Vec::new()));
    entry.2.push(link);
}

/// Adds a conflict suffix, also to a name that has one, as the first server does.
fn marked(name: &str, hash: &str) -> String {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    format!("{stem}__CONFLICT__{}.{extension}", &hash[..8])
}

impl World {
    pub(crate) fn start_old_server(&mut self, later: bool) {
        self.server_epoch += 1;
        self.server = SimServer::Old(Box::new(OldServer::new(later)));
        let epoch = self.server_epoch;
        self.after(SECOND, Ev::ServerTimer(epoch));
    }

    pub(crate) fn old_server(&mut self) -> &mut OldServer {
        match &mut self.server {
            SimServer::Old(server) => server,
            _ => panic!("there is no old server"),
        }
    }

    fn old_server_sends(&mut self, link: LinkId, message: Message) {
        self.send(link, Dir::Down, Queued { message, note: Note::None });
    }

    pub(crate) fn old_server_accepts(&mut self, link: LinkId) {
        let member = Member {
            manifest: None,
            manifest_at: 0,
            awaited: true,
            asked: false,
            asked_at: 0,
            reported: String::new(),
        };
        self.old_server().members.insert(link, member);
        let client_id = format!("{link:08x}");
        let welcome = Welcome { client_id, liverysync: None, build: None };
        self.old_server_sends(link, Message::Welcome(welcome));
    }

    pub(crate) fn old_server_loses(&mut self, link: LinkId) {
        let server = self.old_server();
        server.members.remove(&link);
        server.sessions.retain(|_, session| session.source != link && session.target != link);
        self.old_server_schedules();
    }

    pub(crate) fn old_server_tick(&mut self) {
        let (now, epoch) = (self.now, self.server_epoch);
        self.after(SECOND, Ev::ServerTimer(epoch));
        let server = self.old_server();
        let later = server.later;
        let stale: Vec<_> = server
            .members
            .iter()
            .filter(|(link, member)| {
                let old = member.manifest.is_none() || now - member.manifest_at > STALE;
                let wanted = if later {
                    !member.asked
                        && now - member.asked_at >= BETWEEN_REQUESTS
                        && (member.awaited || old)
                } else {
                    old
                };
                wanted && !server.is_busy(**link)
            })
            .map(|(link, _)| *link)
            .collect();
        for link in stale {
            self.old_server_asks(link);
        }
        self.old_server_schedules();
    }

    fn old_server_asks(&mut self, link: LinkId) {
        let now = self.now;
        let server = self.old_server();
        if server.later && server.is_busy(link) {
            return;
        }
        if let Some(member) = server.members.get_mut(&link) {
            member.asked = true;
            member.asked_at = now;
            self.old_server_sends(link, Message::RequestManifest(RequestManifest::default()));
        }
    }

    fn old_server_schedules(&mut self) {
        let Some((source, target, paths)) = self.old_server().choose() else { return };
        let server = self.old_server();
        server.next += 1;
        server.begun += 1;
        let sync_id = SyncId::new(&format!("session-{}", server.next)).unwrap();
        let session = Session { source, target, paths: paths.clone() };
        server.sessions.insert(sync_id.clone(), session);
        let offer = |role| SyncOffer {
            sync_id: sync_id.clone(),
            role,
            current_hash: "union".into(),
            source_client_id: format!("{source:08x}"),
            target_client_id: format!("{target:08x}"),
            files: None,
        };
        self.old_server_sends(target, Message::SyncOffer(offer(Role::Target)));
        self.old_server_sends(source, Message::SyncOffer(offer(Role::Source)));
        self.old_server_sends(
            source,
            Message::SendFiles(SendFiles { sync_id, paths, files: None }),
        );
    }

    pub(crate) fn old_server_receives(&mut self, link: LinkId, message: Message) {
        let now = self.now;
        match message {
            Message::Hello(hello) => {
                let server = self.old_server();
                let union = server.union();
                let current_hash =
                    if union.is_empty() { hello.manifest_hash } else { hash_of(&union) };
                let state = ServerState { current_hash, ..ServerState::default() };
                self.old_server_sends(link, Message::ServerState(state));
                self.old_server_asks(link);
            }
            Message::ManifestFull(full) => {
                let server = self.old_server();
                let later = server.later;
                if let Some(member) = server.members.get_mut(&link) {
                    let said = hash_of_files(&full.manifest);
                    let changed = member.reported != said;
                    member.reported = said;
                    let mut manifest = full.manifest;
                    manifest.retain(|file| !later || carried_by_104(&file.rel_path));
                    member.manifest = Some(manifest);
                    member.manifest_at = now;
                    member.asked = false;
                    member.awaited = false;
                    if changed {
                        self.mark_busy(|| format!("another manifest on link {link}"));
                    }
                }
                self.old_server_schedules();
            }
            Message::FileBegin(_) | Message::FileChunk(_) | Message::FileEnd(_) => {
                self.old_server_relays(link, message);
            }
            Message::SyncDone(done) => {
                let server = self.old_server();
                let session = server.sessions.get(&done.sync_id).filter(|s| s.target == link);
                let Some(source) = session.map(|session| session.source) else { return };
                server.sessions.remove(&done.sync_id);
                if let Some(member) = server.members.get_mut(&link).filter(|_| server.later) {
                    member.awaited = true;
                    member.asked = false;
                }
                let ack = SyncDoneAck {
                    sync_id: done.sync_id,
                    new_manifest_hash: done.new_manifest_hash,
                };
                self.old_server_sends(source, Message::SyncDoneAck(ack));
                self.old_server_asks(link);
                self.old_server_schedules();
            }
            Message::Error(report) => {
                self.old_server().sessions.remove(&report.sync_id);
                self.old_server_schedules();
            }
            Message::Ping => self.old_server_sends(link, Message::Pong),
            _ => {}
        }
    }

    fn old_server_relays(&mut self, link: LinkId, message: Message) {
        let (sync_id, path) = match &message {
            Message::FileBegin(begin) => (&begin.sync_id, &begin.info.rel_path),
            Message::FileChunk(chunk) => (&chunk.sync_id, &chunk.rel_path),
            Message::FileEnd(end) => (&end.sync_id, &end.rel_path),
            _ => return,
        };
        let sync_id = sync_id.clone();
        let server = self.old_server();
        let Some(session) = server.sessions.get(&sync_id) else { return };
        let asked = !server.later || session.paths.contains(path);
        if session.source == link && asked {
            let target = session.target;
            self.send(target, Dir::Down, Queued { message, note: Note::None });
        }
    }

    /// Returns the names in the old server's union that a PC lacks or has with another content.
    pub(crate) fn old_server_missing(&mut self, pc: usize) -> BTreeSet<String> {
        let union = self.old_server().union();
        let disk = &self.pcs[pc].disk;
        let missing = union.into_iter().filter(|(path, (hash, ..))| {
            disk.get(path).is_none_or(|node| node.content.hash.to_string() != *hash)
        });
        missing.map(|(path, _)| path).collect()
    }
}

/// Returns the union hash, computed as protocol 1 does it.
fn hash_of(union: &Union) -> String {
    let items: Vec<_> = union
        .iter()
        .map(|(path, (hash, size, _))| {
            let path = serde_json::to_string(path).unwrap();
            format!(r#"{{"rel_path":{path},"sha256":"{hash}","size":{size}}}"#)
        })
        .collect();
    ContentHash::of(format!("[{}]", items.join(",")).as_bytes()).to_string()
}

fn hash_of_files(files: &[FileInfo]) -> String {
    let mut lines: Vec<_> =
        files.iter().map(|file| format!("{} {}", file.rel_path, file.sha256)).collect();
    lines.sort_unstable();
    ContentHash::of(lines.join("\n").as_bytes()).to_string()
}
