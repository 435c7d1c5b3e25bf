//! Arguments of Python as values of the core.

use std::time::Duration;

use liverysync::{
    ClientBuilder, Extensions, Limits, LiveryGlobs, Naming, Policy, Role, Rules, Scope, Updates,
};
use pyo3::{
    exceptions::{PyOverflowError, PyTypeError, PyValueError},
    prelude::*,
    types::PyString,
};

use crate::texts;

/// Reads any iterable of texts, but no text: its characters are hardly meant.
pub(crate) fn list(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if given.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err(texts::one_text(name)));
    }
    given.try_iter()?.map(|item| item?.extract()).collect()
}

/// Reads the list of extensions; `None` is the default one.
pub(crate) fn extensions(given: Option<&Bound<'_, PyAny>>) -> PyResult<Extensions> {
    let Some(given) = given else { return Ok(Extensions::default()) };
    let list = Extensions::from_list(list("extensions", given)?)
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    if list.is_empty() {
        return Err(PyValueError::new_err(texts::NO_EXTENSIONS));
    }
    Ok(list)
}

/// Returns the rules for shared files. `None` is the default.
pub(crate) fn rules(
    list: Option<&Bound<'_, PyAny>>,
    derived_dds: bool,
    max_entries: Option<usize>,
    max_file_size: Option<u64>,
) -> PyResult<Rules> {
    let mut rules = Rules::default();
    rules.extensions = extensions(list)?;
    rules.derived_dds = derived_dds;
    rules.entries_max = count("max_entries", max_entries)?.unwrap_or(rules.entries_max);
    rules.file_bytes_max = count("max_file_size", max_file_size)?.unwrap_or(rules.file_bytes_max);
    Ok(rules)
}

/// Reads the list of shared liveries.
pub(crate) fn shared(given: &Bound<'_, PyAny>) -> PyResult<LiveryGlobs> {
    let line = |glob: String| {
        let refused = |reason| PyValueError::new_err(texts::no_glob(&glob, reason));
        LiveryGlobs::line(&glob).map_err(refused)
    };
    let lines: Vec<_> = list("share", given)?.into_iter().map(line).collect::<PyResult<_>>()?;
    Ok(LiveryGlobs::parse(&lines.join("\n")))
}

/// Returns the only role of a client, if it has one.
pub(crate) fn only(receive_only: bool, send_only: bool) -> PyResult<Option<Role>> {
    match (receive_only, send_only) {
        (true, true) => Err(PyValueError::new_err(texts::NO_ROLE)),
        (true, false) => Ok(Some(Role::Target)),
        (false, true) => Ok(Some(Role::Source)),
        (false, false) => Ok(None),
    }
}

/// Returns the naming of conflict copies. `None` is the default.
pub(crate) fn naming(suffix: Option<&str>, extensions: Extensions) -> PyResult<Naming> {
    let Some(suffix) = suffix else { return Ok(Naming::default().with_extensions(extensions)) };
    Naming::new(suffix, extensions).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Returns the policy that a word names.
pub(crate) fn policy(word: &str) -> PyResult<Policy> {
    choice("policy", Policy::WORDS, word)
}

/// Returns the scope that a word names.
pub(crate) fn scope(word: &str) -> PyResult<Scope> {
    choice("scope", Scope::WORDS, word)
}

/// Returns the rule for updates that a word names.
pub(crate) fn updates(word: &str) -> PyResult<Updates> {
    choice("rule for updates", Updates::WORDS, word)
}

fn choice<T: Copy, const N: usize>(
    what: &str,
    words: [(&'static str, T); N],
    word: &str,
) -> PyResult<T> {
    let known = words.iter().find(|(known, _)| *known == word);
    known.map(|(_, choice)| *choice).ok_or_else(|| {
        let words = words.map(|(word, _)| word).join(", ");
        PyValueError::new_err(texts::unknown_choice(what, word, &words))
    })
}

/// Reads a number of at least one: nothing here is unlimited.
pub(crate) fn count<T: Default + PartialEq>(name: &str, given: Option<T>) -> PyResult<Option<T>> {
    match given {
        Some(zero) if zero == T::default() => Err(PyValueError::new_err(texts::no_count(name))),
        given => Ok(given),
    }
}

/// A setter of a builder.
pub(crate) type Setter<B, T> = fn(B, T) -> B;

/// Has a builder take a value that was given.
pub(crate) fn set<B, T>(builder: B, given: Option<T>, set: impl FnOnce(B, T) -> B) -> B {
    match given {
        Some(value) => set(builder, value),
        None => builder,
    }
}

/// Reads a span in seconds.
pub(crate) fn seconds(name: &str, given: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(given)
        .map_err(|_| PyValueError::new_err(texts::no_seconds(name, given)))
}

/// Reads a span in seconds that is more than none.
pub(crate) fn limit(name: &str, given: Option<f64>) -> PyResult<Option<Duration>> {
    match given.map(|given| seconds(name, given)).transpose()? {
        Some(Duration::ZERO) => Err(PyValueError::new_err(texts::no_time(name))),
        given => Ok(given),
    }
}

/// Returns the speed limits in bytes per second; `None` is unlimited.
pub(crate) fn limits(up: Option<u64>, down: Option<u64>) -> PyResult<Limits> {
    let limit = |name: &str, given: Option<u64>| match given {
        Some(0) => Err(PyValueError::new_err(texts::no_limit(name))),
        given => Ok(given),
    };
    Ok(Limits::new(limit("limit_up", up)?, limit("limit_down", down)?))
}

/// Checks what others are to call this PC.
pub(crate) fn name(given: &str) -> PyResult<&str> {
    ClientBuilder::check_name(given).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Reads a dictionary of options. One of a wrong type or size is named.
pub(crate) fn extract<'py, T>(given: &Bound<'py, PyAny>) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    let py = given.py();
    given.extract().map_err(|error: PyErr| {
        let Some(cause) = error.cause(py) else { return error };
        let text = error.value(py).to_string();
        let name = text.rsplit('.').next().unwrap_or_default();
        let text = texts::about_option(name, cause.value(py));
        if cause.is_instance_of::<PyOverflowError>(py) {
            PyValueError::new_err(text)
        } else {
            PyTypeError::new_err(text)
        }
    })
}
