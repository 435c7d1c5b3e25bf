//! Uploads from their request to their end, whatever the source does on the way.

mod plan;
mod session;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use self::{
    plan::plan_uploads,
    session::{Upload, UploadFile},
};
use super::{Event, Output, context::Context, protocol_1::send_files};
use crate::{
    hash::{Content, ContentHash},
    path::{PathKey, RelPath, fold},
    schedule::Plan,
    time::Time,
    transfer::{RequestedFile, SourceFault, UploadEvent, UploadStream},
    union::PeerId,
    wire::messages::{ErrorReport, Fault, Message, Role, SyncDoneAck, SyncId, SyncOffer},
};

/// How long nothing is requested after the store could not keep a content: its disk may be full.
const STORE_PAUSE: Duration = Duration::from_secs(10);

/// A content of which no download may go on, and why.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) content: Content,
    pub(super) reason: &'static str,
}

/// An upload that is about to be requested.
#[derive(Debug)]
pub(super) struct NewUpload {
    source: PeerId,
    files: Vec<UploadFile>,
    in_order: bool,
    requested: Vec<RequestedFile>,
    /// Contents that come again from their beginning: the downloads that read what came before have to end first.
    pub(super) restarted: Vec<Lost>,
}

/// One look for sources that are free.
#[derive(Debug)]
pub(super) struct Pass {
    plan: Plan,
    sources: VecDeque<PeerId>,
    /// Sources that are free and have nothing left to do.
    idle: Vec<PeerId>,
}

/// The sessions in which sources send files into the store, and who sends what next.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    sessions: BTreeMap<SyncId, Upload>,
    /// The plan of uploads; `None` if it has to be worked out.
    plan: Option<Plan>,
    /// Nothing is requested before.
    paused_until: Time,
}

impl Uploads {
    /// Returns the number of open sessions.
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn invalidate_plan(&mut self) {
        self.plan = None;
    }

    // ---- opening sessions -----------------------------------------------------------------------

    /// Begins to request what is missing and not in the store, as far as sources are free and there is room.
    pub(super) fn begin_pass(&mut self, cx: &Context) -> Option<Pass> {
        if self.paused_until > cx.now {
            return None;
        }
        let plan = self.plan.take().unwrap_or_else(|| plan_uploads(cx));
        Some(Pass { plan, sources: cx.peers.ids().into(), idle: Vec::new() })
    }

    /// Returns the next upload to [open](Self::open), while `downloads_open` downloads are.
    pub(super) fn poll_upload(
        &mut self,
        cx: &mut Context,
        pass: &mut Pass,
        downloads_open: usize,
    ) -> Option<NewUpload> {
        while let Some(source) = pass.sources.front().copied() {
            if !self.is_free(cx, source, downloads_open) {
                pass.sources.pop_front();
                continue;
            }
            let Some(keys) = pass.plan.get_mut(&source).and_then(VecDeque::pop_front) else {
                pass.idle.push(source);
                pass.sources.pop_front();
                continue;
            };
            let (keys, later) = fitting(cx, keys);
            if !later.is_empty() {
                pass.plan.entry(source).or_default().push_front(later);
                pass.sources.pop_front();
            }
            let upload = prepare(cx, source, &keys);
            if upload.is_some() {
                return upload;
            }
        }
        None
    }

    /// Ends a pass.
    pub(super) fn end_pass(&mut self, cx: &mut Context, mut pass: Pass) {
        pass.plan.retain(|_, sessions| !sessions.is_empty());
        // A source that has nothing left to do may take over from another one.
        let spread = pass.idle.iter().any(|source| could_help(cx, *source, &pass.plan));
        self.plan = (!spread).then_some(pass.plan);
        // What was removed to make room is in no plan, so that is no reason to make another one.
        cx.dirty.plan = false;
    }

