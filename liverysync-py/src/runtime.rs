//! The runtime: Rust works, Python waits.
//!
//! The GIL is let go of wherever Rust works or waits. One tokio runtime serves the whole process; it is made when it is
//! first needed and stays until the process ends.
//!
//! **asyncio.** `pyo3-async-runtimes` makes a future of the running loop out of a future of Rust; cancelling one drops the
//! other. It would print a traceback where the loop has been closed before the future is done. [`QuietLoop`] stands
//! before the loop and drops such a late result: nobody waits for it.
//!
//! **The end of the interpreter.** A thread that takes the GIL while the interpreter is taken down ends the process or
//! crashes it. So every way back to Python is counted ([`Visit`]), and the hook [`shut_down`], which `atexit` calls, closes
//! the door, stops what runs, and waits for those on their way. Whoever comes later is not let in: a result is dropped, and
//! a thread of Python's that waits in Rust waits for ever, as the interpreter itself makes its daemon threads do.

use std::{
    any::Any,
    collections::BTreeMap,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::Poll,
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use liverysync::Event;
use pyo3::{
    exceptions::PyRuntimeError,
    prelude::*,
    types::{PyDict, PyTuple},
};
use pyo3_async_runtimes::{
    TaskLocals,
    generic::{self, ContextExt},
    get_running_loop,
};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::{JoinError, JoinHandle},
    time::timeout,
};

use crate::{errors, texts};

/// Longest wait before signals are checked, and so the longest delay of Ctrl-C.
const SIGNALS: Duration = Duration::from_millis(50);

/// Longest time for which the end of the interpreter waits for clients and servers.
const SHUT_DOWN: Duration = Duration::from_secs(2);

/// Interval at which [`shut_down`] checks whether all have stopped.
const POLL: Duration = Duration::from_millis(1);

/// Set when the interpreter ends.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Threads in Rust that go back to Python.
static VISITS: AtomicUsize = AtomicUsize::new(0);

/// The thread that ends the interpreter. It is never kept from going back.
static LAST_THREAD: OnceLock<ThreadId> = OnceLock::new();

/// Clients and servers to stop when the interpreter ends.
static RUNNING: Mutex<BTreeMap<u64, StopFn>> = Mutex::new(BTreeMap::new());

/// Stops something; what it returns is done when it has stopped.
type StopFn = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// The runtime, and the process that it was made in: its threads are not there in a forked one.
static RUNTIME: OnceLock<(Runtime, u32)> = OnceLock::new();

/// Returns the runtime's handle.
pub(crate) fn handle() -> PyResult<&'static Handle> {
    if RUNTIME.get().is_none() {
        let made = Builder::new_multi_thread().enable_all().thread_name("liverysync").build()?;
        // Another thread may have been faster; then this one goes.
        if let Err((spare, _)) = RUNTIME.set((made, std::process::id())) {
            spare.shutdown_background();
        }
    }
    match RUNTIME.get() {
        Some((runtime, process)) if *process == std::process::id() => Ok(runtime.handle()),
        _ => Err(PyRuntimeError::new_err(texts::FORKED)),
    }
}

/// A thread on its way back to Python.
struct Visit;

