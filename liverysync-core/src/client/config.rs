//! The settings of a client.

use std::time::Duration;

use super::{LiveryGlobs, Role};
use crate::{
    conflict::Naming,
    identity::Keys,
    lint::LintRules,
    select::Rules,
    text::{InvalidText, NAME_CHARS_MAX, limit_name},
};

/// The settings of a client.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The driver's name for this PC. At most 64 characters are used.
    pub name: String,
    /// A label, never a credential. Default `UNKNOWN`.
    pub steam_id: String,
    /// Identify the driver to the server.
    pub keys: Keys,
    /// Chooses the files that are published and accepted.
    pub rules: Rules,
    /// The league's rules, by which findings about the liveries of this PC are made.
    pub lint_rules: LintRules,
    /// Liveries that are neither published nor accepted. [`Input::Ignore`](super::Input::Ignore) changes the list.
    pub ignored: LiveryGlobs,
    /// Liveries that may be published although the league does not have them. [`Input::Share`](super::Input::Share)
    /// changes the list. What the league has syncs in any case. `None` if the driver has not chosen: then all are, unless
    /// they are more than 10, which wait until they choose.
    pub share: Option<LiveryGlobs>,
    /// The only role that this PC takes, if any: a [target](Role::Target) publishes nothing of its own, and a
    /// [source](Role::Source) downloads nothing.
    pub only: Option<Role>,
    /// The form of conflict names on a server of protocol 1, which does not say. On protocol 2 the league's counts.
    pub naming: Naming,
    /// The time that a file must not have changed before it is published. The rest of its livery waits for it, for at
    /// most 10 s. Default 300 ms.
    pub settle: Duration,
    /// The time between two scans of the folder if nothing seems to change. Default 60 s.
    pub rescan: Duration,
    /// First wait before connecting again, doubled each time. Default 1 s.
    pub retry_first: Duration,
    /// Longest wait before connecting again. Default 30 s.
    pub retry_cap: Duration,
    /// The time between two pings. Default 30 s.
    pub ping: Duration,
    /// Longest silence of a server. After it the link counts as dead. Default 90 s.
    pub silence_timeout: Duration,
    /// Longest wait for a file from a server of protocol 1, which waits forever itself. Default 60 s.
    pub stall_timeout: Duration,
    /// Makes the client report what it would do, and change nothing.
    pub dry_run: bool,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            steam_id: "UNKNOWN".to_owned(),
            keys: Keys::default(),
            rules: Rules::default(),
            lint_rules: LintRules::default(),
            ignored: LiveryGlobs::default(),
            share: None,
            only: None,
            naming: Naming::default(),
            // Editors and copies write a file in several steps, with short breaks.
            settle: Duration::from_millis(300),
            // The watch on the folder may miss changes, on a network drive for example.
            rescan: Duration::from_secs(60),
            retry_first: Duration::from_secs(1),
            retry_cap: Duration::from_secs(30),
            ping: Duration::from_secs(30),
            silence_timeout: Duration::from_secs(90),
            stall_timeout: Duration::from_secs(60),
            dry_run: false,
        }
    }
}

impl ClientConfig {
    /// Checks a driver's name for their PC, and returns it without the blanks around it.
    ///
    /// # Errors
    ///
    /// Refuses a name that is empty or has more than 64 characters.
    pub fn check_name(name: &str) -> Result<&str, InvalidText> {
        let name = name.trim();
        let fits = !name.is_empty() && limit_name(name) == name;
        let invalid = || InvalidText::new(format!("a name has 1 to {NAME_CHARS_MAX} characters"));
        fits.then_some(name).ok_or_else(invalid)
    }

    /// Makes the values fit together: a ping comes in time for its answer to break the silence, and the longest wait is no
    /// shorter than the first.
    pub(super) fn fitted(mut self) -> Self {
        self.ping = self.ping.min(self.silence_timeout / 3);
        self.retry_cap = self.retry_cap.max(self.retry_first);
        self
    }
}
