//! The rules that a league can set.

use std::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::client::LiveryGlobs;

/// The sides that the game's pictures may have, in pixels.
const PICTURE_SIDES: [NonZeroU32; 2] =
    [NonZeroU32::new(2048).unwrap(), NonZeroU32::new(4096).unwrap()];

/// The rules by which [`lint`](super::lint) judges. Their file has the same names, with `-` between words.
///
/// By default everything is allowed that the game can use.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct LintRules {
    /// Largest file, in bytes.
    pub max_file_bytes: Option<NonZeroU64>,
    /// Largest livery, in bytes.
    pub max_livery_bytes: Option<NonZeroU64>,
    /// Longest side of any picture, in pixels.
    pub max_picture_side: NonZeroU32,
    /// The sides that `decals.png` and `sponsors.png` may have, which are square.
    pub picture_sides: Vec<NonZeroU32>,
    /// Globs for the names of liveries; empty if any name will do.
    #[serde(deserialize_with = "globs")]
    pub names: LiveryGlobs,
    /// Globs for the names of files in a livery; empty if any will do.
    #[serde(deserialize_with = "globs")]
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

/// Reads a list of globs, which have the form that a list of ignored liveries has.
fn globs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LiveryGlobs, D::Error> {
    let globs = Vec::<String>::deserialize(deserializer)?;
    let line = |glob: &String| {
        LiveryGlobs::line(glob).map_err(|error| D::Error::custom(format!("`{glob}` is {error}")))
    };
    let lines = globs.iter().map(line).collect::<Result<Vec<_>, _>>()?;
    Ok(LiveryGlobs::parse(&lines.join("\n")))
}
