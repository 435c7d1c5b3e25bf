//! Errors of Rust as the exceptions of `liverysync._errors`.

use std::path::Path;

use pyo3::PyErr;

mod classes {
    pyo3::import_exception!(liverysync._errors, FolderError);
    pyo3::import_exception!(liverysync._errors, InvalidPath);
}

/// A path that is refused.
pub(crate) fn invalid_path(path: &str, reason: &impl ToString) -> PyErr {
    classes::InvalidPath::new_err((path.to_owned(), reason.to_string()))
}

/// A folder that cannot be used.
pub(crate) fn folder(path: Option<&Path>, reason: &impl ToString) -> PyErr {
    let path = path.map(|path| path.as_os_str().to_owned());
    classes::FolderError::new_err((path, reason.to_string()))
}
