//! Entries, manifests and the scan of a folder.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use liverysync::{self as shell, Collision, Content, ContentHash, RelPath, UnixTime};
use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    sync::PyOnceLock,
    types::{PyDict, PyIterator, PyTuple},
};

use crate::{errors, options, runtime, texts};

/// One file: its path below the liveries folder and its content.
#[pyclass(frozen, eq, module = "liverysync", from_py_object)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry(pub(crate) shell::Entry);

/// Path, size, SHA-256 and modification time.
type NewArgs = (String, u64, String, Option<f64>);

#[pymethods]
impl Entry {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str, &'static str, &'static str) =
        ("path", "bytes", "sha256", "mtime");

    #[new]
    #[pyo3(signature = (path, bytes, sha256, mtime=None, *, extensions=None))]
    fn new(
        path: &str,
        bytes: u64,
        sha256: &str,
        mtime: Option<f64>,
        extensions: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let path = parse_path(path, extensions)?;
        let content = Content { hash: parse_hash(sha256)?, size: bytes };
        let mtime = mtime.map(|seconds| {
            UnixTime::from_seconds(seconds)
                .ok_or_else(|| PyValueError::new_err(texts::no_date(seconds)))
        });
        Ok(Self(shell::Entry { path, content, mtime: mtime.transpose()? }))
    }

    /// Path below the liveries folder, with `/` between components.
    #[getter]
    fn path(&self) -> &str {
        self.0.path.as_str()
    }

    /// Size in bytes.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.content.size
    }

    /// SHA-256 of the content, 64 hex digits.
    #[getter]
    fn sha256(&self) -> String {
        self.0.content.hash.to_string()
    }

    /// Time of the last change in seconds since 1970 UTC, or None where it is not known.
    #[getter]
    fn mtime(&self) -> Option<f64> {
        self.0.mtime.map(UnixTime::as_seconds)
    }

    /// For pickle and copy. The path was checked against a list that had its extension.
    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> PyResult<(NewArgs, Bound<'py, PyDict>)> {
        let named = PyDict::new(py);
        named.set_item("extensions", [self.0.path.extension()])?;
        Ok(((self.path().to_owned(), self.bytes(), self.sha256(), self.mtime()), named))
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.0.path, self.0.content, self.0.mtime).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let path = self.path().into_pyobject(py)?.repr()?;
        let mtime = self.mtime().into_pyobject(py)?.repr()?;
        let content = &self.0.content;
        Ok(format!(
            "Entry(path={path}, bytes={}, sha256='{}', mtime={mtime})",
            content.size, content.hash
        ))
    }
}

/// Something in a folder that is not shared, and why.
#[pyclass(frozen, eq, hash, get_all, module = "liverysync")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Skipped {
    path: String,
    kind: String,
    reason: String,
}

#[pymethods]
impl Skipped {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str, &'static str) = ("path", "kind", "reason");

    #[new]
    const fn new(path: String, kind: String, reason: String) -> Self {
        Self { path, kind, reason }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let [path, kind, reason] =
            [&self.path, &self.kind, &self.reason].map(|text| text.into_pyobject(py));
        Ok(format!(
            "Skipped(path={}, kind={}, reason={})",
            path?.repr()?,
            kind?.repr()?,
            reason?.repr()?
        ))
    }
}

impl From<&shell::Skipped> for Skipped {
    fn from(skipped: &shell::Skipped) -> Self {
        let kind = skipped.reason.kind().to_owned();
        Self { path: skipped.path.clone(), kind, reason: skipped.reason.to_string() }
    }
}

/// Which files a PC holds, ordered by path without regard to case.
#[pyclass(frozen, module = "liverysync")]
pub(crate) struct Manifest {
    pub(crate) core: shell::Manifest,
    skipped: Vec<Skipped>,
    /// Made when they are first asked for.
    hash: OnceLock<ContentHash>,
    entries: PyOnceLock<Py<PyTuple>>,
}

impl From<shell::Manifest> for Manifest {
    fn from(core: shell::Manifest) -> Self {
        let (hash, entries) = (OnceLock::new(), PyOnceLock::new());
        Self { core, skipped: Vec::new(), hash, entries }
    }
}

impl Manifest {
    fn content_hash(&self, py: Python<'_>) -> ContentHash {
        match self.hash.get() {
            Some(hash) => *hash,
            None => runtime::detached(py, || *self.hash.get_or_init(|| self.core.hash())),
        }
    }
}

#[pymethods]
impl Manifest {
    #[new]
    #[pyo3(signature = (entries=None))]
    fn new(py: Python<'_>, entries: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(entries) = entries else { return Ok(shell::Manifest::new().into()) };
        let given: Vec<Bound<'_, Entry>> =
            entries.try_iter()?.map(|entry| Ok(entry?.cast_into()?)).collect::<PyResult<_>>()?;
        let given: Vec<_> = given.iter().map(|entry| &entry.get().0).collect();
        let made = runtime::detached(py, || {
            let mut made = shell::Manifest::new();
            for entry in given {
                made.insert(entry.clone()).map_err(|collision| (entry.path.clone(), collision))?;
            }
            Ok(made)
        });
        made.map(Self::from).map_err(|(path, collision): (RelPath, Collision)| {
            errors::invalid_path(path.as_str(), &collision)
        })
    }

