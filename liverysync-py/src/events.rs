//! Events on their way to Python, as the JSON objects of `docs/json.md`.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use liverysync::Event;
use pyo3::prelude::*;
use serde::Serialize;
use tokio::{sync, time::timeout};

use crate::{errors, options, runtime, texts};

/// The source of events.
pub(crate) trait Source: Send {
    /// Returns the next event as JSON; `None` once there will be no more.
    fn next_json(&mut self) -> Pin<Box<dyn Future<Output = Option<String>> + Send + '_>>;
}

impl<T: Event + Serialize + Send> Source for liverysync::Events<T> {
    fn next_json(&mut self) -> Pin<Box<dyn Future<Output = Option<String>> + Send + '_>> {
        Box::pin(async {
            // Texts, numbers and lists of them have a JSON form.
            self.next().await.map(|event| serde_json::to_string(&event).unwrap_or_default())
        })
    }
}

/// Reads events: wait until there is one, then take it. So none is lost when a wait is cancelled.
#[pyclass(frozen, module = "liverysync._liverysync")]
pub(crate) struct Events(Arc<Waiting>);

struct Waiting {
    source: sync::Mutex<Box<dyn Source>>,
    next: Mutex<Option<String>>,
}

impl Waiting {
    fn next(&self) -> MutexGuard<'_, Option<String>> {
        // It is replaced as a whole, so what a panic left behind is sound.
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for an event; `false` once there will be no more.
    async fn ready(&self) -> bool {
        let mut source = self.source.lock().await;
        if self.next().is_some() {
            return true;
        }
        let event = source.next_json().await;
        let is_there = event.is_some();
        *self.next() = event;
        is_there
    }
}

impl Events {
    pub(crate) fn new(source: impl Source + 'static) -> Self {
        let source: Box<dyn Source> = Box::new(source);
        Self(Arc::new(Waiting { source: sync::Mutex::new(source), next: Mutex::new(None) }))
    }
}

#[pymethods]
impl Events {
    /// For asyncio: whether an event can be taken; False once there will be no more.
    fn ready_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let waiting = Arc::clone(&self.0);
        runtime::awaitable(
            py,
            || Ok(async move { waiting.ready().await }),
            |py, ready| Ok(ready.into_pyobject(py)?.to_owned().into_any().unbind()),
        )
    }

    /// Does what `ready_async` does, for threads. Raises TimedOut.
    fn ready(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<bool> {
        let Some(seconds) = seconds else { return runtime::block_on(py, self.0.ready()) };
        let span = options::seconds("timeout", seconds)?;
        runtime::block_on(py, async { timeout(span, self.0.ready()).await })?
            .map_err(|_| errors::timed_out(texts::no_event(seconds)))
    }

    /// Returns the event that is ready, unless another reader was faster.
    fn take(&self) -> Option<String> {
        self.0.next().take()
    }
}
