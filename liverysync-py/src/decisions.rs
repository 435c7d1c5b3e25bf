//! The pure decisions. What has several parts comes out as tuples; `liverysync._decisions` gives the parts names.

use std::{collections::BTreeSet, path::PathBuf};

use liverysync::{self as shell, Naming, Policy, RelPath, Scope, UnixTime, Updates, fold};
use pyo3::prelude::*;

use crate::{
    errors,
    manifest::{Entry, Manifest, folder, parse_hash, parse_path},
    options, runtime,
};

type Entries = Vec<Entry>;

/// Compares two manifests: missing, different (have, want), extra.
#[pyfunction]
#[pyo3(signature = (have, want))]
fn diff(
    py: Python<'_>,
    have: &Bound<'_, Manifest>,
    want: &Bound<'_, Manifest>,
) -> (Entries, Vec<(Entry, Entry)>, Entries) {
    let (have, want) = (&have.get().core, &want.get().core);
    let diff = runtime::detached(py, || have.diff(want));
    let entries = |entries: Vec<_>| entries.into_iter().map(Entry).collect();
    let pair = |(have, want)| (Entry(have), Entry(want));
    (entries(diff.missing), diff.different.into_iter().map(pair).collect(), entries(diff.extra))
}

/// Path, size, SHA-256, modification time and holders (member, path there) of a file of the union.
type UnionEntry = (String, u64, String, Option<f64>, Vec<(u64, String)>);
/// Member, path, and the name in the union or the reason.
type Placed = (u64, String, String);

/// Entries, conflicts, refused, the union as a manifest, and its hash.
type Merged = (Vec<UnionEntry>, Vec<Placed>, Vec<Placed>, Manifest, String);

/// Merges manifests.
#[pyfunction]
#[pyo3(signature = (manifests, policy, scope, suffix, extensions))]
fn merge(
    py: Python<'_>,
    manifests: &Bound<'_, PyAny>,
    policy: &str,
    scope: &str,
    suffix: Option<&str>,
    extensions: Option<&Bound<'_, PyAny>>,
) -> PyResult<Merged> {
    let policy = options::policy(policy)?;
    let naming = options::naming(suffix, options::extensions(extensions)?)?
        .with_scope(options::scope(scope)?);
    let members: Vec<Bound<'_, Manifest>> =
        manifests.try_iter()?.map(|item| Ok(item?.cast_into()?)).collect::<PyResult<_>>()?;
    let manifests: Vec<_> = members.iter().map(|member| &member.get().core).collect();
    Ok(runtime::detached(py, || merged(manifests, policy, naming)))
}

/// Merges, and takes the result apart: many texts, which take as long to make as the union itself.
fn merged(manifests: Vec<&shell::Manifest>, policy: Policy, naming: Naming) -> Merged {
    let (union, outcome) = shell::Union::merge(manifests, policy, naming);
    let manifest = union.manifest();
    let entries = union.iter().map(|entry| {
        let holders = entry.holders().map(|(member, path)| (member.0, path.to_string())).collect();
        let (path, hash) = (entry.path.to_string(), entry.content.hash.to_string());
        (path, entry.content.size, hash, entry.mtime.map(UnixTime::as_seconds), holders)
    });
    let conflicts = outcome.conflicts.iter();
    let conflicts =
        conflicts.map(|(member, path, name)| (member.0, path.to_string(), name.to_string()));
    let refused = outcome.refused.iter();
    let refused =
        refused.map(|(member, path, reason)| (member.0, path.to_string(), reason.to_string()));
    let hash = manifest.union_hash().to_string();
    (entries.collect(), conflicts.collect(), refused.collect(), manifest.into(), hash)
}

/// Returns the conflict name of a content at a path.
#[pyfunction]
#[pyo3(signature = (path, sha256, taken=None, *, suffix=None, extensions=None))]
fn conflict_name(
    py: Python<'_>,
    path: &str,
    sha256: &str,
    taken: Option<&Bound<'_, PyAny>>,
    suffix: Option<&str>,
    extensions: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    // A file of a folder takes a name only from another content.
    let there = taken.and_then(|taken| taken.cast::<Manifest>().ok());
    let there = there.map(|manifest| &manifest.get().core);
    let taken = taken.filter(|_| there.is_none());
    let taken = taken.map(|taken| options::list("taken", taken)).transpose()?.unwrap_or_default();
    let naming = options::naming(suffix, options::extensions(extensions)?)?;
    let (path, hash) = (parse_path(path, extensions)?, parse_hash(sha256)?);
    let named = runtime::detached(py, || {
        let taken: BTreeSet<_> = taken.iter().map(|name| fold(name)).collect();
        let is_taken = |name: &RelPath| {
            let established = there.and_then(|manifest| manifest.get(name.key()));
            taken.contains(name.key().as_str())
                || established.is_some_and(|entry| entry.content.hash != hash)
        };
        naming.conflict_name(&path, hash, is_taken).map(|name| name.to_string())
    });
    named.map_err(|invalid| errors::invalid_path(&invalid.path, &invalid.fault))
}

/// Refuses a path that could not be shared.
#[pyfunction]
#[pyo3(signature = (path, extensions=None))]
fn check_path(path: &str, extensions: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    parse_path(path, extensions).map(drop)
}

/// Makes text safe to show.
#[pyfunction]
#[pyo3(signature = (text, /))]
fn escape(text: &str) -> std::borrow::Cow<'_, str> {
    shell::escape(text)
}

/// Finds the game's liveries folder.
#[pyfunction]
fn liveries_folder(py: Python<'_>) -> PyResult<PathBuf> {
    folder(py, None)
}

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("POLICIES", Policy::WORDS.map(|(word, _)| word))?;
    module.add("SCOPES", Scope::WORDS.map(|(word, _)| word))?;
    module.add("UPDATES", Updates::WORDS.map(|(word, _)| word))?;
    module.add_function(wrap_pyfunction!(diff, module)?)?;
    module.add_function(wrap_pyfunction!(merge, module)?)?;
    module.add_function(wrap_pyfunction!(conflict_name, module)?)?;
    module.add_function(wrap_pyfunction!(check_path, module)?)?;
    module.add_function(wrap_pyfunction!(escape, module)?)?;
    module.add_function(wrap_pyfunction!(liveries_folder, module)?)
}
