//! The trace hash: a number that stays the same as long as the machines decide the same.
//!
//! Each output of each machine goes into the hash: its kind as a number, then the time, the peer, and the paths,
//! contents, offsets, sizes and dates that it carries. Words stay out: no type, message, field, event or JSON name, no
//! Debug form, no text for people, and no number that only tells things apart (sessions, transfers, stages, disk
//! requests). `Timeout` stays out too: a deadline shows in the time of what happens then.
//!
//! The events of the machines have a hash of their own, so that a new event does not hide a new decision. Of an event
//! only its time and its peer count.
//!
//! The numbers below belong to the kinds for good. A renamed kind keeps its number; a new kind takes a new one.

use liverysync_core::{
    client::{self, DiskRequest, InstallFile},
    hash::{Content, ContentHash},
    league::{Cause, HoldState, MemberId, Record, Setting},
    manifest::Entry,
    select::Stamp,
    server,
    time::UnixTime,
    transfer::Compression,
    wire::messages::{Fault, FileInfo, Message, Remarks, Resume, Role, ServerState},
};

/// The hashes of all outputs of one run so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    decisions: Fnv,
    events: Fnv,
}

impl Trace {
    /// Returns the hash of the decisions and that of the events.
    pub(crate) const fn hashes(&self) -> [u64; 2] {
        [self.decisions.0, self.events.0]
    }

    /// Takes in an output of the server.
    pub(crate) fn server(&mut self, now: u64, output: &server::Output) {
        let kind = match output {
            server::Output::Transmit(..) => 1,
            server::Output::OpenUpload { .. } => 2,
            server::Output::AbandonUpload { .. } => 3,
            server::Output::CloseUpload(..) => 4,
            server::Output::StartDownload { .. } => 5,
            server::Output::StopDownload(..) => 6,
            server::Output::Remove(_) => 7,
            server::Output::Record(_) => 8,
            server::Output::Acted { .. } => 9,
            server::Output::Close(..) => 10,
            server::Output::Inspect(_) => 11,
            server::Output::Verify(_) => 12,
            server::Output::Event(_) => return self.event(now, SERVER),
            server::Output::Timeout(_) => return,
        };
        let fnv = self.decision(now, SERVER, kind);
        match output {
            server::Output::Transmit(peer, message) => {
                fnv.number(peer.0);
                fnv.message(message);
            }
            server::Output::OpenUpload { source, stream, .. } => {
                fnv.number(source.0);
                fnv.each(stream.files(), |fnv, file| {
                    fnv.text(&file.name);
                    fnv.content(file.content);
                    fnv.number(file.from);
                });
            }
            server::Output::StartDownload { target, content, from, compression, begin, .. } => {
                fnv.number(target.0);
                fnv.content(*content);
                fnv.number(*from);
                fnv.compression(*compression);
                fnv.option(begin.as_ref(), |fnv, begin| fnv.file(&begin.info));
            }
            server::Output::AbandonUpload { source: peer, .. }
            | server::Output::CloseUpload(peer, _)
            | server::Output::StopDownload(peer, _)
            | server::Output::Close(peer, _) => fnv.number(peer.0),
            server::Output::Remove(hash) | server::Output::Verify(hash) => fnv.hash(*hash),
            server::Output::Record(records) => fnv.records(records),
            server::Output::Acted { outcome, records, .. } => {
                fnv.option(outcome.as_ref().ok(), |fnv, report| {
                    fnv.number(report.placed as u64);
                    fnv.number(report.retired as u64);
                });
                fnv.records(records);
            }
            server::Output::Inspect(contents) => fnv.number(contents.len() as u64),
            server::Output::Event(_) | server::Output::Timeout(_) => {}
        }
    }

    /// Takes in an output of the client on a PC.
    pub(crate) fn client(&mut self, now: u64, pc: usize, output: &client::Output) {
        let pc = pc as u64;
        let kind = match output {
            client::Output::Connect => 1,
            client::Output::Disconnect(_) => 2,
            client::Output::Transmit(_) => 3,
            client::Output::Send { .. } => 4,
            client::Output::StopSending(_) => 5,
            client::Output::FormerKeysKnown(_) => 8,
            client::Output::RememberShare(_) => 9,
            client::Output::Disk(..) => 6,
            client::Output::Event(_) => return self.event(now, pc),
            client::Output::Timeout(_) => return,
        };
        let fnv = self.decision(now, pc, kind);
        match output {
            client::Output::Transmit(message) => fnv.message(message),
            client::Output::Send { path, stamp, from, compression, .. } => {
                fnv.text(path.as_str());
                fnv.stamp(*stamp);
                fnv.number(*from);
                fnv.compression(*compression);
            }
            client::Output::Disk(_, request) => fnv.disk(request),
            client::Output::Connect
            | client::Output::Disconnect(_)
            | client::Output::StopSending(_)
            | client::Output::FormerKeysKnown(_)
            | client::Output::RememberShare(_)
            | client::Output::Event(_)
            | client::Output::Timeout(_) => {}
        }
    }

