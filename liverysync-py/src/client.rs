//! A driver's client.

use std::{path::PathBuf, time::Duration};

use liverysync::{
    Act, ActReport, Client as ShellClient, ClientBuilder, ClientError, ClientEvent, SyncError,
    SyncReport,
};
use pyo3::{exceptions::PyValueError, prelude::*};

use crate::{
    errors,
    events::Events,
    manifest::{folder, lint_rules},
    options::{self, Setter, limit, set},
    runtime::{self, Config, Held, Starting},
    texts,
};

/// The options of a client, as Python names them. `None` is the default.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Options<'py> {
    host: String,
    port: u16,
    name: Option<String>,
    liveries: Option<PathBuf>,
    state: Option<PathBuf>,
    identity: Option<PathBuf>,
    share: Option<Bound<'py, PyAny>>,
    lint_rules: Option<PathBuf>,
    receive_only: bool,
    send_only: bool,
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
    fn builder(self, py: Python<'_>) -> PyResult<ClientBuilder> {
        let mut rules = options::rules(
            self.extensions.as_ref(),
            self.derived_dds,
            self.max_entries,
            self.max_file_size,
        )?;
        let naming = options::naming(self.conflict_suffix.as_deref(), rules.extensions.clone())?;
        rules.placeholders = self.placeholders;
        let name = self.name.as_deref().map(options::name).transpose()?;
        let steam_id = self.steam_id.or_else(|| runtime::detached(py, liverysync::steam_id));
        let builder = ShellClient::builder(self.host)
            .port(self.port)
            .liveries(folder(py, self.liveries)?)
            .rules(rules)
            .naming(naming)
            .dry_run(self.dry_run);
        let share = self.share.as_ref().map(options::shared).transpose()?;
        let only = options::only(self.receive_only, self.send_only)?;
        let builder = set(builder, share, ClientBuilder::share);
        let builder = set(builder, only, ClientBuilder::only);
        let lint = self.lint_rules.map(|file| lint_rules(py, &file)).transpose()?;
        let builder = set(builder, lint, ClientBuilder::lint_rules);
        let builder = set(builder, self.state, ClientBuilder::state);
        let builder = set(builder, self.identity, ClientBuilder::identity);
        let builder = set(builder, name, ClientBuilder::name);
        let mut builder = set(builder, steam_id, ClientBuilder::steam_id);
        let spans: [(_, _, Setter<ClientBuilder, Duration>); 6] = [
            ("settle_seconds", self.settle_seconds, ClientBuilder::settle),
            ("rescan_seconds", self.rescan_seconds, ClientBuilder::rescan),
            ("retry_first_seconds", self.retry_first_seconds, ClientBuilder::retry_first),
            ("retry_max_seconds", self.retry_max_seconds, ClientBuilder::retry_max),
            (
                "silence_timeout_seconds",
                self.silence_timeout_seconds,
                ClientBuilder::silence_timeout,
            ),
            ("stall_timeout_seconds", self.stall_timeout_seconds, ClientBuilder::stall_timeout),
        ];
        for (name, given, setter) in spans {
            builder = set(builder, limit(name, given)?, setter);
        }
        Ok(builder)
    }
}

impl Config for ClientBuilder {
    type Running = ShellClient;
    type Event = ClientEvent;
    type Error = ClientError;

    async fn start(self) -> Result<(ShellClient, liverysync::Events<ClientEvent>), ClientError> {
        self.start_with_events().await
    }

    async fn stop(running: ShellClient) {
        running.stop().await;
    }
}

/// The configuration of a client, for `liverysync.Client` and `liverysync.blocking.Client`.
#[pyclass(frozen, module = "liverysync._liverysync")]
pub(crate) struct Client(ClientBuilder);

#[pymethods]
impl Client {
    #[new]
    fn new(py: Python<'_>, options: &Bound<'_, PyAny>) -> PyResult<Self> {
        let options: Options<'_> = options::extract(options)?;
        let limits = options::limits(options.limit_up, options.limit_down)?;
        Ok(Self(options.builder(py)?.limits(limits)))
    }

    /// Starts a client, and returns its events from the first one on too.
    fn start(&self, py: Python<'_>) -> PyResult<Started> {
        started(runtime::block_on(py, runtime::starting(&self.0)?)?)
    }

