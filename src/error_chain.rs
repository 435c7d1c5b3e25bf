//! The text of an error with its causes.

use std::error::Error;

/// Returns the message of an error followed by those of its causes: `cannot listen at ::1:80: permission denied`.
///
/// The messages of this package's errors do not repeat their [`source`](Error::source).
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += ": ";
        text += &error.to_string();
        cause = error.source();
    }
    text
}
