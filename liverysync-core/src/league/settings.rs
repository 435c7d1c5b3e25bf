//! A league's settings: the few rules that hold for everybody and outlive every run of the server.
//!
//! The first server that runs on a data folder writes them down. From then on the league database counts, and only an
//! administrator changes them ([`Act::Set`](super::Act::Set)).

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Freezes, HoldCause, HoldReason, Lint, Updates};
use crate::{
    conflict::{Naming, Policy, Scope, invalid_suffix},
    lint::LintRules,
    path::Extensions,
};

/// The name of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Setting {
    /// Text between the name and the digits of a conflict name.
    ConflictSuffix,
    /// Scope of a conflict: a [file or a whole livery](Scope).
    ConflictScope,
    /// Rule for a name that several members bring at once: a [policy](Policy).
    ConflictPolicy,
    /// Types of files that the league distributes, separated by commas.
    Extensions,
    /// Members who [may change](Updates) a livery.
    Updates,
    /// With `on`, an admin approves every new or changed livery before others get it; with `off`, nobody has to.
    Approval,
    /// Liveries that do not change for now: a line for each glob, with a tab and a date if it ends by itself.
    Frozen,
    /// Most liveries of one member; `none` for any number.
    MaxLiveriesPerMember,
    /// Most bytes of one member's files; `none` for any number.
    MaxBytesPerMember,
    /// Most bytes of one livery; `none` for any number.
    MaxBytesPerLivery,
    /// Consequences of breaking [`LintRules`](Self::LintRules): `off`, `warn` or [`hold`](Lint::Hold).
    Lint,
    /// The league's [rules](LintRules) for liveries, as [JSON](LintRules::to_json); `default` for what the game needs.
    LintRules,
}

/// The word for a limit that is not set.
const NO_LIMIT: &str = "none";

/// The word for rules that no league has set.
const DEFAULT_RULES: &str = "default";

/// Values of [`Setting::Approval`].
const SWITCH: [(&str, bool); 2] = [("off", false), ("on", true)];

impl Setting {
    /// Every setting with the word that people and files use for it.
    pub const WORDS: [(&'static str, Self); 12] = [
        ("conflict-suffix", Self::ConflictSuffix),
        ("conflict-scope", Self::ConflictScope),
        ("conflict-policy", Self::ConflictPolicy),
        ("extensions", Self::Extensions),
        ("updates", Self::Updates),
        ("approval", Self::Approval),
        ("frozen", Self::Frozen),
        ("max-liveries-per-member", Self::MaxLiveriesPerMember),
        ("max-bytes-per-member", Self::MaxBytesPerMember),
        ("max-bytes-per-livery", Self::MaxBytesPerLivery),
        ("lint", Self::Lint),
        ("lint-rules", Self::LintRules),
    ];

    /// Returns every setting, in the order in which they are shown.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::WORDS.into_iter().map(|(_, setting)| setting)
    }

    /// Returns the word for it, such as `conflict-scope`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        word(&Self::WORDS, self)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Setting {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        let known = Self::WORDS.into_iter().find(|(word, _)| *word == text);
        known
            .map(|(_, setting)| setting)
            .ok_or_else(|| InvalidSetting::Unknown { setting: text.to_owned() })
    }
}

/// The settings of a league.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Naming of conflict copies, and the types of files that the league distributes.
    pub naming: Naming,
    /// Rule for a name that several members bring at once.
    pub policy: Policy,
    /// Members who may change a livery.
    pub updates: Updates,
    /// Set if an admin approves every new or changed livery before others get it.
    pub approval: bool,
    /// The liveries that do not change for now.
    #[doc(hidden)]
    pub frozen: Freezes,
    /// The most that members may bring.
    #[doc(hidden)]
    pub limits: MemberLimits,
    /// Consequences of breaking the rules for liveries.
    #[doc(hidden)]
    pub lint: Lint,
    /// The rules for liveries.
    #[doc(hidden)]
    pub lint_rules: LintRules,
}

/// The most that members may bring to a league; `None` for any number.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberLimits {
    /// Liveries of one member.
    pub member_liveries: Option<u64>,
    /// Bytes of one member's files.
    pub member_bytes: Option<u64>,
    /// Bytes of one livery.
    pub livery_bytes: Option<u64>,
}

impl MemberLimits {
    /// Returns true if there is any limit.
    #[must_use]
    pub fn are_set(&self) -> bool {
        *self != Self::default()
    }

