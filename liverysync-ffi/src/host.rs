//! The part that clients and servers share: their threads, their events on the way to C, and their end.

use std::{
    cell::Cell,
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    ptr::null,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, JoinHandle, Thread},
    time::Duration,
};

use livery::{Events, Limits};
use serde::Serialize;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::unconstrained,
};

use crate::{
    error::Failure,
    event::{Event, EventCallback, EventKind, NO_LIMIT, OwnedEvent},
    guard::Health,
    messages,
    result::ResultCode,
    sized::OutSized,
};

/// The longest wait of a free for a system call that cannot be interrupted, such as the look-up of a name.
const LAST_CALLS: Duration = Duration::from_secs(10);

/// A client or a server of the Rust library.
pub(crate) trait Service: Sized {
    /// Its name in error texts.
    const NAME: &'static str;
    /// The number of threads for its tasks; `None` is one for each core.
    const WORKERS: Option<usize>;
    type Builder;
    type Events: EventSource;

    /// Starts one, and returns its events from the first one on.
    fn start(builder: Self::Builder)
    -> impl Future<Output = Result<(Self, Self::Events), Failure>>;

    /// Stops it and waits for its end.
    fn stop(&self) -> impl Future<Output = ()>;

    fn set_limits(&self, limits: Limits);
}

/// The events of a client or of a server.
pub(crate) trait EventSource: Send + 'static {
    /// Returns the next event, or `None` after the last one.
    fn next(&mut self) -> impl Future<Output = Option<Result<OwnedEvent, Failure>>> + Send;
}

macro_rules! event_source {
    ($event:ty, $kinds:expr) => {
        impl EventSource for Events<$event> {
            async fn next(&mut self) -> Option<Result<OwnedEvent, Failure>> {
                Some(flatten($kinds, &Self::next(self).await?))
            }
        }
    };
}

event_source!(livery::ClientEvent, crate::event::CLIENT);
event_source!(livery::ServerEvent, crate::event::SERVER);

fn flatten(kinds: &[(&str, EventKind)], event: &impl Serialize) -> Result<OwnedEvent, Failure> {
    OwnedEvent::new(kinds, event)
}

/// A running client or server, with its threads and its events.
#[derive(Debug)]
pub(crate) struct Host<T: Service> {
    // The first field is dropped first: no task may outlive the rest.
    threads: Threads,
    service: T,
    health: Arc<Health>,
    reader: Mutex<Reader<T::Events>>,
    /// The thread that calls the callback.
    dispatcher: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Reader<E> {
    /// `None` if the callback gets the events.
    events: Option<E>,
    /// The event that C looks at.
    last: Option<OwnedEvent>,
}

/// A function of the program that gets every event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callback {
    function: unsafe extern "C" fn(*mut c_void, *const Event),
    userdata: *mut c_void,
}

// SAFETY: `Callback::new` asks for a function and userdata that may be used on another thread.
unsafe impl Send for Callback {}

impl Callback {
    /// Returns the callback, or `None` for NULL.
    ///
    /// # Safety
    ///
    /// `function` may be called with `userdata` on another thread until the host is stopped.
    pub(crate) unsafe fn new(function: EventCallback, userdata: *mut c_void) -> Option<Self> {
        function.map(|function| Self { function, userdata })
    }
}

thread_local! {
    /// Identifies the host whose callback runs on this thread.
    static CALLING: Cell<*const ()> = const { Cell::new(null()) };
}

impl<T: Service> Host<T> {
    /// Starts a client or server. If it fails, nothing runs.
    ///
    /// No callback is called before the caller [begins](Dispatch::begin) it.
    pub(crate) fn start(
        builder: T::Builder,
        callback: Option<Callback>,
    ) -> Result<(Self, Dispatch<T::Events>), Failure> {
        Self::start_with(thread::Builder::new(), builder, callback)
    }

    fn start_with(
        thread: thread::Builder,
        builder: T::Builder,
        callback: Option<Callback>,
    ) -> Result<(Self, Dispatch<T::Events>), Failure> {
        let threads = Threads::new(T::WORKERS)?;
        let (begin, begun) = mpsc::channel::<Dispatcher<T::Events>>();
        // Made before the start: if there is no thread for the callback, nothing may run.
        let thread = match callback {
            Some(_) => Some(spawn(thread, begun)?),
            None => None,
        };
        let (service, events) = match threads.block_on(T::start(builder)) {
            Ok(started) => started,
            Err(failure) => {
                drop(begin);
                if let Some(thread) = thread {
                    let _ended = thread.join();
                }
                return Err(failure);
            }
        };
        let health = Arc::<Health>::default();
        let (events, dispatcher) = match callback {
            None => (Some(events), None),
            Some(callback) => {
                let (runtime, health) = (threads.handle.clone(), Arc::clone(&health));
                (None, Some(Dispatcher { runtime, health, callback, events }))
            }
        };
        let reader = Mutex::new(Reader { events, last: None });
        let host = Self { threads, service, health, reader, dispatcher: Mutex::new(thread) };
        Ok((host, Dispatch { begin, dispatcher }))
    }