    fn decision(&mut self, now: u64, machine: u64, kind: u64) -> &mut Fnv {
        self.decisions.number(machine);
        self.decisions.number(kind);
        self.decisions.number(now);
        &mut self.decisions
    }

    fn event(&mut self, now: u64, machine: u64) {
        self.events.number(machine);
        self.events.number(now);
    }
}

/// The number of the server among the machines; each client has that of its PC.
const SERVER: u64 = u64::MAX;

/// FNV-1a with 64 bits, by Fowler, Noll and Vo (RFC 9923). A specified function: it never changes with a compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    /// Takes in a text with its length, so that neighbours cannot flow into each other.
    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    fn texts<T: AsRef<str>>(&mut self, texts: &[T]) {
        self.number(texts.len() as u64);
        for text in texts {
            self.text(text.as_ref());
        }
    }

    fn option<T>(&mut self, value: Option<T>, take: impl FnOnce(&mut Self, T)) {
        self.number(value.is_some().into());
        if let Some(value) = value {
            take(self, value);
        }
    }

    fn each<T>(&mut self, values: &[T], mut take: impl FnMut(&mut Self, &T)) {
        self.number(values.len() as u64);
        for value in values {
            take(self, value);
        }
    }

    fn hash(&mut self, hash: ContentHash) {
        self.bytes(hash.as_bytes());
    }

    fn content(&mut self, content: Content) {
        self.hash(content.hash);
        self.number(content.size);
    }

    fn date(&mut self, date: UnixTime) {
        self.number(date.as_nanos().cast_unsigned());
    }

    fn stamp(&mut self, stamp: Stamp) {
        self.number(stamp.size);
        self.date(stamp.mtime);
    }

    fn compression(&mut self, compression: Compression) {
        self.number(match compression {
            Compression::Plain => 0,
            Compression::Sample => 1,
            Compression::Zstd => 2,
        });
    }

    fn entry(&mut self, entry: &Entry) {
        self.text(entry.path.as_str());
        self.content(entry.content);
        self.option(entry.mtime, Self::date);
    }

    fn file(&mut self, file: &FileInfo) {
        self.text(&file.rel_path);
        self.number(file.size);
        self.text(&file.sha256);
        self.option(file.modified(), Self::date);
        self.option(file.base.as_deref(), Self::text);
    }

    fn member(&mut self, member: MemberId) {
        self.text(&member.to_string());
    }

    fn remarks(&mut self, remarks: &Remarks) {
        self.option(remarks.allowed.as_deref(), Self::texts);
        self.texts(&remarks.unavailable);
        self.each(&remarks.retired, |fnv, retired| {
            fnv.text(&retired.rel_path);
            fnv.texts(&retired.contents);
        });
        self.each(&remarks.conflicts, |fnv, conflict| {
            let copies = &conflict.copies;
            fnv.number(copies.len() as u64);
            for file in std::iter::once(&conflict.established).chain(copies) {
                fnv.text(&file.rel_path);
                fnv.option(file.member.as_deref(), Self::text);
                if let Some(name) = &file.name {
                    fnv.text(name);
                }
            }
        });
    }

    fn server_state(&mut self, state: &ServerState) {
        self.text(&state.current_hash);
        self.option(state.sync_status, |fnv, status| {
            fnv.number(status.revision);
            fnv.number(status.missing);
            fnv.number(status.missing_bytes);
            fnv.number(status.needed_by_others);
            fnv.number(status.withheld);
        });
        self.texts(&state.outdated);
        self.texts(&state.blocked);
        if let Some(naming) = &state.naming {
            self.text(&naming.suffix);
            self.texts(&naming.former_suffixes);
            self.number(naming.whole_liveries.into());
        }
        for held in &state.held {
            self.text(&held.livery);
            self.option(held.until.as_deref(), Self::text);
        }
    }

    fn message(&mut self, message: &Message) {
        match message {
            Message::Hello(hello) => {
                self.number(1);
                self.text(&hello.manifest_hash);
                self.number(hello.member_key.is_some().into());
            }
            Message::Welcome(_) => self.number(2),
            Message::ManifestSummary(summary) => {
                self.number(3);
                self.text(&summary.manifest_hash);
                self.number(summary.file_count);
                self.number(summary.total_bytes);
            }
            Message::ManifestFull(full) => {
                self.number(4);
                self.option(full.revision, Self::number);
                self.each(&full.manifest, Self::file);
                self.option(full.remarks.as_ref(), Self::remarks);
            }
            Message::ManifestChanges(changes) => {
                self.number(5);
                self.number(changes.revision);
                self.texts(&changes.removed);
                self.each(&changes.changed, Self::file);
            }
            Message::ServerState(state) => {
                self.number(6);
                self.server_state(state);
            }
            Message::RequestManifest(_) => self.number(7),
            Message::SyncOffer(offer) => {
                self.number(8);
                self.number(match offer.role {
                    Role::Source => 0,
                    Role::Target => 1,
                });
                self.text(&offer.current_hash);
                self.option(offer.files.as_deref(), |fnv, files| {
                    fnv.each(files, |fnv, file| {
                        fnv.file(&file.info);
                        fnv.number(file.transfer.is_some().into());
                        fnv.option(file.copy_from.as_deref(), Self::text);
                        fnv.option(file.replaces.as_deref(), Self::text);
                        if let Some(lost) = &file.conflict {
                            fnv.text(&lost.rel_path);
                            fnv.option(lost.keeper.as_deref(), Self::text);
                        }
                    });
                });
            }
            Message::Accept(accept) => {
                self.number(9);
                self.each(&accept.files, Self::resume);
            }
            Message::SendFiles(send) => {
                self.number(10);
                self.texts(&send.paths);
                self.option(send.files.as_deref(), |fnv, files| {
                    fnv.each(files, |fnv, file| {
                        fnv.file(&file.info);
                        fnv.resume(&file.resume);
                    });
                });
            }
            Message::FileBegin(begin) => {
                self.number(11);
                self.file(&begin.info);
            }
            Message::FileChunk(chunk) => {
                self.number(12);
                self.text(&chunk.rel_path);
                self.number(chunk.offset);
                self.number(chunk.data.len() as u64);
            }
            Message::FileEnd(end) => {
                self.number(13);
                self.text(&end.rel_path);
            }
            Message::Data(data) => {
                self.number(14);
                self.number(data.offset);
                self.number(data.last.into());
                self.number(data.body.len() as u64);
            }
            Message::Credit(credit) => {
                self.number(15);
                self.number(credit.bytes);
            }
            Message::SyncDone(done) => {
                self.number(16);
                self.text(&done.new_manifest_hash);
                self.option(done.revision, Self::number);
                self.option(done.installed.as_deref(), Self::texts);
            }
            Message::SyncDoneAck(ack) => {
                self.number(17);
                self.text(&ack.new_manifest_hash);
            }
            Message::Retire(retire) => {
                self.number(18);
                self.each(&retire.files, Self::file);
            }
            Message::Error(error) => {
                self.number(19);
                self.option(error.rel_path.as_deref(), Self::text);
                self.option(error.fault, |fnv, fault| {
                    fnv.number(match fault {
                        Fault::Declined => 1,
                        Fault::Blocked => 5,
                        Fault::Failed => 2,
                        Fault::Missing => 3,
                        Fault::Other => 4,
                        Fault::Banned => 6,
                        Fault::Corrupt => 7,
                    });
                });
            }
            Message::Ping => self.number(20),
            Message::Pong => self.number(21),
            Message::Unknown(_) => self.number(22),
            Message::Act(request) => {
                self.number(23);
                self.text(&format!("{request:?}"));
            }
            Message::Notices(notices) => {
                self.number(25);
                self.text(&format!("{notices:?}"));
            }
            Message::Acted(reply) => {
                self.number(24);
                self.text(&format!("{reply:?}"));
            }
        }
    }

    fn resume(&mut self, resume: &Resume) {
        self.number(resume.offset);
    }

    /// Leaves out the settings of holds that a new league begins with: they decide nothing.
    fn records(&mut self, records: &[Record]) {
        let is_default = |record: &&Record| match record {
            Record::Set { setting: Setting::Approval, value } => value == "off",
            Record::Set { setting: Setting::Frozen, value } => value.is_empty(),
            Record::Set { setting: Setting::Lint, value } => value == "off",
            Record::Set { setting: Setting::LintRules, value } => value == "default",
            _ => false,
        };
        let decided: Vec<_> = records.iter().filter(|record| !is_default(record)).collect();
        self.each(&decided, |fnv, record| fnv.record(record));
    }

    fn record(&mut self, record: &Record) {
        match record {
            Record::Held(held) => {
                self.number(10);
                self.option(held.member, Self::member);
                self.text(&held.livery);
                let at =
                    HoldState::WORDS.iter().position(|(_, known)| *known == held.state).unwrap();
                self.number(at as u64);
                self.each(&held.files, |fnv, file| {
                    fnv.entry(&file.entry);
                    fnv.option(file.base, |fnv, base| fnv.text(&base.to_string()));
                });
            }
            Record::Placed { step, entry, author, cause } => {
                self.number(1);
                self.number(*step);
                self.entry(entry);
                self.option(*author, Self::member);
                // A new cause comes last in the list, so the known ones keep their numbers.
                let at = Cause::WORDS.iter().position(|(_, known)| known == cause).unwrap();
                self.number(1 + at as u64);
            }
            Record::Retired { step, path } => {
                self.number(2);
                self.number(*step);
                self.text(path.as_str());
            }
            Record::Declined { step, path, content } => {
                self.number(3);
                self.number(*step);
                self.text(path.as_str());
                self.content(*content);
            }
            Record::Forgotten { path } => {
                self.number(4);
                self.text(path.as_str());
            }
            Record::Verified(content) => {
                self.number(5);
                self.content(*content);
            }
            Record::Owned { livery, owners, .. } => {
                self.number(6);
                self.text(livery);
                self.each(owners, |fnv, owner| fnv.member(*owner));
            }
            Record::Met { .. } => unreachable!("only a database makes it"),
            Record::Seen { member, name } => {
                self.number(7);
                self.member(*member);
                self.text(name);
            }
            Record::Set { setting, value } => {
                self.number(9);
                self.text(setting.as_str());
                self.text(value);
            }
            Record::Banned { member, banned } => {
                self.number(11);
                self.member(*member);
                self.number((*banned).into());
            }
            Record::Inspected { content, facts } => {
                self.number(13);
                self.text(&content.hash.to_string());
                self.text(&format!("{facts:?}"));
            }
            Record::Blocked { hash, blocked } => {
                self.number(12);
                self.text(&hash.to_string());
                self.number((*blocked).into());
            }
            Record::Merged { former, member } => {
                self.number(10);
                self.member(*former);
                self.member(*member);
            }
            Record::Reported { member, complete, lost, gained } => {
                self.number(8);
                self.member(*member);
                self.number((*complete).into());
                self.texts(lost);
                self.each(gained, Self::entry);
            }
        }
    }

    fn install(&mut self, file: &InstallFile) {
        self.text(file.path.as_str());
        self.option(file.mtime, Self::date);
        self.option(file.replaces, Self::stamp);
        self.option(file.keep_as.as_ref(), |fnv, path| fnv.text(path.as_str()));
    }

    fn disk(&mut self, request: &DiskRequest) {
        match request {
            DiskRequest::Sweep => self.number(1),
            DiskRequest::LoadCache => self.number(2),
            // The form of what is remembered may change; what comes of it shows in later decisions.
            DiskRequest::SaveCache(_) => self.number(3),
            DiskRequest::LoadObstacles => self.number(16),
            DiskRequest::SaveObstacles(_) => self.number(17),
            DiskRequest::Check(files) => {
                self.number(18);
                self.each(files, |fnv, (path, size)| {
                    fnv.text(path.as_str());
                    fnv.number(*size);
                });
            }
            DiskRequest::List { watch } => {
                self.number(4);
                self.number((*watch).into());
            }
            DiskRequest::Hash(files) => {
                self.number(5);
                self.each(files, |fnv, (path, stamp)| {
                    fnv.text(path.as_str());
                    fnv.stamp(*stamp);
                });
            }
            DiskRequest::Read { path, piece, stamp } => {
                self.number(6);
                self.text(path.as_str());
                self.number(piece.offset);
                self.number(piece.len as u64);
                self.stamp(*stamp);
            }
            DiskRequest::Create(_, size) => {
                self.number(7);
                self.number(*size);
            }
            DiskRequest::Receive { content, .. } => {
                self.number(8);
                self.content(*content);
            }
            DiskRequest::Park(_) => self.number(9),
            DiskRequest::Write(_, offset, bytes) => {
                self.number(10);
                self.number(*offset);
                self.number(bytes.len() as u64);
            }
            DiskRequest::Seal(_) => self.number(11),
            DiskRequest::Copy(_, path) => {
                self.number(12);
                self.text(path.as_str());
            }
            DiskRequest::Discard(_) => self.number(13),
            DiskRequest::Install { date, files, clear } => {
                self.number(14);
                self.date(*date);
                self.each(files, Self::install);
                self.each(clear, |fnv, path| fnv.text(path.to_str().unwrap()));
            }
            DiskRequest::Respell(files) => {
                self.number(18);
                self.each(files, |fnv, (from, to)| {
                    fnv.text(from.as_str());
                    fnv.text(to.as_str());
                });
            }
            DiskRequest::Retire { date, files, clear } => {
                self.number(15);
                self.date(*date);
                self.each(files, |fnv, (path, stamp)| {
                    fnv.text(path.as_str());
                    fnv.stamp(*stamp);
                });
                self.each(clear, |fnv, path| fnv.text(path.to_str().unwrap()));
            }
        }
    }
}