    /// Returns the first limit that is set.
    pub(crate) fn first(&self) -> Option<HoldCause> {
        let limits = [
            (HoldReason::MemberLiveries, self.member_liveries),
            (HoldReason::MemberBytes, self.member_bytes),
            (HoldReason::LiveryBytes, self.livery_bytes),
        ];
        let set = limits.into_iter().find(|(_, limit)| limit.is_some());
        set.map(|(reason, limit)| HoldCause { limit, ..HoldCause::new(reason) })
    }
}

impl Settings {
    /// Makes settings of their parts.
    #[must_use]
    pub fn new(naming: Naming, policy: Policy, updates: Updates) -> Self {
        Self { naming, policy, updates, ..Self::default() }
    }

    /// Returns the settings of a league that an admin creates: a livery in conflict is kept whole, and only owners update.
    ///
    /// A server that finds no league begins one whose names are those of the Python programs, file by file.
    #[must_use]
    pub fn of_new_league() -> Self {
        let mut settings = Self::default();
        settings.naming.scope = Scope::Livery;
        settings.updates = Updates::Owner;
        settings
    }

    /// Changes a setting.
    ///
    /// A former conflict suffix stays known, so a change of suffix or scope affects new conflicts only.
    ///
    /// # Errors
    ///
    /// Fails if the value does not fit the setting. Nothing has changed then.
    pub fn set(&mut self, setting: Setting, value: &str) -> Result<(), InvalidSetting> {
        match setting {
            Setting::ConflictSuffix if value == self.naming.suffix => {}
            Setting::ConflictSuffix => self
                .naming
                .change_suffix(value)
                .map_err(|_| InvalidSetting::Suffix { suffix: value.to_owned() })?,
            Setting::ConflictScope => self.naming.scope = choice(&Scope::WORDS, setting, value)?,
            Setting::ConflictPolicy => self.policy = choice(&Policy::WORDS, setting, value)?,
            Setting::Extensions => self.naming.extensions = extensions(value)?,
            Setting::Updates => self.updates = choice(&Updates::WORDS, setting, value)?,
            Setting::Approval => self.approval = choice(&SWITCH, setting, value)?,
            Setting::Frozen => self.frozen = Freezes::parse(value)?,
            Setting::MaxLiveriesPerMember => {
                self.limits.member_liveries = limit(setting, value)?;
            }
            Setting::MaxBytesPerMember => self.limits.member_bytes = limit(setting, value)?,
            Setting::MaxBytesPerLivery => self.limits.livery_bytes = limit(setting, value)?,
            Setting::Lint => self.lint = choice(&Lint::WORDS, setting, value)?,
            Setting::LintRules => self.lint_rules = lint_rules(value)?,
        }
        Ok(())
    }

    /// Returns the value of a setting in the form that [`Settings::set`] takes.
    #[must_use]
    pub fn value(&self, setting: Setting) -> String {
        match setting {
            Setting::ConflictSuffix => self.naming.suffix.clone(),
            Setting::ConflictScope => word(&Scope::WORDS, self.naming.scope).to_owned(),
            Setting::ConflictPolicy => word(&Policy::WORDS, self.policy).to_owned(),
            Setting::Extensions => self.naming.extensions.to_string(),
            Setting::Updates => word(&Updates::WORDS, self.updates).to_owned(),
            Setting::Approval => word(&SWITCH, self.approval).to_owned(),
            Setting::Frozen => self.frozen.to_string(),
            Setting::MaxLiveriesPerMember => limit_text(self.limits.member_liveries),
            Setting::MaxBytesPerMember => limit_text(self.limits.member_bytes),
            Setting::MaxBytesPerLivery => limit_text(self.limits.livery_bytes),
            Setting::Lint => word(&Lint::WORDS, self.lint).to_owned(),
            Setting::LintRules if self.lint_rules == LintRules::default() => {
                DEFAULT_RULES.to_owned()
            }
            Setting::LintRules => self.lint_rules.to_json(),
        }
    }

    /// Returns those of `given` whose value differs from that in `other`, in order.
    #[must_use]
    pub fn differing(&self, other: &Self, given: &BTreeSet<Setting>) -> Vec<Setting> {
        let differs = |setting: &Setting| self.value(*setting) != other.value(*setting);
        given.iter().copied().filter(differs).collect()
    }
}

/// Reads a limit. No number means none, 0 least of all.
fn limit(setting: Setting, value: &str) -> Result<Option<u64>, InvalidSetting> {
    if value == NO_LIMIT {
        return Ok(None);
    }
    let number = value.parse().ok().filter(|number| *number > 0);
    number.map(Some).ok_or_else(|| InvalidSetting::Limit { setting, value: value.to_owned() })
}

