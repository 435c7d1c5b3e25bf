//! When people are told that a list they edit cannot be read.

/// The readings in a row that fail before people are told. Somebody may just be saving the file.
const FAILURES_TOLD: u32 = 2;

/// The readings of a list that have failed, in a row.
#[derive(Debug, Default)]
pub(crate) struct ListFaults(u32);

impl ListFaults {
    /// Handles a reading that succeeded.
    pub(crate) const fn clear(&mut self) {
        self.0 = 0;
    }

    /// Handles a reading that failed. Returns whether to tell people, which is once until a reading succeeds.
    pub(crate) const fn add(&mut self) -> bool {
        self.0 = self.0.saturating_add(1);
        self.0 == FAILURES_TOLD
    }
}
