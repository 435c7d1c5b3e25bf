//! Requests to sources: which of them sends what next, and the start of its session.

use std::collections::{BTreeSet, VecDeque};

use super::{
    Lost, Uploads,
    plan::plan_uploads,
    session::{Upload, UploadFile},
};
use crate::{
    hash::Content,
    path::{PathKey, RelPath},
    schedule::Plan,
    server::{Event, Output, context::Context, protocol_1::send_files},
    transfer::{RequestedFile, UploadStream},
    union::PeerId,
    wire::messages::{Message, Role, SyncId, SyncOffer},
};

/// A file of the plan: its key and its content.
type File = (PathKey, Content);

/// An upload that is about to be requested.
#[derive(Debug)]
pub(in crate::server) struct NewUpload {
    source: PeerId,
    files: Vec<UploadFile>,
    in_order: bool,
    requested: Vec<RequestedFile>,
    /// Contents that come again from their beginning. Cancel the downloads that read the earlier bytes first.
    pub(in crate::server) restarted: Vec<Lost>,
}

/// One round of requests to all free sources.
#[derive(Debug)]
pub(in crate::server) struct Pass {
    plan: Plan,
    sources: VecDeque<PeerId>,
    /// Sources that are free and have nothing left to do.
    idle: Vec<PeerId>,
}

impl Uploads {
    /// Begins a round of requests, unless they are paused.
    pub(in crate::server) fn begin_pass(&mut self, cx: &Context) -> Option<Pass> {
        if self.paused_until > cx.now {
            return None;
        }
        let plan = self.plan.take().unwrap_or_else(|| plan_uploads(cx));
        Some(Pass { plan, sources: cx.peers.ids().into(), idle: Vec::new() })
    }

    /// Returns the next upload to [open](Self::open). `downloads_open` is the number of open downloads.
    pub(in crate::server) fn poll_upload(
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
            let Some(files) = pass.plan.get_mut(&source).and_then(VecDeque::pop_front) else {
                pass.idle.push(source);
                pass.sources.pop_front();
                continue;
            };
            let (files, later) = fitting(cx, files);
            if !later.is_empty() {
                // There is no room for more, also not for smaller files of the same source: large files would never come.
                pass.plan.entry(source).or_default().push_front(later);
                pass.sources.pop_front();
            }
            let upload = prepare(cx, source, &files);
            if upload.is_some() {
                return upload;
            }
        }
        None
    }

    /// Ends a round of requests.
    pub(in crate::server) fn end_pass(&mut self, cx: &mut Context, mut pass: Pass) {
        pass.plan.retain(|_, sessions| !sessions.is_empty());
        // A source that has nothing left to do may take over from another one.
        let spread = pass.idle.iter().any(|source| could_help(cx, *source, &pass.plan));
        self.plan = (!spread).then_some(pass.plan);
        // Contents that were removed to make room are in no plan, so that is no reason to make another one.
        cx.dirty.plan = false;
    }

    fn is_free(&self, cx: &Context, source: PeerId, downloads_open: usize) -> bool {
        let open = self.len() + downloads_open < cx.config.sessions_max;
        let Some(peer) = cx.peers.get(source).filter(|_| open) else { return false };
        let open = peer.sessions.uploads.iter();
        let bytes = open.map(|sync_id| self.sessions.get(sync_id).map_or(0, Upload::bytes));
        peer.has_room(bytes, &cx.config)
    }

    /// Requests files from a source. Returns their contents, which can be offered now.
    pub(in crate::server) fn open(
        &mut self,
        cx: &mut Context,
        upload: NewUpload,
    ) -> BTreeSet<Content> {
        let NewUpload { source, files, in_order, requested, .. } = upload;
        let sync_id = cx.new_sync_id();
        let Some(peer) = cx.peers.get_mut(source) else { return BTreeSet::new() };
        peer.sessions.uploads.insert(sync_id.clone());
        let name = peer.identity.name.clone();
        send_offer(cx, &sync_id, source);
        let request = send_files(sync_id.clone(), &requested, in_order);
        let stream = UploadStream::new(requested, cx.now);
        // Before the request, so that the first bytes of the source find their stream.
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
            deadline: cx.now + cx.config.timeouts.first_file,
            began_at: cx.now,
            bytes_passed: 0,
        };
        self.sessions.insert(sync_id, upload);
        contents
    }
}

/// Returns whether a source has something that another one would upload last.
fn could_help(cx: &Context, source: PeerId, plan: &Plan) -> bool {
    // A source with one session left begins it next, so there is nothing to take over.
    let last = plan.values().filter(|sessions| sessions.len() > 1).filter_map(VecDeque::back);
    // One file stands for its session: at worst, another plan gains nothing.
    let mut contents = last.filter_map(|files| Some(files.first()?.1));
    contents.any(|content| {
        let mut willing = cx.router().willing(content);
        willing.any(|holder| holder == source)
    })
}

/// Splits files into those that there is room for and those that have to wait for room. Leaves out contents that the store
/// has by now, or is getting.
fn fitting(cx: &mut Context, files: Vec<File>) -> (Vec<File>, Vec<File>) {
    let (mut now, mut later, mut bytes) = (Vec::new(), Vec::new(), 0);
    for (key, content) in files {
        if !cx.store.can_begin(content) {
            continue;
        }
        let more = if cx.store.has(content) { 0 } else { content.size };
        // The first may be larger than all the room there is; what comes with it must fit.
        let fits = later.is_empty() && cx.find_room(bytes + more);
        if fits && (now.is_empty() || cx.is_within(bytes + more)) {
            bytes += more;
            now.push((key, content));
        } else {
            later.push((key, content));
        }
    }
    (now, later)
}

/// Prepares to request files from a source. Returns `None` if the source has none of them any more.
fn prepare(cx: &mut Context, source: PeerId, files: &[File]) -> Option<NewUpload> {
    let now = cx.now;
    let peer = cx.peers.get_mut(source)?;
    let in_order = peer.identity.protocol.sends_in_order();
    let union = cx.league.union();
    let planned = files.iter().map(|(_, content)| *content);
    let (mut files, mut requested, mut restarted) = (Vec::new(), Vec::new(), Vec::new());
    for content in planned {
        if !cx.store.can_begin(content) {
            continue;
        }
        // The source may have the content under several names and have failed with one of them.
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
        // Marked at once: the next file of this request may have the same content under another name.
        cx.store.begin(content);
        requested.push(RequestedFile { name, content, transfer, from });
        files.push(UploadFile { path, content, pending: true, resumed: from > 0 });
    }
    if files.is_empty() {
        return None;
    }
    let reason = "another source sends it from its beginning";
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
    };
    cx.transmit(source, Message::SyncOffer(offer));
}
