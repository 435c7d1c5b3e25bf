//! A league's server.

use std::{path::PathBuf, time::Duration};

use liverysync::{Server as ShellServer, ServerBuilder, ServerError, ServerEvent, league::Setting};
use pyo3::prelude::*;

use crate::{
    errors,
    events::Events,
    options::{self, Setter, count, limit, set},
    runtime::{self, Config, Held, Starting},
};

/// The options of a server, as Python names them. `None` is the default.
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
    conflict_policy: Option<String>,
    conflict_scope: Option<String>,
    updates: Option<String>,
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
    /// Returns the league's settings that the caller named.
    fn settings_given(&self) -> impl Iterator<Item = Setting> + use<> {
        let given = [
            (Setting::ConflictSuffix, self.conflict_suffix.is_some()),
            (Setting::ConflictScope, self.conflict_scope.is_some()),
            (Setting::ConflictPolicy, self.conflict_policy.is_some()),
            (Setting::Extensions, self.extensions.is_some()),
            (Setting::Updates, self.updates.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(setting, _)| setting)
    }

    fn builder(self) -> PyResult<ServerBuilder> {
        let extensions = self.extensions.as_ref();
        let rules = options::rules(extensions, false, self.max_entries, self.max_file_size)?;
        let naming = options::naming(self.conflict_suffix.as_deref(), rules.extensions.clone())?;
        let scope = self.conflict_scope.as_deref().map(options::scope).transpose()?;
        let policy = self.conflict_policy.as_deref().map(options::policy).transpose()?;
        let updates = self.updates.as_deref().map(options::updates).transpose()?;
        let settings_given: Vec<_> = self.settings_given().collect();
        let builder = ShellServer::builder()
            .host(self.host)
            .port(self.port)
            .naming(naming.with_scope(scope.unwrap_or_default()))
            .policy(policy.unwrap_or_default())
            .updates(updates.unwrap_or_default())
            .settings_given(settings_given)
            .rules(rules);
        let builder = set(builder, self.data, ServerBuilder::data);
        let builder = set(builder, self.allow_list, ServerBuilder::allow_list);
        // Zero has a meaning here: nothing is kept for those who come later.
        let builder = set(builder, self.store_size, ServerBuilder::store_bytes_max);
        let spool_size = count("spool_size", self.spool_size)?;
        let mut builder = set(builder, spool_size, ServerBuilder::spool_bytes_max);
        let counts: [(_, _, Setter<ServerBuilder, usize>); 3] = [
            (
                "max_files_per_session",
                self.max_files_per_session,
                ServerBuilder::files_per_session_max,
            ),
            (
                "max_sessions_per_client",
                self.max_sessions_per_client,
                ServerBuilder::sessions_per_client_max,
            ),
            ("max_sessions", self.max_sessions, ServerBuilder::sessions_max),
        ];
        for (name, given, setter) in counts {
            builder = set(builder, count(name, given)?, setter);
        }
        let spans: [(_, _, Setter<ServerBuilder, Duration>); 6] = [
            ("manifest_stale_seconds", self.manifest_stale_seconds, ServerBuilder::manifest_stale),
            ("scheduler_tick_seconds", self.scheduler_tick_seconds, ServerBuilder::scheduler_tick),
            ("hello_timeout_seconds", self.hello_timeout_seconds, ServerBuilder::hello_timeout),
            (
                "silence_timeout_seconds",
                self.silence_timeout_seconds,
                ServerBuilder::silence_timeout,
            ),
            (
                "first_file_timeout_seconds",
                self.first_file_timeout_seconds,
                ServerBuilder::first_file_timeout,
            ),
            ("stall_timeout_seconds", self.stall_timeout_seconds, ServerBuilder::stall_timeout),
        ];
        for (name, given, setter) in spans {
            builder = set(builder, limit(name, given)?, setter);
        }
        Ok(builder)
    }
}

impl Config for ServerBuilder {
    type Running = ShellServer;
    type Event = ServerEvent;
    type Error = ServerError;

    async fn start(self) -> Result<(ShellServer, liverysync::Events<ServerEvent>), ServerError> {
        self.start_with_events().await
    }

    async fn stop(running: ShellServer) {
        running.stop().await;
    }
}

/// The configuration of a server, for `liverysync.Server` and `liverysync.blocking.Server`.
#[pyclass(frozen, module = "liverysync._liverysync")]
pub(crate) struct Server(ServerBuilder);

#[pymethods]
impl Server {
    #[new]
    fn new(options: &Bound<'_, PyAny>) -> PyResult<Self> {
        let options: Options<'_> = options::extract(options)?;
        let limits = options::limits(options.limit_up, options.limit_down)?;
        Ok(Self(options.builder()?.limits(limits)))
    }

    /// Starts a server, and returns its events from the first one on too.
    fn start(&self, py: Python<'_>) -> PyResult<Started> {
        started(runtime::block_on(py, runtime::starting(&self.0)?)?)
    }

    /// Does what `start` does, for asyncio.
    fn start_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        runtime::awaitable(
            py,
            || runtime::starting(&self.0),
            |py, result| Ok(started(result)?.into_pyobject(py)?.into_any().unbind()),
        )
    }
}

type Started = (RunningServer, Events);

fn started(result: Starting<ServerBuilder>) -> PyResult<Started> {
    let (held, events) = result.map_err(|error| errors::server(&error))?;
    Ok((RunningServer(held), Events::new(events)))
}

/// A running server, for `liverysync.RunningServer` and `liverysync.blocking.RunningServer`.
#[pyclass(frozen, module = "liverysync._liverysync")]
pub(crate) struct RunningServer(Held<ServerBuilder>);

#[pymethods]
impl RunningServer {
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let stopping = self.0.stop()?;
        runtime::block_on(py, stopping).map(drop)
    }

    /// Stops it for asyncio, even if nobody waits for the end.
    fn stop_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        runtime::awaitable(py, || self.0.stop(), |py, _stopped| Ok(py.None()))
    }

    /// Returns the address and port at which it listens, or listened.
    #[getter]
    fn address(&self) -> (String, u16) {
        let address = self.0.any().address();
        (address.ip().to_string(), address.port())
    }

    /// Returns the status of the league as JSON.
    fn status(&self, py: Python<'_>) -> PyResult<String> {
        let server = self.0.get()?;
        // Texts, numbers and lists of them have a JSON form.
        Ok(runtime::detached(py, || serde_json::to_string(&server.status()).unwrap_or_default()))
    }

    fn set_limits(&self, limit_up: Option<u64>, limit_down: Option<u64>) -> PyResult<()> {
        self.0.get()?.set_limits(options::limits(limit_up, limit_down)?);
        Ok(())
    }

    fn events(&self) -> PyResult<Events> {
        Ok(Events::new(self.0.get()?.events()))
    }
}
