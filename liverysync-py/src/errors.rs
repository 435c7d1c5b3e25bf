//! Errors of Rust as the exceptions of `liverysync._errors`.

use std::{error::Error, fs, io, path::Path};

use liverysync::{ClientError, LintRulesMistake, ScanError, ServerError, SyncError, with_causes};
use pyo3::{
    PyErr,
    exceptions::{PyOSError, PyValueError},
};

use crate::texts;

// They are the same wherever Python runs.
const ENOENT: i32 = 2;
const EACCES: i32 = 13;
const EBUSY: i32 = 16;

mod classes {
    pyo3::import_exception!(liverysync._errors, ActRefused);
    pyo3::import_exception!(liverysync._errors, CannotStart);
    pyo3::import_exception!(liverysync._errors, ConnectionLost);
    pyo3::import_exception!(liverysync._errors, FolderBusy);
    pyo3::import_exception!(liverysync._errors, FolderError);
    pyo3::import_exception!(liverysync._errors, InvalidPath);
    pyo3::import_exception!(liverysync._errors, LiverySyncError);
    pyo3::import_exception!(liverysync._errors, Stopped);
    pyo3::import_exception!(liverysync._errors, TimedOut);
    pyo3::import_exception!(liverysync._errors, Unreachable);
}

/// Reports a path that is refused.
pub(crate) fn invalid_path(path: &str, reason: &impl ToString) -> PyErr {
    classes::InvalidPath::new_err((path.to_owned(), reason.to_string()))
}

/// Reports a folder that cannot be used, with the system's error number.
pub(crate) fn folder(path: &Path, number: Option<i32>, reason: &impl ToString) -> PyErr {
    classes::FolderError::new_err((number, reason.to_string(), path.as_os_str().to_owned()))
}

/// Reports a folder that cannot be scanned.
pub(crate) fn scan(error: &ScanError) -> PyErr {
    folder(&error.path, number(&error.source), &error.source)
}

/// Reports rules for lint that cannot be read, or have a mistake.
pub(crate) fn lint_rules(file: &Path, error: &io::Error) -> PyErr {
    match LintRulesMistake::find(error) {
        Some(mistake) => {
            PyValueError::new_err(texts::about_rules(&file.to_string_lossy(), mistake))
        }
        // Python makes the class of it that has this number.
        None => PyOSError::new_err((number(error), error.to_string(), file.as_os_str().to_owned())),
    }
}

/// Reports a folder that cannot be used, of which only the words are left: the system is asked again for the number.
fn folder_in_words(path: &Path, reason: &str) -> PyErr {
    let asked = fs::read_dir(path).err();
    folder(path, asked.as_ref().and_then(number), &reason)
}

/// Reports that no folder was found.
pub(crate) fn no_folder(reason: &impl ToString) -> PyErr {
    classes::FolderError::new_err((ENOENT, reason.to_string()))
}

/// Returns the `errno` of an error, as Python has it.
pub(crate) fn number(error: &io::Error) -> Option<i32> {
    match (error.kind(), error.raw_os_error()) {
        // Windows has other numbers for files.
        (io::ErrorKind::NotFound, Some(_)) => Some(ENOENT),
        (io::ErrorKind::PermissionDenied, Some(_)) if cfg!(windows) => Some(EACCES),
        // Those of its sockets are Python's too.
        (_, number) => number.filter(|number| !cfg!(windows) || *number >= 10_000),
    }
}

/// Reports that nothing happened in time.
pub(crate) fn timed_out(text: String) -> PyErr {
    classes::TimedOut::new_err(text)
}

/// Reports a client or server that is used after its block.
pub(crate) fn stopped() -> PyErr {
    classes::Stopped::new_err(texts::STOPPED)
}

/// Reports a panic of a client or server: a bug.
pub(crate) fn panicked(text: &str) -> PyErr {
    classes::LiverySyncError::new_err(texts::panicked(text))
}

/// Reports a client that cannot start.
pub(crate) fn client(error: &ClientError) -> PyErr {
    match error {
        ClientError::Folder { path, source } => folder(path, number(source), source),
        ClientError::Refused(_) => classes::ActRefused::new_err(with_causes(error)),
        ClientError::Server { source, .. } if source.kind() == io::ErrorKind::TimedOut => {
            timed_out(with_causes(error))
        }
        ClientError::Server { .. } => classes::Unreachable::new_err(with_causes(error)),
        ClientError::Busy { path } => {
            classes::FolderBusy::new_err((EBUSY, texts::BUSY, path.as_os_str().to_owned()))
        }
        ClientError::System(_) => cannot_start(error),
        _ => classes::LiverySyncError::new_err(with_causes(error)),
    }
}

/// Reports a server that cannot start.
pub(crate) fn server(error: &ServerError) -> PyErr {
    match error {
        ServerError::Bind { .. } | ServerError::Store(_) | ServerError::AllowList { .. } => {
            cannot_start(error)
        }
        _ => classes::LiverySyncError::new_err(with_causes(error)),
    }
}

/// Reports a sync that cannot end.
pub(crate) fn sync(error: &SyncError) -> PyErr {
    let text = error.to_string();
    match error {
        SyncError::Stopped => stopped(),
        SyncError::Unreachable { .. } => classes::Unreachable::new_err(text),
        SyncError::ConnectionLost { .. } => classes::ConnectionLost::new_err(text),
        SyncError::Folder { folder, reason } => folder_in_words(Path::new(folder), reason),
        SyncError::TimedOut { .. } => classes::TimedOut::new_err(text),
        _ => classes::LiverySyncError::new_err(text),
    }
}

fn cannot_start(error: &(dyn Error + 'static)) -> PyErr {
    let text = with_causes(error);
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(number) = error.downcast_ref().and_then(number) {
            return classes::CannotStart::new_err((number, text));
        }
        cause = error.source();
    }
    classes::CannotStart::new_err(text)
}
