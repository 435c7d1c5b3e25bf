//! The configuration of a server.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    conflict::Naming,
    league::{Setting, Settings, Updates},
    select::Rules,
    wire::list::SESSION_FILES_MAX,
};

/// The configuration of a [`ServerMachine`](super::ServerMachine).
///
/// No peer can change a limit. Start from `ServerConfig::default()` and assign fields: later versions may have more.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Most files of one session. More files need fewer round trips, and a broken connection loses more. More than
    /// 1,000 count as 1,000. Default: 50.
    pub session_files_max: usize,
    /// Most sessions at a time in which one client uploads, and again downloads. A Python client takes part in one. Small
    /// sessions may be up to 24, as long as they have no more than 8 MiB together. Default: 4.
    pub client_sessions_max: usize,
    /// Most sessions at a time of all clients. Default: 1,024.
    pub sessions_max: usize,
    /// Disk space for contents that are kept for later drivers, in bytes; 0 keeps a content only while a connected client
    /// needs it. Default: 8 GiB.
    pub store_bytes_max: u64,
    /// Disk space for contents that are being passed on, in bytes; a single larger file is passed on, too. Default: 1 GiB.
    pub spool_bytes_max: u64,
    /// Time after which a Python client is asked for its manifest again, because it does not report changes. Default:
    /// 15 s.
    pub manifest_stale: Duration,
    /// Time between two looks for work that no input announces. Default: 1 s.
    pub scheduler_tick: Duration,
    /// Time in which reports are gathered before the union takes them in with one step. Default: 20 ms.
    pub merge_window: Duration,
    /// Uploads the whole union to the store, as far as it has space, even files that no client misses. Then a driver
    /// gets everything, whoever is connected. Default: false. [`ServerConfig::with_storage`] sets it.
    pub archive: bool,
    /// The settings of a league that begins now. Its extensions are those of `rules`.
    pub settings: Settings,
    /// Settings among `settings` and the extensions of `rules` that the host was told and did not take from the defaults. A
    /// league that has a database keeps its own settings; the server says which of these differ. In a league whose database is
    /// new, only owners may update, unless `updates` is among these.
    pub settings_given: BTreeSet<Setting>,
    /// The rules for files that may join the union.
    pub rules: Rules,
    /// The longest times that the server waits for a client: `hello` for HELLO (default: 10 s), `silence` between messages
    /// (90 s), `first_file` from a request to the first file (60 s), and `stall` in a session without progress (30 s).
    pub timeouts: Timeouts,
}

/// The longest times that a server waits for a client.
// It is on the page of `ServerConfig`: its field names the timeouts.
#[cfg_attr(not(liverysync_listing), doc(hidden))]
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Timeouts {
    /// Longest time of a connection without HELLO. Default: 10 s.
    pub hello: Duration,
    /// Longest silence of a client. Default: 90 s.
    pub silence: Duration,
    /// Longest time from a request to the first file: a Python client reads its folder before. Default: 60 s.
    pub first_file: Duration,
    /// Longest time of a session without progress. Default: 30 s.
    pub stall: Duration,
}

impl ServerConfig {
    /// Returns the configuration for a server whose data outlives it (`is_kept`), or does not.
    ///
    /// A server that keeps the league's data keeps all of it: it [archives](Self::archive).
    ///
    /// Returns `None` for a server that only lets owners update, and would forget the owners when it stops. Whoever came
    /// first after that would own what another member made.
    #[must_use]
    pub fn with_storage(self, is_kept: bool) -> Option<Self> {
        let remembers_owners = is_kept || self.settings.updates != Updates::Owner;
        remembers_owners.then_some(Self { archive: is_kept, ..self })
    }
}

impl ServerConfig {
    /// Returns the settings of a league that begins with this configuration.
    #[must_use]
    pub fn initial_settings(&self) -> Settings {
        // A host that only sets rules must not lose their extensions to the defaults of the naming.
        let extensions = self.rules.extensions.clone();
        let naming = Naming { extensions, ..self.settings.naming.clone() };
        Settings { naming, ..self.settings.clone() }
    }

    /// Returns the most files of a session. Clients refuse longer offers.
    pub(super) fn session_files(&self) -> usize {
        self.session_files_max.min(SESSION_FILES_MAX)
    }

    /// Takes over the settings of a league.
    pub(super) fn adopt(&mut self, settings: &Settings) {
        self.settings = settings.clone();
        self.rules.extensions = settings.naming.extensions.clone();
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            session_files_max: 50,
            client_sessions_max: 4,
            sessions_max: 1024,
            store_bytes_max: 8 << 30,
            spool_bytes_max: 1 << 30,
            manifest_stale: Duration::from_secs(15),
            // Every wait that it looks after lasts several seconds.
            scheduler_tick: Duration::from_secs(1),
            // Nobody notices 20 ms, and reports that come together take one step.
            merge_window: Duration::from_millis(20),
            archive: false,
            settings: Settings::default(),
            settings_given: BTreeSet::new(),
            rules: Rules::default(),
            timeouts: Timeouts::default(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(10),
            // A client pings every 30 s, so two pings may be late.
            silence: Duration::from_secs(90),
            // A Python source scans its folder before it sends.
            first_file: Duration::from_secs(60),
            stall: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Extensions;

    #[test]
    fn the_extensions_of_the_rules_are_those_of_a_new_league() {
        let mut config = ServerConfig::default();
        config.rules.extensions = Extensions::from_list(["png", "webp"]).unwrap();
        let settings = config.initial_settings();
        assert_eq!(settings.value(Setting::Extensions), "png,webp");
        config.adopt(&settings);
        assert_eq!(config.rules.extensions, settings.naming.extensions);
    }

    #[test]
    fn a_server_that_keeps_data_archives() {
        let archives = |is_kept| ServerConfig::default().with_storage(is_kept).unwrap().archive;
        assert_eq!([archives(true), archives(false)], [true, false]);
    }

    #[test]
    fn owners_need_data() {
        let mut owners = ServerConfig::default();
        owners.settings.updates = Updates::Owner;
        assert!(owners.clone().with_storage(false).is_none());
        assert!(owners.with_storage(true).is_some());
    }
}
