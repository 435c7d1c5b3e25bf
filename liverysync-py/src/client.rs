//! A driver's client.

use std::{path::PathBuf, sync::Arc};

use liverysync::{
    client::{self as shell, ClientError, ClientOptions},
    places,
};
use liverysync_core::{
    client::{ClientConfig, Event, SyncError, SyncReport},
    select::Rules,
};
use pyo3::prelude::*;

use crate::{
    errors,
    events::Events,
    manifest::folder,
    options::{self, limit},
    runtime::{self, Held, Stop},
};

/// What Python knows of a client, by name. `None` is the default.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Options<'py> {
    host: String,
    port: u16,
    name: Option<String>,
    liveries: Option<PathBuf>,
    state: Option<PathBuf>,
    extensions: Option<Bound<'py, PyAny>>,
    derived_dds: bool,
    placeholders: bool,
    steam_id: Option<String>,
    conflict_suffix: Option<String>,
    dry_run: bool,
    max_entries: Option<usize>,
    max_file_size: Option<u64>,
    rescan_seconds: Option<f64>,
    settle_seconds: Option<f64>,
    retry_first_seconds: Option<f64>,
    retry_max_seconds: Option<f64>,
    silence_timeout_seconds: Option<f64>,
    stall_timeout_seconds: Option<f64>,
    limit_up: Option<u64>,
    limit_down: Option<u64>,
}

impl Options<'_> {
    fn core(&self, py: Python<'_>) -> PyResult<ClientConfig> {
        let defaults = ClientConfig::default();
        let extensions = self.extensions.as_ref();
        let rules =
            options::rules(extensions, self.derived_dds, self.max_entries, self.max_file_size)?;
        let retry_first =
            limit("retry_first_seconds", self.retry_first_seconds, defaults.retry_first)?;
        let retry_cap = limit("retry_max_seconds", self.retry_max_seconds, defaults.retry_cap)?;
        let silence_timeout = limit(
            "silence_timeout_seconds",
            self.silence_timeout_seconds,
            defaults.silence_timeout,
        )?;
        let stall_timeout =
            limit("stall_timeout_seconds", self.stall_timeout_seconds, defaults.stall_timeout)?;
        let steam_id = match &self.steam_id {
            Some(given) => given.clone(),
            None => runtime::detached(py, places::steam_id).unwrap_or(defaults.steam_id),
        };
        let rules = Rules { placeholders: self.placeholders, ..rules };
        Ok(ClientConfig {
            name: options::name(self.name.as_deref())?,
            steam_id,
            member_key: defaults.member_key,
            ignored: defaults.ignored,
            naming: options::naming(self.conflict_suffix.as_deref(), rules.extensions.clone())?,
            rules,
            settle: limit("settle_seconds", self.settle_seconds, defaults.settle)?,
            rescan: limit("rescan_seconds", self.rescan_seconds, defaults.rescan)?,
            retry_first,
            retry_cap,
            silence_timeout,
            ping: defaults.ping,
            stall_timeout,
            dry_run: self.dry_run,
        })
    }
}

impl Client {
    fn starting(&self) -> PyResult<impl Future<Output = Result<(), ClientError>> + Send + use<>> {
        runtime::starting(&self.0, shell::Client::start)
    }
}

impl Stop for shell::Client {
    async fn stop(&self) {
        Self::stop(self).await;
    }
}

/// A client, for `liverysync.Client` and `liverysync.blocking.Client`.
#[pyclass(frozen, module = "liverysync._liverysync")]
pub(crate) struct Client(Arc<Held<shell::Client>>);

#[pymethods]
impl Client {
    #[new]
    fn new(py: Python<'_>, options: &Bound<'_, PyAny>) -> PyResult<Self> {
        let options: Options<'_> = options::extract(options)?;
        let core = options.core(py)?;
        let limits = options::limits(options.limit_up, options.limit_down)?;
        let liveries = folder(py, options.liveries)?;
        let mut made = ClientOptions::new(options.host, options.port, liveries);
        made.state = options.state;
        (made.core, made.limits) = (core, limits);
        Ok(Self(Arc::new(Held::new(shell::Client::new(made)))))
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        let started = runtime::block_on(py, self.starting()?)?;
        started.map_err(|error| errors::client(py, &error))
    }

    /// For asyncio: as `start`.
    fn start_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        runtime::awaitable(
            py,
            || self.starting(),
            |py, started| started.map(|()| py.None()).map_err(|error| errors::client(py, &error)),
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

    /// The report and, of a dry run, the plan, both as JSON.
    fn sync(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Reported> {
        let timeout = timeout.map(|given| options::seconds("timeout", given)).transpose()?;
        report(py, runtime::block_on(py, self.0.inner.sync(timeout))?)
    }

    /// For asyncio: as `sync`.
    fn sync_async<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let timeout = timeout.map(|given| options::seconds("timeout", given)).transpose()?;
        let client = self.0.inner.clone();
        runtime::awaitable(
            py,
            || Ok(async move { client.sync(timeout).await }),
            |py, result| Ok(report(py, result)?.into_pyobject(py)?.into_any().unbind()),
        )
    }

    fn set_limits(&self, limit_up: Option<u64>, limit_down: Option<u64>) -> PyResult<()> {
        self.0.inner.set_limits(options::limits(limit_up, limit_down)?);
        Ok(())
    }

    fn events(&self) -> Events {
        Events::new(self.0.inner.events())
    }
}

type Reported = (String, Option<String>);

fn report(py: Python<'_>, result: Result<SyncReport, SyncError>) -> PyResult<Reported> {
    let mut report = result.map_err(|error| errors::sync(py, &error))?;
    let plan = report.plan.take().map(|plan| Event::Plan(*plan));
    // Texts, numbers and lists of them have a JSON form.
    let plan = plan.map(|plan| serde_json::to_string(&plan).unwrap_or_default());
    Ok((serde_json::to_string(&report).unwrap_or_default(), plan))
}
