//! The step `api`: the public API of the libraries is the one in `docs/api`, their item lists are short, and public types can
//! grow.

use std::collections::BTreeSet;
use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use lexopt::{Arg, Parser};
use xtask::process::run;
use xtask::workspace::Workspace;

use crate::Passed;
use crate::steps::{Outcome, Tally};
use crate::test::{build_all, doc};

/// A library whose API is compared.
struct Library {
    name: &'static str,
    /// The most entries that the list of all items may have in its documentation.
    items_max: usize,
}

const LIBRARIES: &[Library] = &[
    Library { name: "liverysync-core", items_max: 80 },
    Library { name: "liverysync", items_max: 60 },
];

/// Types that every program may write out and match in full. All other enums, and all other structs with public fields,
/// are `#[non_exhaustive]`, so that they can grow.
///
/// A host has to handle every input and output of a machine, and a new one must not be ignored by accident. The rest are
/// plain values that hosts make, and that will not grow.
const EXHAUSTIVE: &[&str] = &[
    // The inputs and outputs of the machines, and of a step of the union.
    "liverysync_core::client::DiskFault",
    "liverysync_core::client::DiskOutcome",
    "liverysync_core::client::DiskRequest",
    "liverysync_core::client::Input",
    "liverysync_core::client::InstallFile",
    "liverysync_core::client::Installed",
    "liverysync_core::client::Now",
    "liverysync_core::client::Output",
    "liverysync_core::client::Progress",
    "liverysync_core::league::Act",
    "liverysync_core::league::Record",
    "liverysync_core::select::Kind",
    "liverysync_core::select::Listed",
    "liverysync_core::select::Stamp",
    "liverysync_core::server::Input",
    "liverysync_core::server::Output",
    "liverysync_core::time::Wake",
    "liverysync_core::union::Change",
    "liverysync_core::union::Gained",
    "liverysync_core::wire::Message",
    "liverysync_core::wire::messages::Message",
    // Plain values.
    "liverysync_core::client::OpId",
    "liverysync_core::client::Role",
    "liverysync_core::client::StageId",
    "liverysync_core::hash::Content",
    "liverysync_core::manifest::Entry",
    "liverysync_core::union::PeerId",
    "liverysync_core::wire::data::TransferId",
    "liverysync_core::wire::messages::Role",
];

/// The reason why there is no listing.
const NOT_LISTED: &str = "liverysync-api reads the API of another Rust than this";

/// The exit code of the program for JSON of another Rust.
const OTHER_FORMAT: i32 = 3;

/// Lines of a difference that are shown.
const LINES_MAX: usize = 40;

pub(crate) fn run_command(mut args: Parser, workspace: &Workspace) -> Result<Passed> {
    let mut write = false;
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("write") => write = true,
            other => return Err(other.unexpected().into()),
        }
    }
    // Not the whole workspace, which takes minutes to build.
    run(workspace.cargo("build --package liverysync-api"))?;
    if write {
        let json = json(workspace)?;
        for library in LIBRARIES {
            let listing = library.listing(workspace, &json)?;
            let listing = listing.context(NOT_LISTED)?;
            fs::write(library.committed(workspace), listing)?;
        }
        return Ok(true);
    }
    let (tally, compared) = check(workspace)?;
    ensure!(compared, NOT_LISTED);
    Ok(tally.failed == 0)
}

pub(crate) fn step(workspace: &Workspace) -> Result<Outcome> {
    run(build_all(workspace))?;
    Ok(match check(workspace)? {
        (tally, true) => Outcome::Tests(tally),
        (tally, false) => Outcome::Noted(tally, format!("not compared: {NOT_LISTED}")),
    })
}

/// Runs the checks, and tells whether the listings were compared, too.
fn check(workspace: &Workspace) -> Result<(Tally, bool)> {
    run(doc(workspace))?;
    let json = json(workspace)?;
    let (mut tally, mut compared) = (Tally::default(), true);
    let mut listings = String::new();
    for library in LIBRARIES {
        match library.listing(workspace, &json)? {
            Some(found) => {
                tally += Tally::of(library.compare(workspace, &found));
                listings += &found;
            }
            None => compared = false,
        }
        tally += Tally::of(library.count(workspace));
    }
    if compared {
        tally += Tally::of(check_exhaustive(&listings, EXHAUSTIVE));
    }
    Ok((tally, compared))
}

