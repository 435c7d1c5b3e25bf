//! The file extensions that are shared.

use std::{collections::BTreeSet, fmt, str::FromStr};

use crate::text::{InvalidText, escape_limited};

/// The file extensions that are shared and accepted, in lower case and without a dot.
///
/// # Defaults
///
/// png, json, dds, jpg, jpeg, txt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extensions(BTreeSet<String>);

impl Extensions {
    /// Makes a list from extensions of ASCII letters and digits, in any case, with or without a leading dot.
    ///
    /// An empty list allows no file at all.
    ///
    /// # Errors
    ///
    /// Refuses an extension that is empty, longer than 16 characters, or has any other character.
    pub fn from_list(list: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, InvalidText> {
        list.into_iter()
            .map(|extension| {
                normalized(extension.as_ref()).ok_or_else(|| invalid(extension.as_ref()))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Reads a list with commas. The error is the first part that is no extension.
    pub(crate) fn read(text: &str) -> Result<Self, &str> {
        text.split(',')
            .map(str::trim)
            .filter(|extension| !extension.is_empty())
            .map(|extension| normalized(extension).ok_or(extension))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns true if the list allows no file at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if files with this extension are shared, ignoring ASCII case.
    #[must_use]
    pub fn contains(&self, extension: &str) -> bool {
        self.iter().any(|allowed| allowed.eq_ignore_ascii_case(extension))
    }

    /// Returns the extensions in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl Default for Extensions {
    fn default() -> Self {
        Self(["png", "json", "dds", "jpg", "jpeg", "txt"].map(str::to_owned).into())
    }
}

impl FromStr for Extensions {
    type Err = InvalidText;

    /// Reads a list with commas, as [`Display`](fmt::Display) writes it. Blanks and empty parts do not count.
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        Self::read(text).map_err(invalid)
    }
}

impl fmt::Display for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, extension) in self.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{extension}")?;
        }
        Ok(())
    }
}

/// Returns an extension in lower case and without a dot, or `None` for a text that is no extension.
fn normalized(given: &str) -> Option<String> {
    let bare = given.strip_prefix('.').unwrap_or(given);
    let valid = (1..=EXTENSION_BYTES_MAX).contains(&bare.len())
        && bare.bytes().all(|byte| byte.is_ascii_alphanumeric());
    valid.then(|| bare.to_ascii_lowercase())
}

fn invalid(given: &str) -> InvalidText {
    let shown = escape_limited(given, 40);
    InvalidText::new(format!(
        "`{shown}` is not a file extension of 1 to {EXTENSION_BYTES_MAX} ASCII letters or digits"
    ))
}

/// Longest extension. No extension in use comes near it.
const EXTENSION_BYTES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn extensions_are_a_set_in_lower_case() {
        let extensions = Extensions::from_list([".PNG", "tga", "Tga", "7z"]).unwrap();
        assert_eq!(extensions.to_string(), "7z,png,tga");
        assert!(
            extensions.contains("TGA") && !extensions.contains(".tga") && !extensions.contains("")
        );
        assert_eq!(
            Extensions::from_list(Extensions::default().iter()).unwrap(),
            Extensions::default()
        );
        assert_eq!(Extensions::default().to_string(), "dds,jpeg,jpg,json,png,txt");
        for bad in ["", ".", "..png", "p g", "tar.gz", "ｐｎｇ", "png\u{202e}", "seventeenletters1"]
        {
            let error = Extensions::from_list(["png", bad]).unwrap_err().to_string();
            let shown = crate::text::escape(bad);
            let expected =
                format!("`{shown}` is not a file extension of 1 to 16 ASCII letters or digits");
            assert_eq!(error, expected);
        }
        assert!(Extensions::from_list(["sixteenletters16"]).is_ok());
    }

    #[test]
    fn a_list_with_commas_is_read() {
        let list = |text: &str| text.parse::<Extensions>().map(|list| list.to_string()).ok();
        assert_eq!(list(" .PNG, tga,,7z ,").as_deref(), Some("7z,png,tga"));
        assert_eq!(list("png json"), None);
        assert!(" , ".parse::<Extensions>().unwrap().is_empty());
        assert!(!Extensions::default().is_empty());
    }
}