    /// SHA-256 over paths, sizes and contents, 64 hex digits. Protocol 1 calls it the manifest hash.
    #[getter]
    fn hash(&self, py: Python<'_>) -> String {
        self.content_hash(py).to_string()
    }

    /// All files.
    #[getter]
    fn entries<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let made = self.entries.get_or_try_init(py, || {
            let entries = self.core.iter().map(|entry| Entry(entry.clone()));
            PyTuple::new(py, entries.collect::<Vec<_>>()).map(Bound::unbind)
        })?;
        Ok(made.bind(py).clone())
    }

    /// Returns the skipped files with their reasons.
    #[getter]
    fn skipped<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.skipped.iter().cloned())
    }

    /// Sum of the sizes, in bytes.
    #[getter]
    fn total_bytes(&self, py: Python<'_>) -> u64 {
        runtime::detached(py, || self.core.total_bytes())
    }

    fn __len__(&self) -> usize {
        self.core.len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.entries(py)?.try_iter()
    }

    /// Same paths, same contents: what [`Manifest::hash`] sees.
    fn __eq__(&self, py: Python<'_>, other: &Self) -> bool {
        let same = |(one, two): (&shell::Entry, &shell::Entry)| {
            one.path == two.path && one.content == two.content
        };
        runtime::detached(py, || {
            self.core.len() == other.core.len() && self.core.iter().zip(other.core.iter()).all(same)
        })
    }

    fn __hash__(&self, py: Python<'_>) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.content_hash(py).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let (files, bytes) = (self.core.len(), self.total_bytes(py));
        format!("<Manifest: {files} files, {bytes} bytes, hash {}>", self.content_hash(py).short())
    }
}

/// Walks a folder and hashes what of it is shared, on all cores.
#[pyfunction]
#[pyo3(signature = (liveries=None, *, extensions=None, derived_dds=false, max_entries=None, max_file_size=None))]
pub(crate) fn scan(
    py: Python<'_>,
    liveries: Option<PathBuf>,
    extensions: Option<&Bound<'_, PyAny>>,
    derived_dds: bool,
    max_entries: Option<usize>,
    max_file_size: Option<u64>,
) -> PyResult<Manifest> {
    let rules = options::rules(extensions, derived_dds, max_entries, max_file_size)?;
    let liveries = folder(py, liveries)?;
    runtime::detached(py, || {
        let scan = shell::scan(&liveries, &rules)?;
        let skipped = scan.skipped.iter().map(Skipped::from).collect();
        Ok(Manifest { skipped, ..scan.manifest.into() })
    })
    .map_err(|error: shell::ScanError| errors::scan(&error))
}

/// A finding: its kind, the livery, the file, the problem and the fix.
type Found = (&'static str, String, Option<String>, String, String);

/// Finds what is probably wrong with the liveries of a folder.
#[pyfunction]
pub(crate) fn lint(
    py: Python<'_>,
    liveries: Option<PathBuf>,
    rules: Option<PathBuf>,
    extensions: Option<&Bound<'_, PyAny>>,
    derived_dds: bool,
    max_entries: Option<usize>,
    max_file_size: Option<u64>,
) -> PyResult<Vec<Found>> {
    let shared = options::rules(extensions, derived_dds, max_entries, max_file_size)?;
    let rules = rules.map(|file| lint_rules(py, &file)).transpose()?.unwrap_or_default();
    let liveries = folder(py, liveries)?;
    let findings = runtime::detached(py, || Ok(shell::scan(&liveries, &shared)?.lint(&rules)));
    let findings = findings.map_err(|error: shell::ScanError| errors::scan(&error))?;
    let found = |finding: shell::Finding| {
        let (reason, fix) = (finding.reason(), finding.fix());
        (finding.kind(), finding.livery, finding.path, reason, fix)
    };
    Ok(findings.into_iter().map(found).collect())
}

/// Reads the rules of a league.
pub(crate) fn lint_rules(py: Python<'_>, file: &Path) -> PyResult<shell::LintRules> {
    runtime::detached(py, || shell::read_lint_rules(file))
        .map_err(|error| errors::lint_rules(file, &error))
}

/// The folder that was given, or the game's.
pub(crate) fn folder(py: Python<'_>, given: Option<PathBuf>) -> PyResult<PathBuf> {
    match given {
        Some(given) => Ok(given),
        None => runtime::detached(py, shell::liveries_folder)
            .map_err(|not_found| errors::no_folder(&not_found)),
    }
}

/// Checks a path.
pub(crate) fn parse_path(path: &str, list: Option<&Bound<'_, PyAny>>) -> PyResult<RelPath> {
    RelPath::parse(path, &options::extensions(list)?)
        .map_err(|invalid| errors::invalid_path(&invalid.path, &invalid.fault))
}

/// Reads 64 hex digits.
pub(crate) fn parse_hash(sha256: &str) -> PyResult<ContentHash> {
    sha256.parse().map_err(|error| PyValueError::new_err(texts::invalid_hash(sha256, error)))
}