    pub(crate) const fn service(&self) -> &T {
        &self.service
    }

    /// Runs a call on this handle.
    pub(crate) fn guard(
        &self,
        inside: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.health.guard(inside)
    }

    /// Waits for a future. The callback may not do so.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> Result<F::Output, Failure> {
        self.refuse_in_callback()?;
        Ok(self.threads.block_on(future))
    }

    /// Refuses a call that would wait for the callback that makes it.
    pub(crate) fn refuse_in_callback(&self) -> Result<(), Failure> {
        if CALLING.get() == identity(&self.health) {
            return Err(Failure::new(ResultCode::InCallback, messages::IN_CALLBACK));
        }
        Ok(())
    }

    /// Waits for the next event.
    pub(crate) fn next_event(&self, wait_ms: u32, out: OutSized<Event>) -> Result<(), Failure> {
        self.refuse_in_callback()?;
        let mut reader = self.reader()?;
        let Some(events) = &mut reader.events else {
            return Err(Failure::new(ResultCode::EventsTaken, messages::EVENTS_GO_TO_CALLBACK));
        };
        let next = self.block_on(async {
            if wait_ms == NO_LIMIT {
                return Some(events.next().await);
            }
            // It looks for an event before it looks at the time.
            let wait = Duration::from_millis(wait_ms.into());
            tokio::time::timeout(wait, events.next()).await.ok()
        })?;
        match next {
            None => Err(Failure::new(ResultCode::NoEvent, messages::NO_EVENT)),
            Some(None) => Err(Failure::new(ResultCode::Stopped, messages::stopped(T::NAME))),
            Some(Some(event)) => {
                out.set(reader.last.insert(event?).event());
                Ok(())
            }
        }
    }

    /// Stops the client or server, and waits until its callback got every event.
    pub(crate) fn stop(&self) -> Result<(), Failure> {
        self.block_on(self.service.stop())?;
        // Held until the thread has ended: another thread that stops at the same time waits too.
        let mut dispatcher = lock(&self.dispatcher);
        if let Some(thread) = dispatcher.take() {
            // It catches its panics.
            let _ended = thread.join();
        }
        Ok(())
    }

    /// Returns the reader, to wait for an event with it.
    fn reader(&self) -> Result<MutexGuard<'_, Reader<T::Events>>, Failure> {
        match self.reader.try_lock() {
            Ok(reader) => Ok(reader),
            // After a panic the handle is broken, and no call comes here.
            Err(TryLockError::Poisoned(reader)) => Ok(reader.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(Failure::new(ResultCode::EventsTaken, messages::ANOTHER_THREAD_WAITS))
            }
        }
    }
}