fn limit_text(limit: Option<u64>) -> String {
    limit.map_or_else(|| NO_LIMIT.to_owned(), |limit| limit.to_string())
}

fn lint_rules(value: &str) -> Result<LintRules, InvalidSetting> {
    if value == DEFAULT_RULES {
        return Ok(LintRules::default());
    }
    LintRules::from_json(value).map_err(|reason| InvalidSetting::LintRules { reason })
}

fn extensions(value: &str) -> Result<Extensions, InvalidSetting> {
    let extensions = Extensions::read(value)
        .map_err(|part| InvalidSetting::Extension { extension: part.to_owned() })?;
    if extensions.is_empty() {
        return Err(InvalidSetting::NoExtensions);
    }
    Ok(extensions)
}

fn choice<T: Copy>(
    words: &[(&'static str, T)],
    setting: Setting,
    value: &str,
) -> Result<T, InvalidSetting> {
    let known = words.iter().find(|(word, _)| *word == value);
    known.map(|(_, choice)| *choice).ok_or_else(|| InvalidSetting::Choice {
        setting,
        value: value.to_owned(),
        choices: words.iter().map(|(word, _)| (*word).to_owned()).collect(),
    })
}

fn word<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

/// The reason why a setting cannot have a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum InvalidSetting {
    /// The value is none of the possible ones.
    #[error("{setting} is one of {}, not {value:?}", .choices.join(", "))]
    Choice {
        /// The setting.
        setting: Setting,
        /// The value that was given.
        value: String,
        /// The possible values.
        choices: Vec<String>,
    },
    /// The text is not an extension.
    #[error("{extension:?} is not a file extension")]
    Extension {
        /// The text.
        extension: String,
    },
    /// The line is no freeze.
    #[error("{line:?} is not a livery, or a date is not of the form 2026-12-05T20:00:00Z")]
    Frozen {
        /// The line.
        line: String,
    },
    /// The value is no limit.
    #[error("{setting} is a number above 0, or {NO_LIMIT}, not {value:?}")]
    Limit {
        /// The setting.
        setting: Setting,
        /// The value that was given.
        value: String,
    },
    /// The text is no set of rules for liveries.
    #[error("these are no rules for liveries: {reason}")]
    LintRules {
        /// The reason.
        reason: String,
    },
    /// The list of extensions is empty.
    #[error("the list of extensions is empty")]
    NoExtensions,
    /// The text cannot be a conflict suffix.
    #[error("{suffix:?} cannot be a conflict suffix: {}", invalid_suffix())]
    Suffix {
        /// The text.
        suffix: String,
    },
    /// There is no such setting.
    #[error("there is no setting {setting:?}")]
    Unknown {
        /// The word.
        setting: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_it_is_shown() {
        let mut settings = Settings::default();
        let values = ["__C__", "livery", "newest-mtime", "dds,png", "owner", "on", "*"];
        let values = values.into_iter().chain(["20", "5000000000", "300000000", "hold"]);
        let rules = r##"{"max-file-bytes":8,"max-picture-side":4096,"picture-sides":[2048],"names":["#*","!# x"],"files":[]}"##;
        let values = values.chain([rules]);
        for (setting, value) in Setting::all().zip(values) {
            settings.set(setting, value).unwrap();
            assert_eq!(settings.value(setting), value);
            assert_eq!(setting.as_str().parse(), Ok(setting));
        }
        assert_eq!(settings.naming.former_suffixes, ["__CONFLICT__"]);
    }

    #[test]
    fn a_value_that_does_not_fit_changes_nothing() {
        let mut settings = Settings::default();
        for setting in Setting::all() {
            for value in ["", "a/b", "no such thing", "0", "-1"] {
                let fits = match setting {
                    Setting::ConflictSuffix => !matches!(value, "" | "a/b"),
                    Setting::Frozen => value != "a/b",
                    Setting::Extensions => value == "0",
                    _ => false,
                };
                assert_eq!(
                    settings.clone().set(setting, value).is_ok(),
                    fits,
                    "{setting} {value:?}"
                );
            }
        }
        settings.set(Setting::Extensions, ",").unwrap_err();
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn only_settings_that_were_given_differ() {
        let mut other = Settings::default();
        other.set(Setting::Updates, "owner").unwrap();
        other.set(Setting::ConflictScope, "livery").unwrap();
        let given = [Setting::Updates, Setting::Extensions].into();
        assert_eq!(Settings::default().differing(&other, &given), [Setting::Updates]);
    }
}
