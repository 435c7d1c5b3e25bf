//! The step `api`: the public API of the libraries is the one in `docs/api`, and their item lists are short.

use std::collections::BTreeSet;
use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use lexopt::{Arg, Parser};
use xtask::process::{read, run};
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
            fs::write(library.committed(workspace), library.listing(workspace, &json)?)?;
        }
        return Ok(true);
    }
    Ok(check(workspace)?.failed == 0)
}

pub(crate) fn step(workspace: &Workspace) -> Result<Outcome> {
    run(build_all(workspace))?;
    Ok(Outcome::Tests(check(workspace)?))
}

fn check(workspace: &Workspace) -> Result<Tally> {
    run(doc(workspace))?;
    let json = json(workspace)?;
    let mut tally = Tally::default();
    for library in LIBRARIES {
        tally += Tally::of(library.compare(workspace, &json));
        tally += Tally::of(library.count(workspace));
    }
    Ok(tally)
}

impl Library {
    /// The crate's name in paths.
    fn file_stem(&self) -> String {
        self.name.replace('-', "_")
    }

    /// The file with the listing.
    fn committed(&self, workspace: &Workspace) -> PathBuf {
        workspace.root.join("docs/api").join(self.name).with_extension("txt")
    }

    /// Returns the public API as it is, one item a line.
    fn listing(&self, workspace: &Workspace, json: &Json) -> Result<String> {
        let mut program = workspace.command(&json.program.to_string_lossy());
        program.arg(json.folder.join(self.file_stem()).with_extension("json"));
        read(program)
    }

    fn compare(&self, workspace: &Workspace, json: &Json) -> Result<()> {
        let path = self.committed(workspace);
        let committed =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let found = self.listing(workspace, json)?;
        let changes = changes(&committed, &found);
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
        .env("RUSTDOCFLAGS", "-Zunstable-options --output-format=json");
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
    fn items_of_a_page_are_counted() {
        let page = r#"<h3 id="structs">Structs</h3><ul class="all-items"><li><a href="struct.A.html">A</a></li><li><a href="b/struct.B.html">b::B</a></li></ul>"#;
        assert_eq!(entries(page), 2);
    }
}