impl Library {
    /// Returns the crate's name in paths.
    fn file_stem(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Returns the file with the listing.
    fn committed(&self, workspace: &Workspace) -> PathBuf {
        workspace.root.join("docs/api").join(self.name).with_extension("txt")
    }

    /// Returns the public API as it is, one item a line; `None` with a Rust whose JSON the program does not read.
    fn listing(&self, workspace: &Workspace, json: &Json) -> Result<Option<String>> {
        let mut program = workspace.command(&json.program.to_string_lossy());
        program.arg(json.folder.join(self.file_stem()).with_extension("json"));
        let output = program.stderr(Stdio::inherit()).output().context("cannot run the program")?;
        match output.status.code() {
            Some(0) => Ok(Some(String::from_utf8(output.stdout)?)),
            Some(OTHER_FORMAT) => Ok(None),
            _ => bail!("liverysync-api ended with {}", output.status),
        }
    }

    fn compare(&self, workspace: &Workspace, found: &str) -> Result<()> {
        let path = self.committed(workspace);
        let committed =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let changes = changes(&committed, found);
        ensure!(
            changes.is_empty(),
            "the public API of {} is not the one in docs/api:\n{changes}\
             hint: if that is meant, `cargo xtask api --write` updates the listing",
            self.name
        );
        println!("{}: the API has {} lines, as committed", self.name, found.lines().count());
        Ok(())
    }

    /// Counts the entries of the page with all items.
    fn count(&self, workspace: &Workspace) -> Result<()> {
        let page = workspace.target.join("doc").join(self.file_stem()).join("all.html");
        let page =
            fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
        let (count, most) = (entries(&page), self.items_max);
        ensure!(count > 0, "cannot read the list of all items of {}", self.name);
        ensure!(
            count <= most,
            "the documentation of {} lists {count} items, and at most {most} are allowed",
            self.name
        );
        println!("{}: {count} items, of at most {most}", self.name);
        Ok(())
    }
}

/// Checks that the types of the listings that cannot grow are those of `expected`.
fn check_exhaustive(listings: &str, expected: &[&str]) -> Result<()> {
    let (found, expected) = (exhaustive(listings), BTreeSet::from_iter(expected.iter().copied()));
    let list = |names: Vec<&&str>| names.into_iter().copied().collect::<Vec<_>>().join(", ");
    let new = list(found.difference(&expected).collect());
    ensure!(
        new.is_empty(),
        "these public types cannot grow: {new}\n\
         hint: make them #[non_exhaustive], or say in xtask/src/api.rs why not"
    );
    let gone = list(expected.difference(&found).collect());
    ensure!(gone.is_empty(), "xtask/src/api.rs names types that can grow or do not exist: {gone}");
    Ok(())
}

/// Returns the enums, and the structs with public fields, that are not `#[non_exhaustive]`.
fn exhaustive(listings: &str) -> BTreeSet<&str> {
    // A field is listed as a path with its type, and no function, constant or type begins with `pub` and a path.
    let mut with_fields = BTreeSet::new();
    for line in listings.lines() {
        let field = line.strip_prefix("pub ").and_then(|line| line.split_once(": "));
        let owner = field.and_then(|(path, _)| path.rsplit_once("::"));
        with_fields.extend(owner.map(|(owner, _)| owner));
    }
    let can_be_written = listings.lines().filter_map(declared).filter(|(is_enum, name, rest)| {
        *is_enum || rest.contains("pub ") || with_fields.contains(name)
    });
    can_be_written.map(|(_, name, _)| name).collect()
}

/// Returns whether a line of a listing declares an enum, and not a struct, with its name and what comes after it. A
/// declaration that begins with `#[non_exhaustive]` does not count.
fn declared(line: &str) -> Option<(bool, &str, &str)> {
    let (kind, rest) = line.strip_prefix("pub ")?.split_once(' ')?;
    let end = rest.find(['(', '<', ' ']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    matches!(kind, "enum" | "struct").then_some((kind == "enum", name, rest))
}

/// Counts the items on a page `all.html` of rustdoc.
fn entries(page: &str) -> usize {
    // The headings of the page's table of contents are links within the page.
    page.matches("<li><a ").count() - page.matches("<li><a href=\"#").count()
}

/// The documentation as JSON, and the program that reads it.
struct Json {
    folder: PathBuf,
    program: PathBuf,
}

/// Writes the documentation as JSON. The program has been built.
fn json(workspace: &Workspace) -> Result<Json> {
    let program = workspace.target.join(format!("debug/liverysync-api{EXE_SUFFIX}"));
    let packages: Vec<_> = LIBRARIES.iter().flat_map(|library| ["-p", library.name]).collect();
    let mut cargo = workspace.cargo("doc --no-deps --features liverysync/server");
    // Not into the folder of the pages: cargo would empty it.
    let folder = workspace.target.join("api");
    cargo
        .args(packages)
        .env("CARGO_TARGET_DIR", &folder)
        .env("CARGO_BUILD_BUILD_DIR", &workspace.target)
        .env("RUSTDOC", &program)
        .env("LIVERYSYNC_API_RUSTDOC", "rustdoc")
        // A module whose items have their pages in another library is hidden only if this is not set.
        .env("RUSTDOCFLAGS", "-Zunstable-options --output-format=json --cfg liverysync_listing");
    run(cargo)?;
    Ok(Json { folder: folder.join("doc"), program })
}

/// Returns the lines that only one of two listings has; empty if they are the same.
fn changes(committed: &str, found: &str) -> String {
    let lines = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    let (old, new) = (lines(committed), lines(found));
    let removed = old.difference(&new).map(|line| format!("- {line}\n"));
    let added = new.difference(&old).map(|line| format!("+ {line}\n"));
    let changes: Vec<_> = removed.chain(added).collect();
    let mut text = changes.iter().take(LINES_MAX).map(String::as_str).collect::<String>();
    if changes.len() > LINES_MAX {
        text += &format!("… and {} more\n", changes.len() - LINES_MAX);
    }
    if text.is_empty() && committed != found {
        text = "the lines have another order\n".to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_its_lines() {
        assert_eq!(changes("a\nb\n", "a\nb\n"), "");
        assert_eq!(changes("a\nb\n", "b\nc\n"), "- a\n+ c\n");
        assert_eq!(changes("a\nb\n", "b\na\n"), "the lines have another order\n");
        let many: String = (0..LINES_MAX + 2).map(|number| format!("{number}\n")).collect();
        assert!(changes("", &many).ends_with("… and 2 more\n"));
    }

    #[test]
    fn types_that_cannot_grow_are_found() {
        let listing = "pub enum a::Cause\npub a::Cause::New\n\
                       #[non_exhaustive] pub enum a::Reason\npub a::Reason::Link\n\
                       pub struct a::Id(pub u64)\npub struct a::Name(_)\n\
                       pub struct a::Pair<T>\npub a::Pair::one: T\n\
                       pub struct a::Opaque\npub fn a::Opaque::new(one: u64) -> Self\n\
                       pub const a::Opaque::MAX: u64\n";
        assert_eq!(exhaustive(listing), ["a::Cause", "a::Id", "a::Pair"].into());
        let check = |expected: &[&str]| check_exhaustive(listing, expected);
        assert!(check(&["a::Cause", "a::Id", "a::Pair"]).is_ok());
        assert!(check(&["a::Cause", "a::Id"]).is_err());
        assert!(check(&["a::Cause", "a::Id", "a::Pair", "a::Reason"]).is_err());
    }

    #[test]
    fn items_of_a_page_are_counted() {
        let page = r#"<h3 id="structs">Structs</h3><ul class="all-items"><li><a href="struct.A.html">A</a></li><li><a href="b/struct.B.html">b::B</a></li></ul>"#;
        assert_eq!(entries(page), 2);
    }
}