    fn is_free(&self, cx: &Context, source: PeerId, downloads_open: usize) -> bool {
        let open = self.len() + downloads_open < cx.config.sessions_max;
        let Some(peer) = cx.peers.get(source).filter(|_| open) else { return false };
        let open = peer.sessions.uploads.iter();
        let bytes = open.map(|sync_id| self.sessions.get(sync_id).map_or(0, Upload::bytes));
        peer.has_room(bytes, &cx.config)
    }

    /// Requests files from a source. Returns their contents, which can be offered from now on.
    pub(super) fn open(&mut self, cx: &mut Context, upload: NewUpload) -> BTreeSet<Content> {
        let NewUpload { source, files, in_order, requested, .. } = upload;
        let sync_id = cx.new_sync_id();
        let Some(peer) = cx.peers.get_mut(source) else { return BTreeSet::new() };
        peer.sessions.uploads.insert(sync_id.clone());
        let name = peer.identity.name.clone();
        send_offer(cx, &sync_id, source);
        let request = send_files(sync_id.clone(), &requested, in_order);
        let stream = UploadStream::new(requested, cx.now);
        cx.output(Output::OpenUpload { source, sync_id: sync_id.clone(), stream });
        cx.transmit(source, Message::SendFiles(request));
        cx.event(Event::SessionBegan {
            sync_id: sync_id.clone(),
            source: Some(name),
            target: None,
            files: files.len(),
            bytes: files.iter().map(|file| file.content.size).sum(),
        });
        let contents = files.iter().map(|file| file.content).collect();
        let upload = Upload {
            source,
            files,
            in_order,
            deadline: cx.now + cx.config.first_file_timeout,
            began_at: cx.now,
            bytes_passed: 0,
        };
        self.sessions.insert(sync_id, upload);
        contents
    }

    // ---- what comes of them ---------------------------------------------------------------------

    /// Takes what was seen of an upload. Returns the content that is lost by it, if any; call
    /// [`end_if_over`](Self::end_if_over) when that is dealt with.
    pub(super) fn handle_event(
        &mut self,
        cx: &mut Context,
        source: PeerId,
        sync_id: &SyncId,
        event: UploadEvent,
    ) -> Option<Lost> {
        let now = cx.now;
        let stall_timeout = cx.config.stall_timeout;
        if let Some(peer) = cx.peers.get_mut(source) {
            peer.liveness.heard_at = now;
            if let Some((draining, until)) = &mut peer.sessions.draining
                && draining == sync_id
            {
                *until = now + stall_timeout;
            }
        }
        if event == UploadEvent::Drained {
            drained(cx, source, sync_id);
            return None;
        }
        let upload = self.sessions.get_mut(sync_id);
        let upload = upload.filter(|upload| upload.source == source)?;
        upload.deadline = now + stall_timeout;
        match event {
            UploadEvent::Drained => None,
            UploadEvent::Passed(bytes) => {
                upload.bytes_passed += bytes;
                let millis =
                    u64::try_from(now.since(upload.began_at).as_millis()).unwrap_or(u64::MAX);
                let rate = upload.bytes_passed.saturating_mul(1000) / millis.max(1);
                if let Some(peer) = cx.peers.get_mut(source) {
                    peer.upload_rate = peer.upload_rate.max(rate);
                }
                None
            }
            UploadEvent::Stored(index) => {
                let file = upload.pending_mut(index)?;
                file.pending = false;
                cx.mark_stored(file.content);
                None
            }
            UploadEvent::Faulted(index, fault) => {
                let file = upload.pending_mut(index)?;
                let (content, reason) = if file.resumed {
                    // The wrong bytes may be those that the store had before, so the source is not to blame.
                    file.pending = false;
                    (file.content, "it comes anew from its beginning")
                } else {
                    let content = self.record_failure(cx, sync_id, index, fault)?;
                    (content, "its source did not send it right")
                };
                Some(discard(cx, content, reason))
            }
            UploadEvent::Unkept(index, reason) => {
                let file = upload.pending_mut(index)?;
                file.pending = false;
                let content = file.content;
                cx.event(Event::StoreFault { content: content.hash, reason });
                self.paused_until = now + STORE_PAUSE;
                cx.remove_content(content);
                Some(Lost { content, reason: "the server has lost it" })
            }
            UploadEvent::Unasked(path) => {
                let name = cx.peers.name(source).unwrap_or_default();
                cx.event(Event::SourceFault { name, path, fault: SourceFault::OtherContent });
                None
            }
        }
    }

