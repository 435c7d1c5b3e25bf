//! One session: some files on their way from one source to one target.

use crate::{
    hash::Content,
    path::{PathKey, RelPath},
    time::Time,
    union::MemberId,
};

/// Where a file of a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Asked of the source, or of the target's own disk.
    Asked,
    /// It has passed to the target.
    Delivered,
    /// The target holds it.
    Installed,
    /// It will not arrive in this session.
    Failed,
}

#[derive(Debug)]
pub(super) struct SessionFile {
    /// In the union.
    pub(super) path: RelPath,
    pub(super) content: Content,
    /// The source's key for it.
    pub(super) source_key: PathKey,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) struct Session {
    /// `None` where the target copies on its own PC.
    pub(super) source: Option<MemberId>,
    pub(super) target: MemberId,
    pub(super) files: Vec<SessionFile>,
    /// When it is given up unless something happens.
    pub(super) deadline: Time,
    pub(super) began_at: Time,
    pub(super) bytes_passed: u64,
    /// The target of protocol 1 has said that it is done after all had been sent.
    pub(super) done_heard: bool,
}

impl Session {
    /// Whether the source owes nothing more.
    pub(super) fn is_sent(&self) -> bool {
        self.files.iter().all(|file| file.state != State::Asked)
    }

    /// Whether the target owes nothing more.
    pub(super) fn is_settled(&self) -> bool {
        self.files.iter().all(|file| matches!(file.state, State::Installed | State::Failed))
    }

    pub(super) fn count(&self, state: State) -> usize {
        self.files.iter().filter(|file| file.state == state).count()
    }

    pub(super) fn find(&self, path: &str) -> Option<usize> {
        self.files.iter().position(|file| file.path.as_str() == path)
    }
}
