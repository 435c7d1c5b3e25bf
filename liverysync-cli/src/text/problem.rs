//! An error as people read it.

use std::fmt;

use liverysync::escape;

use super::words::reason;

/// An error with its causes and a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    error: String,
    details: Vec<String>,
    hint: Option<String>,
}

impl Problem {
    /// Returns a problem without a cause and a hint.
    pub(super) fn new(error: impl Into<String>) -> Self {
        Self { error: error.into(), details: Vec::new(), hint: None }
    }

    /// Returns an error of a library with its sources as causes.
    pub(crate) fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let sources = std::iter::successors(error.source(), |source| source.source());
        let own = Self::new(reason(error));
        // Some errors name their source themselves.
        let unnamed = sources.filter(|source| !own.error.contains(&reason(source)));
        unnamed.fold(own.clone(), Self::cause)
    }

    /// Adds a cause, which may come from the system or from other people.
    pub(super) fn cause(self, cause: impl fmt::Display) -> Self {
        let cause = reason(cause);
        self.detail(format!("cause: {cause}"))
    }

    /// Adds a line below the error.
    pub(super) fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// Sets the hint.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns the problem in one line, for a message about something larger.
    pub(crate) fn in_a_line(&self) -> String {
        let causes = self.details.iter().map(|line| line.trim_start_matches("cause: "));
        [self.error.as_str()].into_iter().chain(causes).collect::<Vec<_>>().join(": ")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", lines(&self.error))?;
        for line in &self.details {
            write!(f, "\n  {}", lines(line))?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {}", lines(hint)),
            None => Ok(()),
        }
    }
}

/// Escapes everything but line breaks, which our own texts may have.
fn lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}
