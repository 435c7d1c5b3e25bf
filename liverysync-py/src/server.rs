//! A league's server.

use std::{path::PathBuf, sync::Arc};

use liverysync::server::{self as shell, ServerError, ServerOptions};
use liverysync_core::server::ServerConfig;
use pyo3::prelude::*;

use crate::{
    errors,
    events::Events,
    options::{self, count, limit},
    runtime::{self, Held, Stop},
};

/// What Python knows of a server, by name. `None` is the default.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Options<'py> {
    host: String,
    port: u16,
    data: Option<PathBuf>,
    allow_list: Option<PathBuf>,
    extensions: Option<Bound<'py, PyAny>>,
    max_entries: Option<usize>,
    max_file_size: Option<u64>,
    conflict_suffix: Option<String>,
    conflict_policy: String,
    conflict_scope: String,
    updates: String,
    max_files_per_session: Option<usize>,
    max_sessions_per_client: Option<usize>,
    max_sessions: Option<usize>,
    manifest_stale_seconds: Option<f64>,
    scheduler_tick_seconds: Option<f64>,
    hello_timeout_seconds: Option<f64>,
    silence_timeout_seconds: Option<f64>,
    first_file_timeout_seconds: Option<f64>,
    stall_timeout_seconds: Option<f64>,
    limit_up: Option<u64>,
    limit_down: Option<u64>,
    store_size: Option<u64>,
    spool_size: Option<u64>,
}

impl Options<'_> {
    fn core(&self) -> PyResult<ServerConfig> {
        let defaults = ServerConfig::default();
        let extensions = self.extensions.as_ref();
        let rules = options::rules(extensions, false, self.max_entries, self.max_file_size)?;
        Ok(ServerConfig {
            files_per_session_max: count(
                "max_files_per_session",
                self.max_files_per_session,
                defaults.files_per_session_max,
            )?,
            sessions_per_client_max: count(
                "max_sessions_per_client",
                self.max_sessions_per_client,
                defaults.sessions_per_client_max,
            )?,
            sessions_max: count("max_sessions", self.max_sessions, defaults.sessions_max)?,
            // Zero has a meaning here: nothing is kept for those who come later.
            store_bytes_max: self.store_size.unwrap_or(defaults.store_bytes_max),
            spool_bytes_max: count("spool_size", self.spool_size, defaults.spool_bytes_max)?,
            manifest_stale: limit(
                "manifest_stale_seconds",
                self.manifest_stale_seconds,
                defaults.manifest_stale,
            )?,
            scheduler_tick: limit(
                "scheduler_tick_seconds",
                self.scheduler_tick_seconds,
                defaults.scheduler_tick,
            )?,
            naming: options::naming(self.conflict_suffix.as_deref(), rules.extensions.clone())?
                .with_scope(options::scope(&self.conflict_scope)?),
            policy: options::policy(&self.conflict_policy)?,
            updates: options::updates(&self.updates)?,
            rules,
            hello_timeout: limit(
                "hello_timeout_seconds",
                self.hello_timeout_seconds,
                defaults.hello_timeout,
            )?,
            silence_timeout: limit(
                "silence_timeout_seconds",
                self.silence_timeout_seconds,
                defaults.silence_timeout,
            )?,
            first_file_timeout: limit(
                "first_file_timeout_seconds",
                self.first_file_timeout_seconds,
                defaults.first_file_timeout,
            )?,
            stall_timeout: limit(
                "stall_timeout_seconds",
                self.stall_timeout_seconds,
                defaults.stall_timeout,
            )?,
            ..defaults
        })
    }
}

impl Server {
    fn starting(&self) -> PyResult<impl Future<Output = Result<(), ServerError>> + Send + use<>> {
        runtime::starting(&self.0, |server| server.start().map(drop))
    }
}

impl Stop for shell::Server {
    async fn stop(&self) {
        Self::stop(self).await;
    }
}

/// A server, for `liverysync.Server` and `liverysync.blocking.Server`.
#[pyclass(frozen, module = "liverysync._liverysync")]
pub(crate) struct Server(Arc<Held<shell::Server>>);

#[pymethods]
impl Server {
    #[new]
    fn new(options: &Bound<'_, PyAny>) -> PyResult<Self> {
        let options: Options<'_> = options::extract(options)?;
        let core = options.core()?;
        let limits = options::limits(options.limit_up, options.limit_down)?;
        let Options { host, port, data, allow_list, .. } = options;
        let defaults = ServerOptions::new(host, port);
        let options = ServerOptions { data, allow_list, limits, core, ..defaults };
        Ok(Self(Arc::new(Held::new(shell::Server::new(options)))))
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        let started = runtime::block_on(py, self.starting()?)?;
        started.map_err(|error| errors::server(&error))
    }

    /// For asyncio: as `start`.
    fn start_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        runtime::awaitable(
            py,
            || self.starting(),
            |py, started| started.map(|()| py.None()).map_err(|error| errors::server(&error)),
        )
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let stopping = self.0.stop()?;
        runtime::block_on(py, stopping).map(drop)
    }

    /// For asyncio. It stops even if nobody waits for the end.
    fn stop_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        runtime::awaitable(py, || self.0.stop(), |py, _stopped| Ok(py.None()))
    }

    /// Where it listens: address and port.
    #[getter]
    fn address(&self) -> Option<(String, u16)> {
        self.0.inner.local_addr().map(|address| (address.ip().to_string(), address.port()))
    }

    /// How the league stands, as JSON.
    fn status(&self, py: Python<'_>) -> String {
        // Texts, numbers and lists of them have a JSON form.
        runtime::detached(py, || serde_json::to_string(&self.0.inner.status()).unwrap_or_default())
    }

    fn set_limits(&self, limit_up: Option<u64>, limit_down: Option<u64>) -> PyResult<()> {
        self.0.inner.set_limits(options::limits(limit_up, limit_down)?);
        Ok(())
    }

    fn events(&self) -> Events {
        Events::new(self.0.inner.events())
    }
}
