//! How the program ends: exit codes, and what is said about a failure.

use std::{fmt, io, process::ExitCode};

use liverysync::escape;

use crate::output;

/// What the exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something went wrong.
    Failed = 1,
    /// The command line, a variable or the config file is wrong.
    Usage = 2,
    /// `--timeout` has passed.
    TimedOut = 3,
}

/// Why the program does not end with success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line was not understood, or help was asked for: clap words it.
    Clap(Box<clap::Error>),
    /// Anything else.
    Other {
        /// What the exit code says.
        exit: Exit,
        /// What happened.
        error: anyhow::Error,
        /// What to do about it.
        hint: Option<String>,
    },
}

impl Failure {
    /// A failure with this message.
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self::Other { exit, error: anyhow::Error::msg(message.to_string()), hint: None }
    }

    /// A failure with the message of an error, and its causes.
    pub(crate) fn of(exit: Exit, error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Other { exit, error: anyhow::Error::new(error), hint: None }
    }

    /// The command line, a variable or the config file is wrong.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// What happened, in one line.
    pub(crate) fn in_a_line(&self) -> String {
        let text = match self {
            Self::Clap(error) => error.to_string(),
            Self::Other { error, .. } => format!("{error:#}"),
        };
        let text = text.trim_start_matches("error: ");
        escape(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
    }

    /// Says what to do about it.
    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Other { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Clap(Box::new(error))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other { exit: Exit::Failed, error, hint: None }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::from(anyhow::Error::from(error))
    }
}

/// Says on standard error what went wrong, and returns the exit code.
///
/// Whoever reads our output may stop reading: that is no failure.
pub(crate) fn report(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Clap(error)) => match error.print() {
            Ok(()) if error.use_stderr() => code(Exit::Usage),
            Ok(()) => ExitCode::SUCCESS,
            Err(fault) if fault.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(_) => code(Exit::Failed),
        },
        Err(Failure::Other { error, .. }) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(Failure::Other { exit, error, hint }) => {
            output::note(&format!("error: {}", lines(&format!("{error:#}"))));
            if let Some(hint) = hint {
                output::note(&format!("hint: {}", lines(&hint)));
            }
            code(exit)
        }
    }
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let is_broken = |fault: &io::Error| fault.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(is_broken))
}

/// Our own messages may have several lines; nothing else in them acts on a terminal.
fn lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}
