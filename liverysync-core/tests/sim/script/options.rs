//! The decisions of a seed before the first step.

use liverysync_core::conflict::Policy;

use crate::rng::Rng;

/// The decisions of the seed before the first step.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) new: u64,
    pub(crate) old: u64,
    pub(crate) liars: u64,
    /// An old server: `Some(true)` is the later generation.
    pub(crate) old_server: Option<bool>,
    pub(crate) policy: Policy,
    /// Chance in percent that a PC's disk does not tell cases apart.
    pub(crate) insensitive: u64,
    pub(crate) big_files: bool,
    /// Some files are damaged.
    pub(crate) damage: bool,
    pub(crate) variants: bool,
    pub(crate) collisions: bool,
    pub(crate) slow_links: bool,
    pub(crate) cuts: bool,
    pub(crate) partitions: bool,
    pub(crate) crashes: bool,
    pub(crate) offline: bool,
    pub(crate) disk_faults: bool,
    pub(crate) server_restarts: bool,
    /// True if the server has a data folder.
    pub(crate) remembers: bool,
    pub(crate) archive: bool,
    pub(crate) owners_only: bool,
    pub(crate) whole_liveries: bool,
    pub(crate) allow_lists: bool,
    /// True if an admin approves, rejects and freezes.
    pub(crate) holds: bool,
    /// True if two PCs are those of one driver.
    pub(crate) pairs: bool,
    /// True if drivers come back with other keys, and an admin merges members.
    pub(crate) regroups: bool,
    /// True if drivers choose what they share and whether they only send or receive, and members are banned.
    pub(crate) chooses: bool,
    /// True if an admin retires, restores, renames and resolves.
    pub(crate) administers: bool,
    pub(crate) files_at_start: u64,
    pub(crate) acts: u64,
    pub(crate) seconds: u64,
    pub(crate) long_rest: bool,
}

impl Options {
    pub(crate) fn of(rng: &mut Rng) -> Self {
        let old_server = rng.percent(12).then(|| rng.percent(60));
        let calm = rng.percent(15);
        let fault = |rng: &mut Rng, chance| !calm && rng.percent(chance);
        let mut options = Self {
            new: rng.range(2, 5),
            // The first server asks its clients for rivals by names that they do not have, and they say
            // nothing, so they never come to rest.
            old: if old_server != Some(false) && rng.percent(40) { rng.range(1, 2) } else { 0 },
            liars: if old_server.is_none() && rng.percent(30) { rng.range(1, 2) } else { 0 },
            old_server,
            policy: *rng.pick(&[
                Policy::Established,
                Policy::Established,
                Policy::LowestHash,
                Policy::NewestMtime,
            ]),
            insensitive: *rng.pick(&[0, 50, 100]),
            big_files: rng.percent(12),
            damage: rng.percent(25),
            variants: old_server.is_none() && rng.percent(50),
            collisions: false,
            slow_links: rng.percent(25),
            cuts: old_server != Some(false) && fault(rng, 50),
            partitions: old_server != Some(false) && fault(rng, 25),
            crashes: old_server != Some(false) && fault(rng, 40),
            offline: old_server != Some(false) && fault(rng, 40),
            disk_faults: fault(rng, 40),
            server_restarts: fault(rng, 30),
            remembers: rng.percent(70),
            archive: rng.percent(50),
            owners_only: rng.percent(20),
            whole_liveries: false,
            allow_lists: old_server.is_none() && rng.percent(15),
            holds: false,
            pairs: false,
            regroups: false,
            chooses: false,
            administers: old_server.is_none() && rng.percent(30),
            files_at_start: *rng.pick(&[0, 3, 8, 20]),
            acts: rng.range(0, 40),
            seconds: *rng.pick(&[10, 60, 200]),
            long_rest: rng.percent(20),
        };
        // An old client dies of a file where it needs a folder, and does not list all that it has.
        options.collisions = options.old == 0 && old_server.is_none() && rng.percent(35);
        options
    }
}
