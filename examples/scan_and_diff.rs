//! Compares two liveries folders: prints the files that are missing, different or extra in the first.
//!
//! ```text
//! cargo run --example scan_and_diff -- ./Mine ./Theirs
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{env, error::Error, path::Path};

use liverysync::{Entry, Rules, escape, scan};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(mine), Some(theirs)) = (arguments.next(), arguments.next()) else {
        return Err("usage: scan_and_diff MINE THEIRS".into());
    };
    let rules = Rules::default();
    let mine = scan(Path::new(&mine), &rules)?;
    let theirs = scan(Path::new(&theirs), &rules)?;
    for skipped in mine.skipped.iter().chain(&theirs.skipped) {
        println!("left out   {}: {}", escape(&skipped.path), escape(&skipped.reason.to_string()));
    }

    let difference = mine.manifest.diff(&theirs.manifest);
    let show = |what: &str, entry: &Entry| {
        println!("{what}  {} ({} bytes)", escape(entry.path.as_str()), entry.content.size);
    };
    difference.missing.iter().for_each(|entry| show("missing  ", entry));
    difference.different.iter().for_each(|(_, theirs)| show("different", theirs));
    difference.extra.iter().for_each(|entry| show("only mine", entry));
    println!("mine {:?}, theirs {:?}", mine.manifest.hash(), theirs.manifest.hash());
    Ok(())
}
