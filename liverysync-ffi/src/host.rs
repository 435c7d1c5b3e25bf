//! What a client and a server have in common: threads of their own, events on their way to C, and an end.

use std::{
    cell::Cell,
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::null,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use livery::Events;
use serde::Serialize;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{
    error::Failure,
    event::{Event, EventCallback, EventKind, NO_LIMIT, Told},
    guard::Health,
    result::ResultCode,
    sized::OutSized,
};

/// How long freeing waits for a system call that cannot be interrupted, such as the look-up of a name.
const LAST_CALLS: Duration = Duration::from_secs(10);

/// Events of one of the two kinds.
pub(crate) trait Stream: Send + 'static {
    /// The next event; `None` once there will be no more.
    fn next(&mut self) -> impl Future<Output = Option<Result<Told, Failure>>> + Send;
}

macro_rules! stream {
    ($event:ty, $kinds:expr) => {
        impl Stream for Events<$event> {
            async fn next(&mut self) -> Option<Result<Told, Failure>> {
                Some(tell($kinds, &Self::next(self).await?))
            }
        }
    };
}

stream!(livery::ClientEvent, crate::event::CLIENT);
stream!(livery::ServerEvent, crate::event::SERVER);

fn tell(kinds: &[(&str, EventKind)], event: &impl Serialize) -> Result<Told, Failure> {
    Told::new(kinds, event)
}

/// The threads of one client or server, and the way of its events.
#[derive(Debug)]
pub(crate) struct Host<S> {
    name: &'static str,
    health: Arc<Health>,
    /// Only freeing takes it out.
    runtime: Option<Runtime>,
    reader: Mutex<Reader<S>>,
    started: AtomicBool,
    stopped: AtomicBool,
    /// Tells events to the callback.
    teller: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Reader<S> {
    /// There is none before the start, and while a callback gets them.
    stream: Option<S>,
    callback: Option<Callback>,
    /// The event that C looks at.
    last: Option<Told>,
}

#[derive(Clone, Copy, Debug)]
struct Callback {
    function: unsafe extern "C" fn(*mut c_void, *const Event),
    userdata: *mut c_void,
}

// SAFETY: the contract: the callback and its userdata may be used on a thread of the library.
unsafe impl Send for Callback {}

thread_local! {
    /// The host whose callback runs on this thread.
    static CALLING: Cell<*const ()> = const { Cell::new(null()) };
}

impl<S: Stream> Host<S> {
    /// Makes threads, and nothing happens on them yet.
    pub(crate) fn new(name: &'static str, workers: Option<usize>) -> Result<Self, Failure> {
        let mut builder = Builder::new_multi_thread();
        if let Some(workers) = workers {
            builder.worker_threads(workers);
        }
        let runtime = builder.enable_all().thread_name("liverysync").build().map_err(|error| {
            Failure::new(ResultCode::System, format_args!("no threads: {error}"))
        })?;
        Ok(Self {
            name,
            health: Arc::default(),
            runtime: Some(runtime),
            reader: Mutex::new(Reader { stream: None, callback: None, last: None }),
            started: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            teller: Mutex::default(),
        })
    }

    /// Runs a call on this handle.
    pub(crate) fn guard(
        &self,
        inside: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.health.guard(inside)
    }

    /// Where futures run.
    pub(crate) fn runtime(&self) -> Result<&Handle, Failure> {
        let gone = || Failure::new(ResultCode::Stopped, "it is being freed");
        self.runtime.as_ref().map(Runtime::handle).ok_or_else(gone)
    }

    /// Refuses a call that would wait for the callback that makes it.
    pub(crate) fn refuse_in_callback(&self) -> Result<(), Failure> {
        if CALLING.get() == self.identity() {
            let text = "this call cannot be made from a callback of the same handle";
            return Err(Failure::new(ResultCode::InCallback, text));
        }
        Ok(())
    }

    /// Refuses a call on what does not run.
    pub(crate) fn refuse_unless_running(&self) -> Result<(), Failure> {
        let name = self.name;
        if self.stopped.load(Ordering::Acquire) {
            Err(Failure::new(ResultCode::Stopped, format_args!("the {name} was stopped")))
        } else if !self.started.load(Ordering::Acquire) {
            Err(Failure::new(ResultCode::NotStarted, format_args!("the {name} was not started")))
        } else {
            Ok(())
        }
    }

    /// Gives events to a callback from now on.
    ///
    /// # Safety
    ///
    /// The callback may be called on another thread until the host is stopped.
    pub(crate) unsafe fn set_callback(
        &self,
        function: EventCallback,
        userdata: *mut c_void,
    ) -> Result<(), Failure> {
        self.refuse_in_callback()?;
        // A start is over or has not begun, so who has the reader now has it for a moment only.
        let _no_start = lock(&self.teller);
        if self.started.load(Ordering::Acquire) || self.stopped.load(Ordering::Acquire) {
            let text = format!("the callback must be set before the {} is started", self.name);
            return Err(Failure::new(ResultCode::Started, text));
        }
        lock(&self.reader).callback = function.map(|function| Callback { function, userdata });
        Ok(())
    }