    /// Takes an error that a source reports about one of its uploads. Returns the content that is lost by it, if any; call
    /// [`end_if_over`](Self::end_if_over) when that is dealt with.
    pub(super) fn handle_error(
        &mut self,
        cx: &mut Context,
        id: PeerId,
        report: &ErrorReport,
    ) -> Option<Lost> {
        let upload = self.sessions.get(&report.sync_id).filter(|upload| upload.source == id)?;
        let Some(path) = &report.rel_path else {
            self.time_out(cx, &report.sync_id);
            return None;
        };
        let path = fold(path);
        let is_meant = |file: &UploadFile| file.pending && file.path.key().as_str() == path;
        let index = upload.files.iter().position(is_meant)?;
        let fault = if report.fault == Some(Fault::Failed) {
            SourceFault::Unreadable
        } else {
            SourceFault::OtherContent
        };
        let content = self.record_failure(cx, &report.sync_id, index, fault)?;
        Some(discard(cx, content, "its source cannot send it"))
    }

    /// Takes that it is known how many bytes came of a content whose upload ended early. Returns the content if nobody
    /// can send the rest.
    pub(super) fn handle_closed(&mut self, cx: &mut Context, hash: ContentHash) -> Option<Lost> {
        cx.dirty.plan = true;
        cx.dirty.schedule();
        let content = cx.store.content(hash)?;
        let is_wanted = cx.league.union().with_content(content).next().is_some();
        let has_source = cx.router().willing(content).next().is_some();
        let reason = "nobody who has it is there any more";
        (!is_wanted || !has_source).then_some(Lost { content, reason })
    }

    /// Records that a source will not send a file of a session. Returns its content.
    fn record_failure(
        &mut self,
        cx: &mut Context,
        sync_id: &SyncId,
        index: usize,
        fault: SourceFault,
    ) -> Option<Content> {
        let upload = self.sessions.get_mut(sync_id)?;
        let source = upload.source;
        let file = upload.pending_mut(index)?;
        file.pending = false;
        let (path, content) = (file.path.clone(), file.content);
        let now = cx.now;
        if let Some(peer) = cx.peers.get_mut(source) {
            let key = path.key().clone();
            if fault == SourceFault::Unreadable {
                peer.upload_faults.mark_unreadable(key, content.hash, now);
            } else {
                peer.upload_faults.mark_unservable(key, content.hash);
            }
            let name = peer.identity.name.clone();
            cx.event(Event::SourceFault { name, path: path.as_str().to_owned(), fault });
        }
        cx.dirty.plan = true;
        Some(content)
    }

    // ---- their end ------------------------------------------------------------------------------

    /// Ends the `sessions` of a source that is gone.
    pub(super) fn handle_lost(
        &mut self,
        cx: &mut Context,
        name: &str,
        sessions: &BTreeSet<SyncId>,
    ) {
        for sync_id in sessions {
            let Some(upload) = self.sessions.remove(sync_id) else { continue };
            for file in upload.files.iter().filter(|file| file.pending) {
                cx.store.close(file.content.hash);
            }
            announce_end(cx, sync_id, Some(name.to_owned()), &upload);
        }
    }

    /// Ends the sessions whose sources have been silent for too long.
    pub(super) fn handle_timeout(&mut self, cx: &mut Context) {
        let overdue = self.sessions.iter().filter(|(_, upload)| upload.deadline <= cx.now);
        for sync_id in overdue.map(|(sync_id, _)| sync_id.clone()).collect::<Vec<_>>() {
            self.time_out(cx, &sync_id);
        }
    }

