//! Errors of Rust as the exceptions of `liverysync._errors`.

use std::{io, path::Path};

use liverysync::{client::ClientError, server::ServerError};
use liverysync_core::client::SyncError;
use pyo3::PyErr;

mod classes {
    pyo3::import_exception!(liverysync._errors, AlreadyStarted);
    pyo3::import_exception!(liverysync._errors, CannotStart);
    pyo3::import_exception!(liverysync._errors, ConnectionLost);
    pyo3::import_exception!(liverysync._errors, FolderBusy);
    pyo3::import_exception!(liverysync._errors, FolderError);
    pyo3::import_exception!(liverysync._errors, InvalidPath);
    pyo3::import_exception!(liverysync._errors, LiverySyncError);
    pyo3::import_exception!(liverysync._errors, NotRunning);
    pyo3::import_exception!(liverysync._errors, TimedOut);
    pyo3::import_exception!(liverysync._errors, Unreachable);
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

/// Nothing happened in time.
pub(crate) fn timed_out(text: String) -> PyErr {
    classes::TimedOut::new_err(text)
}

/// A panic of a client or server: a bug.
pub(crate) fn panicked(words: &str) -> PyErr {
    classes::LiverySyncError::new_err(format!("this is a bug of liverysync: {words}"))
}

/// A client that cannot start.
pub(crate) fn client(error: &ClientError) -> PyErr {
    match error {
        ClientError::Folder { path, reason } => folder(Some(path), reason),
        ClientError::Busy { path } => {
            let reason = "another liverysync client already syncs it";
            classes::FolderBusy::new_err((path.as_os_str().to_owned(), reason))
        }
        ClientError::System(reason) => cannot_start(reason, error),
        ClientError::RanBefore => classes::AlreadyStarted::new_err(error.to_string()),
        _ => classes::LiverySyncError::new_err(error.to_string()),
    }
}

/// A server that cannot start.
pub(crate) fn server(error: &ServerError) -> PyErr {
    match error {
        ServerError::Bind { reason, .. }
        | ServerError::Data { reason, .. }
        | ServerError::AllowList { reason, .. } => cannot_start(reason, error),
        ServerError::RanBefore => classes::AlreadyStarted::new_err(error.to_string()),
        _ => classes::LiverySyncError::new_err(error.to_string()),
    }
}

/// A sync that cannot end.
pub(crate) fn sync(error: &SyncError) -> PyErr {
    let text = error.to_string();
    match error {
        SyncError::NotRunning => classes::NotRunning::new_err(text),
        SyncError::Unreachable { .. } => classes::Unreachable::new_err(text),
        SyncError::ConnectionLost { .. } => classes::ConnectionLost::new_err(text),
        SyncError::Folder { folder: path, reason } => folder(Some(Path::new(path)), reason),
        SyncError::TimedOut { .. } => classes::TimedOut::new_err(text),
        _ => classes::LiverySyncError::new_err(text),
    }
}

fn cannot_start(reason: &io::Error, text: &impl ToString) -> PyErr {
    classes::CannotStart::new_err((reason.raw_os_error(), text.to_string()))
}
