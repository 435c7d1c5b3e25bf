//! Prints the public API of a crate, one item a line, from the JSON of rustdoc.
//!
//! rustdoc writes JSON only if it may use unstable options. Allowing those for all of cargo would compile every dependency
//! once more, so this program also runs in place of rustdoc and allows them there alone.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use public_api::Builder;
use rustdoc_types::FORMAT_VERSION;

/// Names the rustdoc to run instead of printing anything.
const RUSTDOC: &str = "LIVERYSYNC_API_RUSTDOC";

/// The exit code for a file in another format: that of a newer or older Rust.
const OTHER_FORMAT: u8 = 3;

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    if let Some(rustdoc) = env::var_os(RUSTDOC) {
        return run_rustdoc(rustdoc, &args);
    }
    let [file] = &args[..] else {
        eprintln!("error: pass the JSON file of a crate, and nothing else");
        return ExitCode::from(2);
    };
    match fs::read_to_string(file).map(|json| other_format(&json)) {
        Ok(None) => {}
        Ok(Some(format)) => {
            eprintln!(
                "this Rust writes rustdoc's JSON in format {format}, and {FORMAT_VERSION} is read"
            );
            return ExitCode::from(OTHER_FORMAT);
        }
        Err(error) => {
            eprintln!("error: cannot read {}: {error}", file.to_string_lossy());
            return ExitCode::FAILURE;
        }
    }
    match listing(Path::new(file)) {
        Ok(listing) => {
            print!("{listing}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: cannot read {}: {error}", file.to_string_lossy());
            ExitCode::FAILURE
        }
    }
}

/// Returns the format of a file with this text if it is another one than the program reads.
fn other_format(json: &str) -> Option<u64> {
    let format = json.rsplit_once("\"format_version\":").map_or("", |(_, rest)| rest);
    let digits = format.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    // A file without a format is not what the program reads, either.
    let format = digits.parse().unwrap_or_default();
    (format != u64::from(FORMAT_VERSION)).then_some(format)
}

/// Returns the items of a crate, one a line.
///
/// Every type has the blanket and the automatic implementations, so they are left out. A derived implementation is one
/// line, without its methods.
fn listing(file: &Path) -> Result<String, public_api::Error> {
    let items = |derived: bool| -> Result<Vec<String>, public_api::Error> {
        let builder = Builder::from_rustdoc_json(file)
            .omit_blanket_impls(true)
            .omit_auto_trait_impls(true)
            .omit_auto_derived_impls(!derived);
        Ok(builder.build()?.items().map(|item| format!("{item}\n")).collect())
    };
    let own: BTreeSet<String> = items(false)?.into_iter().collect();
    let mut all = items(true)?;
    all.retain(|line| {
        own.contains(line) || line.starts_with("impl") && !line.contains("::StructuralPartialEq ")
    });
    Ok(all.concat())
}

fn run_rustdoc(rustdoc: OsString, args: &[OsString]) -> ExitCode {
    match Command::new(rustdoc).args(args).env("RUSTC_BOOTSTRAP", "1").status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: cannot run rustdoc: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_of_another_rust_is_recognized() {
        let json = |format: u32| format!(r#"{{"root":1,"format_version":{format}}}"#);
        assert_eq!(other_format(&json(FORMAT_VERSION)), None);
        assert_eq!(other_format(&json(FORMAT_VERSION + 1)), Some(u64::from(FORMAT_VERSION) + 1));
        assert_eq!(other_format("{}"), Some(0));
    }
}