    fn time_out(&mut self, cx: &mut Context, sync_id: &SyncId) {
        let Some(upload) = self.sessions.get(sync_id) else { return };
        let source = upload.source;
        let pending: Vec<_> =
            (0..upload.files.len()).filter(|index| upload.files[*index].pending).collect();
        if let (Some(name), false) = (cx.peers.name(source), pending.is_empty()) {
            cx.event(Event::SourceSilent { name, files: pending.len() });
        }
        let mut left = Vec::new();
        for index in pending {
            left.extend(self.record_failure(cx, sync_id, index, SourceFault::Skipped));
        }
        self.end(cx, sync_id, &left);
    }

    /// Ends an upload that has nothing more to bring.
    pub(super) fn end_if_over(&mut self, cx: &mut Context, sync_id: &SyncId) {
        if self.sessions.get(sync_id).is_some_and(Upload::is_over) {
            self.end(cx, sync_id, &[]);
        }
    }

    /// Ends an upload. What has come of the contents that are `left` may be resumed.
    fn end(&mut self, cx: &mut Context, sync_id: &SyncId, left: &[Content]) {
        let Some(upload) = self.sessions.remove(sync_id) else { return };
        let source = upload.source;
        if !left.is_empty() {
            cx.output(Output::AbandonUpload { source, sync_id: sync_id.clone() });
            cx.report_error(source, sync_id, "this session is over", None);
            left.iter().for_each(|content| cx.store.close(content.hash));
        }
        // A source that sends in order goes on until it has sent all. Its next session must not begin before.
        let drains = upload.in_order && !left.is_empty();
        if !drains {
            cx.output(Output::CloseUpload(source, sync_id.clone()));
        }
        let until = cx.now + cx.config.stall_timeout;
        if let Some(peer) = cx.peers.get_mut(source) {
            peer.sessions.uploads.remove(sync_id);
            if drains {
                peer.sessions.draining = Some((sync_id.clone(), until));
            }
        }
        let ack = SyncDoneAck { sync_id: sync_id.clone(), ..SyncDoneAck::default() };
        cx.transmit(source, Message::SyncDoneAck(ack));
        let name = cx.peers.name(source);
        announce_end(cx, sync_id, name, &upload);
        cx.dirty.schedule();
    }

    // ---- what is still to come ------------------------------------------------------------------

    /// Returns how many files each source has still to send so that the store has all of the union: those that are
    /// requested, and those that will be as soon as the source is free.
    pub(super) fn needed_for_archive(&self, cx: &Context) -> BTreeMap<PeerId, u64> {
        let mut needed: BTreeMap<_, u64> = BTreeMap::new();
        for upload in self.sessions.values() {
            let pending = upload.files.iter().filter(|file| file.pending).count();
            *needed.entry(upload.source).or_default() += pending as u64;
        }
        for (source, sessions) in self.plan.iter().flatten() {
            for keys in sessions {
                let entries = keys.iter().filter_map(|key| cx.league.union().get(key));
                let fits = entries.filter(|entry| cx.is_within(entry.content.size)).count();
                *needed.entry(*source).or_default() += fits as u64;
            }
        }
        needed.retain(|_, files| *files > 0);
        needed
    }
}

/// Returns whether a source has something that another one would upload last.
fn could_help(cx: &Context, source: PeerId, plan: &Plan) -> bool {
    let last = plan.values().filter(|sessions| sessions.len() > 1).filter_map(VecDeque::back);
    let entries = last.filter_map(|keys| cx.league.union().get(keys.first()?));
    entries.into_iter().any(|entry| {
        let mut willing = cx.router().willing(entry.content);
        willing.any(|holder| holder == source)
    })
}