    /// Starts what `start` starts and returns the events of, and the callback's thread. If it fails, nothing runs.
    pub(crate) fn start(
        &self,
        start: impl Future<Output = Result<S, Failure>>,
    ) -> Result<(), Failure> {
        self.start_with(thread::Builder::new(), start)
    }

    fn start_with(
        &self,
        thread: thread::Builder,
        start: impl Future<Output = Result<S, Failure>>,
    ) -> Result<(), Failure> {
        self.refuse_in_callback()?;
        // Held to the end: whoever stops meanwhile must find the thread.
        let mut telling = lock(&self.teller);
        if self.stopped.load(Ordering::Acquire) {
            let text = format!("the {} was stopped; make a new one", self.name);
            return Err(Failure::new(ResultCode::Stopped, text));
        }
        if self.started.load(Ordering::Acquire) {
            let text = format!("the {} was started before; make a new one", self.name);
            return Err(Failure::new(ResultCode::Started, text));
        }
        // Nobody waits for an event of what was not started: this takes a moment at most.
        let mut reader = lock(&self.reader);
        let runtime = self.runtime()?;
        // Before the start, so that one who is told of a failure has nothing that runs.
        let (tell, told) = mpsc::channel::<Teller<S>>();
        if reader.callback.is_some() {
            let wait_and_tell = move || {
                // Nothing comes if the start fails.
                if let Ok(teller) = told.recv() {
                    teller.run();
                }
            };
            let spawned = thread.name("liverysync-events".to_owned()).spawn(wait_and_tell);
            let no_thread =
                |error| Failure::new(ResultCode::System, format_args!("no threads: {error}"));
            *telling = Some(spawned.map_err(no_thread)?);
        }
        match runtime.block_on(start) {
            Ok(stream) => reader.stream = Some(stream),
            Err(failure) => {
                drop(tell);
                if let Some(thread) = telling.take() {
                    let _ended = thread.join();
                }
                return Err(failure);
            }
        }
        let stream = reader.callback.and_then(|callback| Some((callback, reader.stream.take()?)));
        // From here on others ask for events, and the callback may have them act.
        drop(reader);
        self.started.store(true, Ordering::Release);
        if let Some((callback, stream)) = stream {
            let health = Arc::clone(&self.health);
            let identity = Identity(self.identity());
            let runtime = runtime.clone();
            // The thread waits for it.
            let _sent = tell.send(Teller { runtime, health, identity, callback, stream });
        }
        Ok(())
    }

    /// Waits for the next event.
    pub(crate) fn next_event(&self, wait_ms: u32, out: OutSized<Event>) -> Result<(), Failure> {
        self.refuse_in_callback()?;
        // Before the reader is taken: a start needs it.
        if !self.started.load(Ordering::Acquire) {
            self.refuse_unless_running()?;
        }
        let mut reader = self.reader()?;
        if reader.callback.is_some() {
            let text = "the events go to the callback";
            return Err(Failure::new(ResultCode::EventsTaken, text));
        }
        let runtime = self.runtime()?;
        let Some(stream) = &mut reader.stream else {
            return Err(Failure::new(ResultCode::Stopped, "there are no more events"));
        };
        let next = runtime.block_on(async {
            if wait_ms == NO_LIMIT {
                return Some(stream.next().await);
            }
            // It looks for an event before it looks at the time.
            let wait = Duration::from_millis(wait_ms.into());
            tokio::time::timeout(wait, stream.next()).await.ok()
        });
        match next {
            None => Err(Failure::new(ResultCode::NoEvent, "no event came in time")),
            Some(None) => {
                let text = format!("the {} has stopped, and all its events are read", self.name);
                Err(Failure::new(ResultCode::Stopped, text))
            }
            Some(Some(told)) => {
                out.set(reader.last.insert(told?).event());
                Ok(())
            }
        }
    }

    /// Stops what `stop` stops, and waits until the callback has been told of everything.
    pub(crate) fn stop(&self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        self.refuse_in_callback()?;
        self.stopped.store(true, Ordering::Release);
        self.runtime()?.block_on(stop);
        // Held until the thread has ended, so that whoever stops at the same time waits too.
        let mut teller = lock(&self.teller);
        if let Some(thread) = teller.take() {
            // It catches its panics.
            let _ended = thread.join();
        }
        Ok(())
    }

