//! Lint: the consequences of breaking a league's rules for liveries.

/// The consequences of breaking the [rules](crate::lint::LintRules) of a league.
// Programs see it as the value of a setting.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lint {
    /// None: the server judges nothing.
    #[default]
    Off,
    /// The server and the driver's client warn.
    Warn,
    /// They warn, and the change waits until an admin approves it or its driver mends it.
    Hold,
}

impl Lint {
    /// Every choice with its word in options and files.
    pub(super) const WORDS: [(&'static str, Self); 3] =
        [("off", Self::Off), ("warn", Self::Warn), ("hold", Self::Hold)];
}