impl Visit {
    /// `None` once the interpreter ends.
    fn begin() -> Option<Self> {
        VISITS.fetch_add(1, Ordering::SeqCst);
        let visit = Self;
        (!CLOSED.load(Ordering::SeqCst)).then_some(visit)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        VISITS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Lets go of the GIL while `work` runs.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    let visit = Visit::begin();
    py.detach(|| {
        let result = work();
        if CLOSED.load(Ordering::SeqCst) && LAST_THREAD.get() != Some(&thread::current().id()) {
            if visit.is_some() {
                VISITS.fetch_sub(1, Ordering::SeqCst);
            }
            loop {
                thread::park();
            }
        }
        result
    })
}

/// Waits for a future, without the GIL and with an eye on signals. A signal's exception drops the future.
pub(crate) fn block_on<T: Send>(
    py: Python<'_>,
    future: impl Future<Output = T> + Send,
) -> PyResult<T> {
    let handle = handle()?;
    let mut future = Box::pin(caught(future));
    loop {
        let waited =
            detached(py, || handle.block_on(async { timeout(SIGNALS, &mut future).await }));
        match waited {
            Ok(result) => return result.map_err(|panic| errors::panicked(&panic)),
            Err(_) => py.check_signals()?,
        }
    }
}

/// Returns a future of the running asyncio loop; without one, nothing is begun. `begin` makes a Rust future, and
/// `reply` the Python value of its result.
pub(crate) fn awaitable<'py, T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    py: Python<'py>,
    begin: impl FnOnce() -> PyResult<F>,
    reply: fn(Python<'_>, T) -> PyResult<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    handle()?;
    let event_loop = QuietLoop { event_loop: get_running_loop(py)?.unbind() };
    let locals = TaskLocals::new(Bound::new(py, event_loop)?.into_any());
    let future = begin()?;
    generic::future_into_py_with_locals::<Tokio, _, _>(py, locals, async move {
        let value = caught(future).await.map_err(|panic| errors::panicked(&panic))?;
        Ok(Reply { value, reply })
    })
}

/// Returns the result of a future, or the message of its panic, which becomes an error of this package.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|context| {
        // After a panic it is not polled again.
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(words(&*panic).to_owned())),
        }
    })
    .await
}

/// Returns the words of a panic.
fn words(panic: &(dyn Any + Send)) -> &str {
    let formatted = panic.downcast_ref::<String>().map(String::as_str);
    formatted.or(panic.downcast_ref().copied()).unwrap_or(texts::PANIC_WITHOUT_TEXT)
}

/// A value that becomes Python's once the GIL is there.
struct Reply<T> {
    value: T,
    reply: fn(Python<'_>, T) -> PyResult<Py<PyAny>>,
}

impl<'py, T> IntoPyObject<'py> for Reply<T> {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        (self.reply)(py, self.value).map(|value| value.into_bound(py))
    }
}

/// The part of an asyncio loop that results come back through.
#[pyclass(frozen)]
struct QuietLoop {
    event_loop: Py<PyAny>,
}

#[pymethods]
impl QuietLoop {
    fn create_future<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.event_loop.bind(py).call_method0("create_future")
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn call_soon_threadsafe(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let event_loop = self.event_loop.bind(py);
        match event_loop.call_method("call_soon_threadsafe", args, kwargs) {
            Err(error) if !event_loop.call_method0("is_closed")?.is_truthy()? => Err(error),
            _ => Ok(()),
        }
    }
}

/// Our runtime, for `pyo3-async-runtimes`.
struct Tokio;

impl generic::Runtime for Tokio {
    type JoinError = JoinError;
    type JoinHandle = JoinHandle<()>;

    fn spawn<F: Future<Output = ()> + Send + 'static>(future: F) -> JoinHandle<()> {
        spawn(future)
    }

    /// The argument takes the GIL.
    fn spawn_blocking<F: FnOnce() + Send + 'static>(work: F) -> JoinHandle<()> {
        Handle::current().spawn_blocking(move || {
            if let Some(_visit) = Visit::begin() {
                work();
            }
        })
    }
}

impl ContextExt for Tokio {
    fn scope<F, R>(_locals: TaskLocals, future: F) -> Pin<Box<dyn Future<Output = R> + Send>>
    where
        F: Future<Output = R> + Send + 'static,
    {
        // Nothing of ours awaits a future of Python, which is what the locals are for.
        Box::pin(future)
    }

    fn get_task_locals() -> Option<TaskLocals> {
        None
    }
}

fn spawn<F: Future<Output = ()> + Send + 'static>(future: F) -> JoinHandle<()> {
    let Some((runtime, _)) = RUNTIME.get() else {
        unreachable!("`awaitable` makes the runtime first");
    };
    runtime.spawn(future)
}

/// A running client or server, and its events from the first one on.
type Started<C> = (<C as Config>::Running, liverysync::Events<<C as Config>::Event>);