    /// Ends the threads.
    pub(crate) fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(LAST_CALLS);
        }
    }

    fn identity(&self) -> *const () {
        Arc::as_ptr(&self.health).cast()
    }

    /// The reader, for as long as an event is waited for.
    fn reader(&self) -> Result<MutexGuard<'_, Reader<S>>, Failure> {
        match self.reader.try_lock() {
            Ok(reader) => Ok(reader),
            // After a panic the handle is broken, and nobody comes here.
            Err(TryLockError::Poisoned(reader)) => Ok(reader.into_inner()),
            Err(TryLockError::WouldBlock) => {
                let text = "another thread is waiting for an event of this handle";
                Err(Failure::new(ResultCode::EventsTaken, text))
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Only compared.
struct Identity(*const ());

// SAFETY: nobody looks at what it points to.
unsafe impl Send for Identity {}

/// Tells a callback of events, one at a time.
struct Teller<S> {
    runtime: Handle,
    health: Arc<Health>,
    identity: Identity,
    callback: Callback,
    stream: S,
}

impl<S: Stream> Teller<S> {
    fn run(self) {
        let Self { runtime, health, identity, callback, mut stream } = self;
        CALLING.set(identity.0);
        let telling = || {
            while let Some(told) = runtime.block_on(stream.next()) {
                let Ok(told) = told else { continue };
                // SAFETY: the contract of the one who has set the callback; the event lives until it returns.
                unsafe { (callback.function)(callback.userdata, told.event()) };
            }
        };
        if catch_unwind(AssertUnwindSafe(telling)).is_err() {
            health.give_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::ready, sync::atomic::AtomicUsize};

    use livery::ClientEvent as CoreEvent;

    use super::*;

    /// One event, and no more.
    struct One(Option<CoreEvent>);

    impl Stream for One {
        async fn next(&mut self) -> Option<Result<Told, Failure>> {
            self.0.take().map(|event| tell(crate::event::CLIENT, &event))
        }
    }

    fn host() -> Host<One> {
        Host::new("test", Some(1)).unwrap()
    }

    fn one() -> Result<One, Failure> {
        let event = CoreEvent::ServerError { reason: "it is only a test".to_owned() };
        Ok(One(Some(event)))
    }

    fn next(host: &Host<One>) -> Result<(), ResultCode> {
        // SAFETY: integers and pointers, and a kind for which 0 is a value.
        let mut event: Event = unsafe { std::mem::zeroed() };
        event.size = size_of::<Event>();
        // SAFETY: it is there and has its size.
        let out = unsafe { OutSized::new(&raw mut event) }.unwrap();
        host.next_event(0, out).map_err(|failure| failure.code)
    }

    unsafe extern "C" fn count(userdata: *mut c_void, _: *const Event) {
        // SAFETY: it is the test's counter, which outlives the host.
        unsafe { &*userdata.cast::<AtomicUsize>() }.fetch_add(1, Ordering::Relaxed);
    }

    #[test]
    fn nothing_runs_if_there_is_no_thread_for_the_callback() {
        let mut host = host();
        let calls = AtomicUsize::new(0);
        // SAFETY: the counter lives until the host is stopped.
        unsafe { host.set_callback(Some(count), (&raw const calls).cast_mut().cast()) }.unwrap();
        // More than any system has.
        let thread = thread::Builder::new().stack_size(usize::MAX >> 4);
        let mut started = false;
        let failure = host.start_with(thread, async {
            started = true;
            one()
        });
        assert_eq!(failure.unwrap_err().code, ResultCode::System);
        assert!(!started && host.refuse_unless_running().is_err());
        // Nor does a thread stay if the start itself fails.
        let failure = host.start(ready(Err(Failure::null("it"))));
        assert_eq!(failure.unwrap_err().code, ResultCode::NullPointer);
        assert!(lock(&host.teller).is_none());
        // Both can be mended.
        host.start(ready(one())).unwrap();
        host.stop(ready(())).unwrap();
        host.end();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_start_does_not_mind_who_asks_for_events_too_early() {
        for round in 0..200 {
            let mut host = host();
            thread::scope(|scope| {
                let asker = scope.spawn(|| {
                    loop {
                        match next(&host) {
                            Err(ResultCode::NotStarted) => {}
                            other => return other,
                        }
                    }
                });
                // SAFETY: there is no callback.
                let set = unsafe { host.set_callback(None, std::ptr::null_mut()) };
                let started = host.start(ready(one()));
                if started.is_err() {
                    // Or the other thread would ask for ever.
                    host.stop(ready(())).unwrap();
                }
                let asked = asker.join().unwrap();
                assert!(set.is_ok() && started.is_ok(), "round {round}: {set:?}, {started:?}");
                assert_eq!(asked, Ok(()), "round {round}");
            });
            host.stop(ready(())).unwrap();
            host.end();
        }
    }
}
