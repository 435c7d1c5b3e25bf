//! The end of the program: exit codes, and the report of a failure.

use std::{io, process::ExitCode};

use liverysync::escape;

use crate::{output, text::Problem};

/// Exit codes of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something went wrong.
    Failed = 1,
    /// The command line, a variable or the config file is wrong.
    Usage = 2,
    /// `--timeout` has passed.
    TimedOut = 3,
    /// Done, except for what is listed.
    Outstanding = 4,
}

/// A reason not to end with success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line was not understood, or help was asked for: clap words it.
    Clap(Box<clap::Error>),
    /// Nobody reads the output any more, which is no failure of ours.
    Unread,
    /// The work that is left is listed already.
    Outstanding,
    /// Anything else.
    Other(Exit, Problem),
}

impl Failure {
    /// Returns a failure with this exit code.
    pub(crate) const fn new(exit: Exit, problem: Problem) -> Self {
        Self::Other(exit, problem)
    }

    /// Returns a failure because the command line, a variable or the config file is wrong.
    pub(crate) const fn usage(problem: Problem) -> Self {
        Self::new(Exit::Usage, problem)
    }

    /// Returns the failure in one line, for a message about something larger.
    pub(crate) fn in_a_line(&self) -> String {
        let text = match self {
            Self::Clap(error) => error.to_string(),
            Self::Unread | Self::Outstanding => String::new(),
            Self::Other(_, problem) => problem.in_a_line(),
        };
        let text = text.trim_start_matches("error: ");
        escape(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Clap(Box::new(error))
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::new(Exit::Failed, problem)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let is_broken = |fault: &io::Error| fault.kind() == io::ErrorKind::BrokenPipe;
        if error.chain().any(|cause| cause.downcast_ref().is_some_and(is_broken)) {
            return Self::Unread;
        }
        Problem::of(&*error).into()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::from(anyhow::Error::from(error))
    }
}

/// Prints a failure on standard error and returns the exit code.
pub(crate) fn report(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) | Err(Failure::Unread) => ExitCode::SUCCESS,
        Err(Failure::Outstanding) => code(Exit::Outstanding),
        Err(Failure::Clap(error)) => match error.print() {
            Ok(()) if error.use_stderr() => code(Exit::Usage),
            Ok(()) => ExitCode::SUCCESS,
            Err(fault) if fault.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(_) => code(Exit::Failed),
        },
        Err(Failure::Other(exit, problem)) => {
            output::note(&problem.to_string());
            code(exit)
        }
    }
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}