/// Identifies a host, for as long as it exists.
fn identity(health: &Arc<Health>) -> *const () {
    Arc::as_ptr(health).cast()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The threads for the tasks of a client or server. Dropping this ends them.
#[derive(Debug)]
struct Threads {
    handle: Handle,
    /// Only dropping takes it out.
    runtime: Option<Runtime>,
}

impl Threads {
    fn new(workers: Option<usize>) -> Result<Self, Failure> {
        let mut builder = Builder::new_multi_thread();
        if let Some(workers) = workers {
            builder.worker_threads(workers);
        }
        let runtime = builder.enable_all().thread_name("liverysync").build().map_err(no_threads)?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Waits for a future on the thread of the call, which may be a thread of the program's own tokio runtime.
    ///
    /// [`Handle::block_on`] panics there. So this thread only enters the runtime, and polls the future itself.
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _entered = self.handle.enter();
        // The budget of the program's task would stop the future for good once it is used up: this wait never yields.
        let mut future = pin!(unconstrained(future));
        let alarm = Arc::new(Alarm { thread: thread::current(), rang: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&alarm));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            while !alarm.rang.swap(false, Ordering::Acquire) {
                thread::park();
            }
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if Handle::try_current().is_err() {
            return runtime.shutdown_timeout(LAST_CALLS);
        }
        // A thread of the program's own tokio runtime may not wait for the end of another runtime.
        let (hand_over, handed_over) = mpsc::channel::<Runtime>();
        let end = move || {
            if let Ok(runtime) = handed_over.recv() {
                runtime.shutdown_timeout(LAST_CALLS);
            }
        };
        match thread::Builder::new().name("liverysync-end".to_owned()).spawn(end) {
            Ok(thread) => {
                let _taken = hand_over.send(runtime);
                let _ended = thread.join();
            }
            Err(_) => runtime.shutdown_background(),
        }
    }
}

/// Wakes the thread of a call that waits.
struct Alarm {
    thread: Thread,
    /// Others may unpark the thread too, or use up its token.
    rang: AtomicBool,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

fn no_threads(error: std::io::Error) -> Failure {
    Failure::new(ResultCode::System, messages::no_threads(error))
}

/// Spawns the thread of a callback, which waits until it gets its dispatcher.
fn spawn<E: EventSource>(
    thread: thread::Builder,
    begun: mpsc::Receiver<Dispatcher<E>>,
) -> Result<JoinHandle<()>, Failure> {
    let run = move || {
        // Nothing comes if the start fails.
        if let Ok(dispatcher) = begun.recv() {
            dispatcher.run();
        }
    };
    thread.name("liverysync-events".to_owned()).spawn(run).map_err(no_threads)
}

/// A callback that gets no event yet.
#[derive(Debug)]
#[must_use = "the callback gets no event until this begins"]
pub(crate) struct Dispatch<E> {
    begin: mpsc::Sender<Dispatcher<E>>,
    /// `None` without a callback.
    dispatcher: Option<Dispatcher<E>>,
}

impl<E> Dispatch<E> {
    /// Lets the callback have the events, from the first one on.
    pub(crate) fn begin(self) {
        if let Some(dispatcher) = self.dispatcher {
            // The thread waits for it.
            let _sent = self.begin.send(dispatcher);
        }
    }
}

/// Calls a callback with the events, one at a time.
#[derive(Debug)]
struct Dispatcher<E> {
    runtime: Handle,
    health: Arc<Health>,
    callback: Callback,
    events: E,
}

impl<E: EventSource> Dispatcher<E> {
    fn run(self) {
        let Self { runtime, health, callback, mut events } = self;
        CALLING.set(identity(&health));
        let dispatch = || {
            while let Some(event) = runtime.block_on(events.next()) {
                let Ok(event) = event else { continue };
                // SAFETY: `Callback::new` got that promise; the event lives until the callback returns.
                unsafe { (callback.function)(callback.userdata, event.event()) };
            }
        };
        if catch_unwind(AssertUnwindSafe(dispatch)).is_err() {
            health.give_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use livery::ClientEvent as CoreEvent;

    use super::*;

    /// A source of one event.
    #[derive(Debug)]
    struct One(Option<CoreEvent>);

    impl EventSource for One {
        async fn next(&mut self) -> Option<Result<OwnedEvent, Failure>> {
            self.0.take().map(|event| flatten(crate::event::CLIENT, &event))
        }
    }

    #[derive(Debug)]
    struct Fake;

    struct FakeBuilder {
        was_asked: Arc<AtomicBool>,
        starts: bool,
    }

    impl Service for Fake {
        const NAME: &'static str = "fake";
        const WORKERS: Option<usize> = Some(1);
        type Builder = FakeBuilder;
        type Events = One;

        async fn start(builder: FakeBuilder) -> Result<(Self, One), Failure> {
            builder.was_asked.store(true, Ordering::Relaxed);
            let event = CoreEvent::ServerError { reason: "it is only a test".to_owned() };
            if builder.starts { Ok((Self, One(Some(event)))) } else { Err(Failure::null("it")) }
        }

        async fn stop(&self) {}

        fn set_limits(&self, _: Limits) {}
    }

    unsafe extern "C" fn count(userdata: *mut c_void, _: *const Event) {
        // SAFETY: it is the test's counter, which outlives the host.
        unsafe { &*userdata.cast::<AtomicUsize>() }.fetch_add(1, Ordering::Relaxed);
    }

    fn counting(calls: &AtomicUsize) -> Option<Callback> {
        // SAFETY: the counter lives until the host is stopped.
        unsafe { Callback::new(Some(count), std::ptr::from_ref(calls).cast_mut().cast()) }
    }

    #[test]
    fn nothing_runs_if_there_is_no_thread_for_the_callback() {
        let (calls, was_asked) = (AtomicUsize::new(0), Arc::<AtomicBool>::default());
        let builder = |starts| FakeBuilder { was_asked: Arc::clone(&was_asked), starts };
        // More than any system has.
        let thread = thread::Builder::new().stack_size(usize::MAX >> 4);
        let failed = Host::<Fake>::start_with(thread, builder(true), counting(&calls));
        assert_eq!(failed.unwrap_err().code, ResultCode::System);
        assert!(!was_asked.load(Ordering::Relaxed));
        let failed = Host::<Fake>::start(builder(false), counting(&calls));
        assert_eq!(failed.unwrap_err().code, ResultCode::NullPointer);
        assert!(was_asked.load(Ordering::Relaxed));
        assert_eq!(calls.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_callback_gets_the_first_event_once_it_may() {
        let calls = AtomicUsize::new(0);
        let builder = FakeBuilder { was_asked: Arc::default(), starts: true };
        let (host, dispatch) = Host::<Fake>::start(builder, counting(&calls)).unwrap();
        thread::sleep(Duration::from_millis(50));
        assert_eq!(calls.load(Ordering::Relaxed), 0);
        dispatch.begin();
        host.stop().unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }
}