/// A configuration of something that runs until it is stopped.
pub(crate) trait Config: Clone + Send + Sync + 'static {
    type Running: Clone + Send + Sync + 'static;
    type Event: Event + Send + 'static;
    type Error: Send + 'static;

    /// Starts one.
    fn start(self) -> impl Future<Output = Result<Started<Self>, Self::Error>> + Send;

    /// Stops it. Dropping the future does not keep it from stopping.
    fn stop(running: Self::Running) -> impl Future<Output = ()> + Send;
}

/// A client or server that Python holds. It stops when Python forgets it, and when the interpreter ends.
pub(crate) struct Held<C: Config> {
    running: C::Running,
    is_stopped: Arc<AtomicBool>,
    number: u64,
}

/// The result of a start.
pub(crate) type Starting<C> =
    Result<(Held<C>, liverysync::Events<<C as Config>::Event>), <C as Config>::Error>;

/// Starts something. If nobody waits for it any more, it stops as soon as it has started.
pub(crate) fn starting<C: Config>(
    config: &C,
) -> PyResult<impl Future<Output = Starting<C>> + Send + use<C>> {
    let config = config.clone();
    let starting = handle()?.spawn(async move {
        let (running, events) = config.start().await?;
        Ok((Held::new(running), events))
    });
    Ok(async move {
        match starting.await {
            Ok(started) => started,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    })
}

impl<C: Config> Held<C> {
    fn new(running: C::Running) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let held = Self { running, is_stopped: Arc::default(), number };
        let mut all = self::running();
        // Under the lock: `shut_down` closes the door before it takes what is there.
        if CLOSED.load(Ordering::SeqCst) {
            drop(all);
            let _stopping = held.stop();
        } else {
            all.insert(number, held.stop_fn());
        }
        held
    }

    /// Returns the client or server, running or stopped.
    pub(crate) fn any(&self) -> &C::Running {
        &self.running
    }

    /// Returns the client or server.
    ///
    /// # Errors
    ///
    /// Fails once it is stopped.
    pub(crate) fn get(&self) -> PyResult<&C::Running> {
        if self.is_stopped.load(Ordering::SeqCst) {
            Err(errors::stopped())
        } else {
            Ok(&self.running)
        }
    }

    /// Stops it, whether anybody waits for the end or not.
    pub(crate) fn stop(&self) -> PyResult<JoinHandle<()>> {
        let (stop, number) = (self.stop_fn(), self.number);
        // From now on, even if it takes a while.
        self.is_stopped.store(true, Ordering::SeqCst);
        Ok(handle()?.spawn(async move {
            stop().await;
            running().remove(&number);
        }))
    }

    fn stop_fn(&self) -> StopFn {
        let (running, is_stopped) = (self.running.clone(), Arc::clone(&self.is_stopped));
        Box::new(move || {
            is_stopped.store(true, Ordering::SeqCst);
            Box::pin(C::stop(running.clone()))
        })
    }
}

impl<C: Config> Drop for Held<C> {
    fn drop(&mut self) {
        if running().contains_key(&self.number) {
            // Without a runtime it does not run either.
            let _stopping = self.stop();
        }
    }
}

fn running() -> MutexGuard<'static, BTreeMap<u64, StopFn>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stops everything that runs and lets nobody back in. `atexit` calls it.
#[pyfunction]
fn shut_down(py: Python<'_>) {
    let _at_first = LAST_THREAD.set(thread::current().id());
    CLOSED.store(true, Ordering::SeqCst);
    let running = std::mem::take(&mut *running());
    let Ok(handle) = handle() else { return };
    py.detach(move || {
        let deadline = Instant::now() + SHUT_DOWN;
        let stops: Vec<_> = running.into_values().map(|stop| handle.spawn(stop())).collect();
        for stop in stops {
            let left = deadline.saturating_duration_since(Instant::now());
            let _stopped = handle.block_on(async { timeout(left, stop).await });
        }
        while VISITS.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            thread::sleep(POLL);
        }
    });
}

/// Number of clients and servers that were started and not stopped.
#[pyfunction]
fn running_count() -> usize {
    running().len()
}

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let shut_down = wrap_pyfunction!(shut_down, module)?;
    module.py().import("atexit")?.call_method1("register", (&shut_down,))?;
    module.add_function(wrap_pyfunction!(running_count, module)?)?;
    module.add_function(shut_down)
}