    /// Changes liveries of the driver's own.
    fn act(
        &self,
        py: Python<'_>,
        command: &str,
        names: Vec<String>,
        dry_run: bool,
    ) -> PyResult<Acted> {
        let (builder, act) = (self.0.clone().dry_run(dry_run), act(command, names)?);
        acted(runtime::block_on(py, async move { builder.act(&act).await })?)
    }

    /// Does what `act` does, for asyncio.
    fn act_async<'py>(
        &self,
        py: Python<'py>,
        command: &str,
        names: Vec<String>,
        dry_run: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (builder, act) = (self.0.clone().dry_run(dry_run), act(command, names)?);
        runtime::awaitable(
            py,
            || Ok(async move { builder.act(&act).await }),
            |py, result| Ok(acted(result)?.into_pyobject(py)?.into_any().unbind()),
        )
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

/// Returns the change that a command names.
fn act(command: &str, names: Vec<String>) -> PyResult<Act> {
    match (command, &names[..]) {
        ("withdraw", [_, ..]) => Ok(Act::Retire { liveries: names, confirmed: true }),
        ("rename", [livery, new]) => Ok(Act::Rename { livery: livery.clone(), new: new.clone() }),
        ("replace", [old, new]) => Ok(Act::Replace { old: old.clone(), new: new.clone() }),
        _ => Err(PyValueError::new_err(texts::NO_LIVERY)),
    }
}

/// The numbers of files that have another name, and that have none any more.
type Acted = (usize, usize);

fn acted(result: Result<ActReport, ClientError>) -> PyResult<Acted> {
    let report = result.map_err(|error| errors::client(&error))?;
    Ok((report.placed, report.retired))
}

type Started = (RunningClient, Events);

fn started(result: Starting<ClientBuilder>) -> PyResult<Started> {
    let (held, events) = result.map_err(|error| errors::client(&error))?;
    Ok((RunningClient(held), Events::new(events)))
}

/// A running client, for `liverysync.RunningClient` and `liverysync.blocking.RunningClient`.
#[pyclass(frozen, module = "liverysync._liverysync")]
pub(crate) struct RunningClient(Held<ClientBuilder>);

/// Waits until a client is in sync.
async fn syncing(client: ShellClient, timeout: Option<Duration>) -> Result<SyncReport, SyncError> {
    match timeout {
        None => client.sync().await,
        Some(timeout) => client.sync().timeout(timeout).await,
    }
}

#[pymethods]
impl RunningClient {
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let stopping = self.0.stop()?;
        runtime::block_on(py, stopping).map(drop)
    }

    /// Stops it for asyncio, even if nobody waits for the end.
    fn stop_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        runtime::awaitable(py, || self.0.stop(), |py, _stopped| Ok(py.None()))
    }

    /// Returns the report and, of a dry run, the plan, both as JSON.
    fn sync(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Reported> {
        let timeout = timeout.map(|given| options::seconds("timeout", given)).transpose()?;
        let syncing = syncing(self.0.get()?.clone(), timeout);
        report(runtime::block_on(py, syncing)?)
    }

    /// Does what `sync` does, for asyncio.
    fn sync_async<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let timeout = timeout.map(|given| options::seconds("timeout", given)).transpose()?;
        let client = self.0.get()?.clone();
        runtime::awaitable(
            py,
            || Ok(syncing(client, timeout)),
            |py, result| Ok(report(result)?.into_pyobject(py)?.into_any().unbind()),
        )
    }

    fn set_limits(&self, limit_up: Option<u64>, limit_down: Option<u64>) -> PyResult<()> {
        self.0.get()?.set_limits(options::limits(limit_up, limit_down)?);
        Ok(())
    }

    fn events(&self) -> PyResult<Events> {
        Ok(Events::new(self.0.get()?.events()))
    }
}

type Reported = (String, Option<String>);

fn report(result: Result<SyncReport, SyncError>) -> PyResult<Reported> {
    let mut report = result.map_err(|error| errors::sync(&error))?;
    let plan = report.plan.take().map(ClientEvent::Plan);
    // Texts, numbers and lists of them have a JSON form.
    let plan = plan.map(|plan| serde_json::to_string(&plan).unwrap_or_default());
    Ok((serde_json::to_string(&report).unwrap_or_default(), plan))
}
