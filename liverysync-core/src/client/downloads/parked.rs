//! Stages that outlived their session, so that the next link need not bring the same bytes again.

use std::{collections::BTreeMap, mem};

use crate::{client::StageId, hash::Content};

/// Most stages to keep. The disk of a PC whose link breaks again and again must not fill up with them.
const PARKED_MAX: usize = 64;

/// Stages by the content that they are to hold.
#[derive(Debug, Default)]
pub(super) struct ParkedStages {
    stages: BTreeMap<Content, ParkedStage>,
}

/// A stage without a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParkedStage {
    pub(super) stage: StageId,
    pub(super) progress: ParkedProgress,
}

/// The progress of a parked stage.
#[derive(Clone, Copy, Debug)]
pub(super) enum ParkedProgress {
    /// The first bytes.
    Part(u64),
    /// All of it, verified.
    Whole,
}

impl ParkedStages {
    /// Keeps a stage. Gives it back if it is of no use.
    pub(super) fn add(&mut self, content: Content, parked: ParkedStage) -> Result<(), StageId> {
        let is_empty = matches!(parked.progress, ParkedProgress::Part(0));
        let is_full = self.stages.len() >= PARKED_MAX;
        if is_empty || is_full || self.stages.contains_key(&content) {
            return Err(parked.stage);
        }
        self.stages.insert(content, parked);
        Ok(())
    }

    pub(super) fn take(&mut self, content: Content) -> Option<ParkedStage> {
        self.stages.remove(&content)
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = StageId> + use<> {
        mem::take(&mut self.stages).into_values().map(|parked| parked.stage)
    }
}
