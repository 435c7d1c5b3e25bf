//! The native half of the Python package `liverysync`: what Rust does, in the shape that the Python half wraps.
//!
//! - `manifest` and `decisions` are the pure part: scan, diff, merge, names and paths.
//! - `client`, `server` and `events` are what runs. Each wait is there twice, for asyncio and for threads, over one future.
//! - `texts` has every text of an exception that is this package's own.
//! - `errors` turns errors into the exceptions of `liverysync._errors`.
//! - `runtime` is where Rust works and Python waits: the GIL, cancellation, signals and the end of the interpreter.
//!
//! The face that users see is in `python/liverysync`; the names here are private to it.

#![forbid(unsafe_code)]

mod client;
mod decisions;
mod errors;
mod events;
mod manifest;
mod options;
mod runtime;
mod server;
mod texts;

use pyo3::prelude::*;

/// The native half of `liverysync`.
#[pymodule]
fn _liverysync(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("BLOCK_OPEN", texts::BLOCK_OPEN)?;
    module.add_class::<client::Client>()?;
    module.add_class::<events::Events>()?;
    module.add_class::<manifest::Entry>()?;
    module.add_class::<manifest::Manifest>()?;
    module.add_class::<manifest::Skipped>()?;
    module.add_class::<client::RunningClient>()?;
    module.add_class::<server::RunningServer>()?;
    module.add_class::<server::Server>()?;
    module.add_function(wrap_pyfunction!(manifest::lint, module)?)?;
    module.add_function(wrap_pyfunction!(manifest::scan, module)?)?;
    module.add_function(wrap_pyfunction!(texts::texts, module)?)?;
    decisions::add_to(module)?;
    runtime::add_to(module)
}
