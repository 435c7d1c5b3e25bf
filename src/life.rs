//! The life of a client or server: it is made, it runs once, it is stopped.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};

/// Where in its life something is. Dropping this stops it.
#[derive(Debug, Default)]
pub(crate) struct Life(Mutex<Stage>);

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Made,
    Running {
        stop: oneshot::Sender<()>,
        ended: watch::Receiver<()>,
    },
    Stopped {
        ended: Option<watch::Receiver<()>>,
    },
}

/// It ran before.
#[derive(Debug)]
pub(crate) struct RanBefore;

impl Life {
    fn lock(&self) -> MutexGuard<'_, Stage> {
        // It is only ever replaced as a whole, so one that a panic left behind is sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the task that `prepare` makes, which gets a word when it is to stop, and returns what
    /// `prepare` says of it. If that fails, nothing has happened.
    pub(crate) fn start<F, T, E>(
        &self,
        prepare: impl FnOnce(oneshot::Receiver<()>) -> Result<(F, T), E>,
    ) -> Result<T, E>
    where
        F: Future<Output = ()> + Send + 'static,
        E: From<RanBefore>,
    {
        let mut stage = self.lock();
        if !matches!(*stage, Stage::Made) {
            return Err(RanBefore.into());
        }
        let (stop, stopped) = oneshot::channel();
        let (task, said) = prepare(stopped)?;
        let (end, ended) = watch::channel(());
        tokio::spawn(async move {
            task.await;
            drop(end);
        });
        *stage = Stage::Running { stop, ended };
        Ok(said)
    }

    /// Whether it was started and not stopped.
    #[cfg(feature = "client")]
    pub(crate) fn is_running(&self) -> bool {
        matches!(*self.lock(), Stage::Running { .. })
    }

    /// Stops it and waits for its end. It ends even if nobody waits.
    pub(crate) async fn stop(&self) {
        let ended = {
            let mut stage = self.lock();
            let before = std::mem::replace(&mut *stage, Stage::Stopped { ended: None });
            let ended = match before {
                Stage::Made => None,
                Stage::Running { stop, ended } => {
                    // One that has ended by itself is stopped already.
                    let _ended = stop.send(());
                    Some(ended)
                }
                Stage::Stopped { ended } => ended,
            };
            *stage = Stage::Stopped { ended: ended.clone() };
            ended
        };
        if let Some(mut ended) = ended {
            // Nothing is ever sent: it is the task's end, or its panic, that drops the other half.
            let _ended = ended.changed().await;
        }
    }
}
