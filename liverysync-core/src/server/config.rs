//! The configuration of a server.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    conflict::{Naming, Policy},
    league::{Setting, Settings, Updates},
    select::Rules,
    text::NAME_CHARS_MAX,
};

/// How a server behaves. Every limit is one that a peer cannot set.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Most files of one session. More makes fewer round trips, and a broken link loses more. Default 50.
    pub files_per_session_max: usize,
    /// Most sessions that one client of ours takes part in at a time, as a source and again as a target; a
    /// client of protocol 1 takes part in one. There may be up to 24 as long as they have no more than 8 MiB. Default 4.
    pub sessions_per_client_max: usize,
    /// Most sessions at a time in all. Default 1,024.
    pub sessions_max: usize,
    /// How many bytes the store may keep for those who come later; 0 keeps nothing longer than somebody
    /// waits for it. Default 8 GiB.
    pub store_bytes_max: u64,
    /// How many bytes may be in the store or on their way there in any case, but for a single file that is
    /// larger. Default 1 GiB.
    pub spool_bytes_max: u64,
    /// After how long a client that does not report changes by itself is asked for its manifest. Default 15 s.
    pub manifest_stale: Duration,
    /// How often the scheduler looks for work that nothing else told it of. Default 1 s.
    pub scheduler_tick: Duration,
    /// For how long manifests are gathered before they are merged in one step. Default 20 ms.
    pub merge_window: Duration,
    /// How conflict names are made.
    pub naming: Naming,
    /// Who keeps a name that several claim at once.
    pub policy: Policy,
    /// Whether the store is to have all of the union, as far as it may keep it, also what nobody lacks: then
    /// whoever comes gets everything, whoever is there. Default: no.
    pub archive: bool,
    /// Who may change what is established. Default: anyone.
    pub updates: Updates,
    /// Settings among `naming`, `policy`, `updates` and the extensions of `rules` that the host was told and did not take
    /// from the defaults. A league that has a database keeps its own settings; the server says which of these differ.
    pub settings_given: BTreeSet<Setting>,
    /// What may join the union.
    pub rules: Rules,
    /// How long a link may last without HELLO. Default 10 s.
    pub hello_timeout: Duration,
    /// How long a link may be silent. Default 90 s.
    pub silence_timeout: Duration,
    /// How long a source may take until its first file: it may look through its folder first. Default 60 s.
    pub first_file_timeout: Duration,
    /// How long a session may go without progress. Default 30 s.
    pub stall_timeout: Duration,
    /// Longest client name, in characters; the rest is cut off. Default 64.
    pub name_chars_max: usize,
}

impl ServerConfig {
    /// Returns the settings of a league that begins with this configuration.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings::new(self.naming.clone(), self.policy, self.updates)
    }

    /// Takes over the settings of a league.
    pub(super) fn adopt(&mut self, settings: &Settings) {
        self.naming = settings.naming.clone();
        self.policy = settings.policy;
        self.updates = settings.updates;
        self.rules.extensions = settings.naming.extensions.clone();
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            files_per_session_max: 50,
            sessions_per_client_max: 4,
            sessions_max: 1024,
            store_bytes_max: 8 << 30,
            spool_bytes_max: 1 << 30,
            manifest_stale: Duration::from_secs(15),
            scheduler_tick: Duration::from_secs(1),
            merge_window: Duration::from_millis(20),
            naming: Naming::default(),
            policy: Policy::default(),
            archive: false,
            updates: Updates::default(),
            settings_given: BTreeSet::new(),
            rules: Rules::default(),
            hello_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(90),
            first_file_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(30),
            name_chars_max: NAME_CHARS_MAX,
        }
    }
}
