//! Every text of `liverysync_last_error` that is the C interface's own; errors of the Rust library bring theirs along.
//!
//! A test shows them all in one file, and another one finds texts elsewhere.

use std::{fmt::Display, path::Path};

pub(crate) const HANDLE_BROKEN: &str = "an earlier call on this handle panicked; free it";
pub(crate) const IN_CALLBACK: &str = "this call cannot be made from a callback of the same handle";
pub(crate) const EVENTS_GO_TO_CALLBACK: &str = "the events go to the callback";
pub(crate) const ANOTHER_THREAD_WAITS: &str =
    "another thread is waiting for an event of this handle";
pub(crate) const NO_EVENT: &str = "no event came in time";
pub(crate) const NO_REPORT: &str = "this thread is ending and can keep no report";
pub(crate) const EMPTY_HOST: &str = "host is empty";
pub(crate) const RESERVED: &str = "reserved is not 0";
pub(crate) const NO_EXTENSIONS: &str = "an empty list of extensions would share nothing";
/// The text of a panic whose payload has none.
pub(crate) const PANIC_WITHOUT_TEXT: &str = "no text";

pub(crate) fn panicked(text: &str) -> String {
    format!("a bug in liverysync: {text}")
}

pub(crate) fn null(what: &str) -> String {
    format!("{what} is NULL")
}

/// Names an item of a list, for [`null`].
pub(crate) fn item(what: &str, index: usize) -> String {
    format!("number {index} of {what}")
}

pub(crate) fn not_utf8(what: &str, error: impl Display) -> String {
    format!("{what} is not UTF-8: {error}")
}

pub(crate) fn not_unicode(path: &Path) -> String {
    format!("the path {} is not Unicode", path.display())
}

pub(crate) fn wrong_size(name: &str, size: usize) -> String {
    format!("the `size` of a {name} is {size}: set it to its sizeof")
}

pub(crate) fn unknown_field(name: &str) -> String {
    format!("a {name} sets a field that this version does not know")
}

pub(crate) fn uneven_list(name: &str, index: usize) -> String {
    format!("number {index} of a list of {name} has another `size`")
}

pub(crate) fn out_of_range(what: &str, index: usize, items: usize) -> String {
    format!("there is no {what} {index}: there are {items}")
}

pub(crate) fn lint_rules(file: &str, error: impl Display) -> String {
    format!("the rules {file} cannot be used: {error}")
}

pub(crate) fn no_port(port: u32) -> String {
    format!("{port} is no port")
}

/// Refuses a number that is not in an enum of the header.
pub(crate) fn unknown_choice(what: &str, number: u32) -> String {
    format!("there is no {what} {number}")
}

pub(crate) fn collision(path: impl Display, collision: impl Display) -> String {
    format!("{path}: {collision}")
}

pub(crate) fn stopped(name: &str) -> String {
    format!("the {name} has stopped, and all its events are read")
}

pub(crate) fn no_threads(error: impl Display) -> String {
    format!("no threads: {error}")
}

pub(crate) fn event_failed(error: impl Display) -> String {
    format!("an event: {error}")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    #[test]
    fn every_text_is_as_in_the_snapshot() {
        let texts = [
            HANDLE_BROKEN.to_owned(),
            panicked("R"),
            panicked(PANIC_WITHOUT_TEXT),
            IN_CALLBACK.to_owned(),
            EVENTS_GO_TO_CALLBACK.to_owned(),
            ANOTHER_THREAD_WAITS.to_owned(),
            NO_EVENT.to_owned(),
            stopped("client"),
            event_failed("R"),
            NO_REPORT.to_owned(),
            no_threads("R"),
            null("client_out"),
            null(&item("manifests", 1)),
            not_utf8("path", "R"),
            not_unicode(Path::new("/home/aoi")),
            wrong_size("liverysync_entry", 0),
            unknown_field("liverysync_client_options"),
            uneven_list("liverysync_entry", 1),
            out_of_range("entry", 7, 3),
            EMPTY_HOST.to_owned(),
            no_port(70_000),
            lint_rules("rules.toml", "R"),
            RESERVED.to_owned(),
            NO_EXTENSIONS.to_owned(),
            unknown_choice("policy", 9),
            unknown_choice("rule for updates", 9),
            collision("Team/decals.png", "R"),
        ];
        insta::with_settings!({
            snapshot_path => "../tests/snapshots",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!("messages", texts.join("\n")) });
    }

    /// Returns the lines of a module that make a failure of a literal, without those of its tests.
    fn literals(source: &str) -> Vec<String> {
        let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
        // A call may span lines. Before the first one, there is none.
        let calls = code.split("Failure::").skip(1).filter_map(|rest| rest.split(';').next());
        let own = calls.filter(|call| {
            let makes = call.starts_with("new(") || call.starts_with("argument(");
            makes && call.contains('"') && !call.contains("messages::")
        });
        let texts = code.lines().filter(|line| line.trim_start().starts_with("let text = "));
        let texts = texts.filter(|line| line.contains('"')).map(str::to_owned);
        own.map(|call| format!("Failure::{call}")).chain(texts).collect()
    }

    #[test]
    fn no_other_module_has_a_text_of_its_own() {
        assert_eq!(literals("Failure::new(code, format_args!(\"{a}\"));").len(), 1);
        let sources = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
        for entry in fs::read_dir(sources).unwrap() {
            let path = entry.unwrap().path();
            if path.file_stem().is_some_and(|name| name != "messages") {
                let source = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
                assert_eq!(literals(&source), Vec::<String>::new(), "{}", path.display());
            }
        }
    }
}
