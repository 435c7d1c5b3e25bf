//! Uploads from their request to their end, whatever the source does on the way.

mod plan;
mod request;
mod session;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use self::session::{Upload, UploadFile};
use super::{Event, Output, context::Context};
use crate::{
    hash::{Content, ContentHash},
    path::fold,
    schedule::Plan,
    time::Time,
    transfer::{SourceFault, UploadEvent},
    union::PeerId,
    wire::messages::{ErrorReport, Fault, Message, SyncDoneAck, SyncId},
};

/// Pause of all requests after the store could not write a content: its disk may be full.
const STORE_PAUSE: Duration = Duration::from_secs(10);

/// A content whose downloads have to be cancelled, and the reason.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) content: Content,
    pub(super) reason: &'static str,
}

/// The sessions in which sources send files into the store, and the plan of the next ones.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    sessions: BTreeMap<SyncId, Upload>,
    /// The plan of uploads; `None` if it has to be worked out.
    plan: Option<Plan>,
    /// No requests before this time.
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

    // ---- progress -------------------------------------------------------------------------------

    /// Handles the progress of an upload. Returns the content that is lost by it, if any. Cancel its downloads, then call
    /// [`end_if_over`](Self::end_if_over).
    pub(super) fn handle_event(
        &mut self,
        cx: &mut Context,
        source: PeerId,
        sync_id: &SyncId,
        event: UploadEvent,
    ) -> Option<Lost> {
        let now = cx.now;
        let stall_timeout = cx.config.timeouts.stall;
        // File data does not pass through this machine, so its progress is what shows that the source is alive.
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
                // The best rate counts: slower ones may be due to other sessions on the same line.
                if let Some(peer) = cx.peers.get_mut(source) {
                    peer.upload_rate = peer.upload_rate.max(rate);
                }
                None
            }
            UploadEvent::Stored(index, facts) => {
                let file = upload.pending_mut(index)?;
                file.pending = false;
                cx.store.mark_inspected(file.content, facts);
                cx.mark_stored(file.content);
                None
            }
            UploadEvent::Faulted(index, fault) => {
                let file = upload.pending_mut(index)?;
                let (content, reason) = if file.resumed {
                    // The wrong bytes may be those that the store had before, so the source is not to blame.
                    file.pending = false;
                    (file.content, "it has to be sent again from its beginning")
                } else {
                    let content = self.record_failure(cx, sync_id, index, fault)?;
                    (content, "its source sent wrong data")
                };
                Some(discard(cx, content, reason))
            }
            UploadEvent::Unkept(index, reason) => {
                let file = upload.pending_mut(index)?;
                file.pending = false;
                let content = file.content;
                cx.event(Event::StoreFault { content: content.hash, reason });
                // Every other upload would fail for the same reason, and cost its source the transfer.
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

    /// Handles an error that a source reports about one of its uploads. Returns the content that is lost by it, if any.
    /// Cancel its downloads, then call [`end_if_over`](Self::end_if_over).
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
        // Only a source that could not read the file may have it later. Any other fault, known or not, means that its
        // manifest is wrong.
        let fault = if report.fault == Some(Fault::Failed) {
            SourceFault::Unreadable
        } else {
            SourceFault::OtherContent
        };
        let content = self.record_failure(cx, &report.sync_id, index, fault)?;
        Some(discard(cx, content, "its source cannot send it"))
    }

    /// Handles the store's report of how much has come of an upload that ended early. Returns the content if nobody can
    /// send the rest.
    pub(super) fn handle_closed(&mut self, cx: &mut Context, hash: ContentHash) -> Option<Lost> {
        cx.dirty.plan = true;
        cx.dirty.schedule();
        let content = cx.store.content(hash)?;
        // Downloads that read it may wait for another source, but not for one that does not exist.
        let union = cx.league.union();
        let is_wanted = union.with_content(content).next().is_some() || union.is_awaited(content);
        let has_source = cx.router().willing(content).next().is_some();
        let reason = "nobody who has it is connected any more";
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

    // ---- closing sessions -----------------------------------------------------------------------

    /// Ends the `sessions` of a source that has disconnected.
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
        // A Python client skips a file that it does not have without a word. So silence counts as that, and the file is
        // requested from somebody else.
        let mut left = Vec::new();
        for index in pending {
            left.extend(self.record_failure(cx, sync_id, index, SourceFault::Skipped));
        }
        self.end(cx, sync_id, &left);
    }

    /// Ends an upload whose source has nothing more to send.
    pub(super) fn end_if_over(&mut self, cx: &mut Context, sync_id: &SyncId) {
        if self.sessions.get(sync_id).is_some_and(Upload::is_over) {
            self.end(cx, sync_id, &[]);
        }
    }

    /// Ends an upload. The contents that are `left` can be resumed from the bytes that came.
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
        let until = cx.now + cx.config.timeouts.stall;
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

    // ---- outlook --------------------------------------------------------------------------------

    /// Returns how many files each source has yet to send so that the store has all of the union: those that are
    /// requested, and those that will be as soon as the source is free.
    pub(super) fn needed_for_archive(&self, cx: &Context) -> BTreeMap<PeerId, u64> {
        let mut needed: BTreeMap<_, u64> = BTreeMap::new();
        for upload in self.sessions.values() {
            let pending = upload.files.iter().filter(|file| file.pending).count();
            *needed.entry(upload.source).or_default() += pending as u64;
        }
        for (source, sessions) in self.plan.iter().flatten() {
            for files in sessions {
                // A source must not wait for the archive to take what it has no space for.
                let fits = files.iter().filter(|(_, content)| cx.is_within(content.size)).count();
                *needed.entry(*source).or_default() += fits as u64;
            }
        }
        needed.retain(|_, files| *files > 0);
        needed
    }
}

/// Removes the bytes of a content that have come, because they are of no use.
fn discard(cx: &mut Context, content: Content, reason: &'static str) -> Lost {
    cx.output(Output::Remove(content.hash));
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
