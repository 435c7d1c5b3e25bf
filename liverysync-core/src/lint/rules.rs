//! The rules that a league can set.

use std::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{client::LiveryGlobs, wire::list};

/// The sides that the game's pictures may have, in pixels.
const PICTURE_SIDES: [NonZeroU32; 2] =
    [NonZeroU32::new(2048).unwrap(), NonZeroU32::new(4096).unwrap()];

/// The rules by which [`lint`](super::lint) judges. Their file has the same names, with `-` between words.
///
/// By default everything is allowed that the game can use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct LintRules {
    /// Largest file, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_file_bytes: Option<NonZeroU64>,
    /// Largest livery, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_livery_bytes: Option<NonZeroU64>,
    /// Longest side of any picture, in pixels.
    pub max_picture_side: NonZeroU32,
    /// The sides that `decals.png` and `sponsors.png` may have, which are square.
    #[serde(deserialize_with = "list::at_most::<PARSED_MAX, _, _>")]
    pub picture_sides: Vec<NonZeroU32>,
    /// Globs for the names of liveries; empty if any name will do.
    #[serde(serialize_with = "as_list", deserialize_with = "globs")]
    pub names: LiveryGlobs,
    /// Globs for the names of files in a livery; empty if any will do.
    #[serde(serialize_with = "as_list", deserialize_with = "globs")]
    pub files: LiveryGlobs,
}

impl Default for LintRules {
    fn default() -> Self {
        let [_, largest] = PICTURE_SIDES;
        Self {
            max_file_bytes: None,
            max_livery_bytes: None,
            max_picture_side: largest,
            picture_sides: PICTURE_SIDES.to_vec(),
            names: LiveryGlobs::default(),
            files: LiveryGlobs::default(),
        }
    }
}

/// Longest list in the rules of a league. Every file of a livery is compared with all of it.
const LIST_MAX: usize = 100;

/// Longest list of any rules, also of those that somebody sets up for themselves.
const PARSED_MAX: usize = 10_000;

impl LintRules {
    /// Reads the rules in the form of [`to_json`](Self::to_json). Those that are left out are the default.
    ///
    /// # Errors
    ///
    /// Fails if the text has another form, or if a list has more than 100 items. The error is a sentence for people.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let rules: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if rules.fit_league() {
            return Ok(rules);
        }
        Err(format!("a list may have {LIST_MAX} items at most"))
    }

    /// Returns the rules as one line of JSON, with the names of their file.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Numbers and texts always have a form in JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns true if the lists are short enough for a league.
    pub(crate) fn fit_league(&self) -> bool {
        let lists = [self.picture_sides.len(), self.names.globs().len(), self.files.globs().len()];
        lists.into_iter().all(|len| len <= LIST_MAX)
    }
}

fn as_list<S: Serializer>(globs: &LiveryGlobs, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(globs.globs())
}

/// Reads a list of globs, which have the form that a list of ignored liveries has.
fn globs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LiveryGlobs, D::Error> {
    let globs = list::at_most::<PARSED_MAX, String, _>(deserializer)?;
    let line = |glob: &String| {
        LiveryGlobs::line(glob).map_err(|error| D::Error::custom(format!("`{glob}` is {error}")))
    };
    let lines = globs.iter().map(line).collect::<Result<Vec<_>, _>>()?;
    Ok(LiveryGlobs::parse(&lines.join("\n")))
}
