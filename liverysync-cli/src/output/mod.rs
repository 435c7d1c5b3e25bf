//! Everything that is printed goes through here: data to standard output, all else to standard error.
//!
//! A failure to write data is handed up: where nobody reads any more, the program ends, with success.
//! A failure to write to standard error is nothing that could be said anywhere.

pub(crate) mod backups;
pub(crate) mod gather;
pub(crate) mod json;
pub(crate) mod league;
pub(crate) mod status;
pub(crate) mod words;

use std::io::{self, BufWriter, IsTerminal as _, Write as _};

/// Prints a line of data.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Prints many lines, or anything else that is long.
pub(crate) fn block(text: &str) -> io::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Prints a line for people that is no data.
pub(crate) fn note(text: &str) {
    let _nobody_to_tell = writeln!(io::stderr().lock(), "{text}");
}

/// Whether a person looks at both outputs, so that a picture that moves makes sense.
pub(crate) fn is_watched() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal()
}