/// Splits what is to be requested into what there is room for and what has to wait for room. What the store has by now,
/// or is getting, is left out.
fn fitting(cx: &mut Context, keys: Vec<PathKey>) -> (Vec<PathKey>, Vec<PathKey>) {
    let (mut now, mut later, mut bytes) = (Vec::new(), Vec::new(), 0);
    for key in keys {
        let Some(entry) = cx.league.union().get(&key) else { continue };
        let content = entry.content;
        if !cx.store.can_begin(content) {
            continue;
        }
        let more = if cx.store.has(content) { 0 } else { content.size };
        // The first may be larger than all the room there is; what comes with it must fit.
        let fits = later.is_empty() && cx.find_room(bytes + more);
        if fits && (now.is_empty() || cx.is_within(bytes + more)) {
            bytes += more;
            now.push(key);
        } else {
            later.push(key);
        }
    }
    (now, later)
}

/// Prepares to request files from a source. Returns `None` if the source has none of them any more.
fn prepare(cx: &mut Context, source: PeerId, keys: &[PathKey]) -> Option<NewUpload> {
    let now = cx.now;
    let peer = cx.peers.get_mut(source)?;
    let in_order = peer.identity.protocol.sends_in_order();
    let union = cx.league.union();
    let (mut files, mut requested, mut restarted) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys {
        let Some(entry) = union.get(key) else { continue };
        let content = entry.content;
        if !cx.store.can_begin(content) {
            continue;
        }
        let mut places = union.places(source, content);
        let may_serve =
            |path: &&RelPath| peer.upload_faults.may_serve(path.key(), content.hash, now);
        let Some(path) = places.find(may_serve).cloned() else { continue };
        let (name, transfer) = (path.as_str().to_owned(), peer.sessions.next_transfer());
        let partial = cx.store.partial_bytes(content);
        let from = if in_order { 0 } else { partial };
        let other = cx.store.content(content.hash).filter(|other| *other != content);
        // A source that sends in order begins at the beginning, whatever the store has. The same hash with another length
        // is another content.
        restarted.extend((partial > from).then_some(content).or(other));
        cx.store.begin(content);
        requested.push(RequestedFile { name, content, transfer, from });
        files.push(UploadFile { path, content, pending: true, resumed: from > 0 });
    }
    if files.is_empty() {
        return None;
    }
    let reason = "it comes anew from another source";
    let restarted = restarted.into_iter().map(|content| Lost { content, reason }).collect();
    Some(NewUpload { source, files, in_order, requested, restarted })
}

/// Tells a source that files will be requested from it.
fn send_offer(cx: &mut Context, sync_id: &SyncId, source: PeerId) {
    let current_hash = cx.union_hash_text();
    let Some(peer) = cx.peers.get(source) else { return };
    let offer = SyncOffer {
        sync_id: sync_id.clone(),
        role: Role::Source,
        current_hash,
        source_client_id: peer.identity.client_id.clone(),
        target_client_id: cx.store_id.clone(),
        files: None,
        whole_liveries: false,
    };
    cx.transmit(source, Message::SyncOffer(offer));
}

/// Removes what has come of a content, because it is of no use.
fn discard(cx: &mut Context, content: Content, reason: &'static str) -> Lost {
    cx.output(Output::Forget(content.hash));
    cx.remove_content(content);
    Lost { content, reason }
}

/// Closes an upload of a Python client that has come to its end after the server had ended it.
pub(super) fn drained(cx: &mut Context, source: PeerId, sync_id: &SyncId) {
    cx.output(Output::CloseUpload(source, sync_id.clone()));
    let Some(peer) = cx.peers.get_mut(source) else { return };
    if peer.sessions.draining.as_ref().is_some_and(|(id, _)| id == sync_id) {
        peer.sessions.draining = None;
        cx.dirty.schedule();
    }
}

fn announce_end(cx: &mut Context, sync_id: &SyncId, source: Option<String>, upload: &Upload) {
    let received = upload.files.iter().filter(|file| cx.store.is_stored(file.content));
    let installed = received.count();
    cx.event(Event::SessionEnded {
        sync_id: sync_id.clone(),
        source,
        target: None,
        installed,
        failed: upload.files.len() - installed,
    });
}
