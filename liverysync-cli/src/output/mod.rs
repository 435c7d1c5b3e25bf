//! Printing: data to standard output, everything else to standard error.
//!
//! A failure to write data is handed up: when nobody reads any more, the program ends with success. A failure to write
//! to standard error cannot be reported anywhere.

pub(crate) mod json;

use std::io::{self, BufWriter, IsTerminal as _, Write as _};

/// Prints a line of data.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Prints several lines of data.
pub(crate) fn block(text: &str) -> io::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Prints lines for people that are no data.
pub(crate) fn note(text: &str) {
    let _lost = writeln!(io::stderr().lock(), "{text}");
}

/// Returns whether a person looks at both outputs, so that moving bars make sense.
pub(crate) fn is_watched() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal()
}
