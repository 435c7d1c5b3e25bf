//! Shares: long checks run a part of their rounds. Which part depends on the commit's hash.

use std::fmt;

use xtask::process::read_quietly;
use xtask::workspace::Workspace;

/// The variable that tells tests their share, such as `2/4`. Without it they run all their rounds.
///
/// `tests/share/mod.rs` reads it.
pub(crate) const VARIABLE: &str = "LIVERYSYNC_TEST_SHARE";

/// The number of shares.
const SHARES: u64 = 2;

/// The part of the rounds that long checks run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Share {
    /// From 1 to `of`.
    number: u64,
    of: u64,
}

impl Share {
    /// All rounds.
    pub(crate) const ALL: Self = Self { number: 1, of: 1 };

    /// Returns the share of the commit that is checked out. Its hash chooses, so a commit has the same one everywhere.
    pub(crate) fn of_commit(workspace: &Workspace) -> Self {
        let mut git = workspace.command("git");
        git.args(["rev-parse", "HEAD"]);
        Self::of_hash(&read_quietly(git).unwrap_or_default())
    }

    fn of_hash(hash: &str) -> Self {
        let start = hash.get(..8).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        Self { number: start.unwrap_or_default() % SHARES + 1, of: SHARES }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_hash_chooses() {
        let share = |hash: &str| Share::of_hash(hash).to_string();
        assert_eq!(share("00000000ffffffff"), "1/2");
        assert_eq!(share("00000001ffffffff"), "2/2");
        assert_eq!(share("no commit"), "1/2");
    }

    #[test]
    fn every_share_is_that_of_some_commit() {
        let shares: BTreeSet<_> = (0..SHARES)
            .map(|number| Share::of_hash(&format!("{number:08x}")).to_string())
            .collect();
        let expected = (1..=SHARES).map(|number| format!("{number}/{SHARES}"));
        assert!(shares.into_iter().eq(expected));
        assert_eq!(Share::ALL.to_string(), "1/1", "all rounds are one share");
    }
}
