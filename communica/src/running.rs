//! Handlers that were not done at once: a task each, and how to stop them.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};

/// The tasks of one exchange. Each of them keeps it: they end by themselves, or are stopped.
#[derive(Default)]
pub(crate) struct Running(Mutex<Tasks>);

#[derive(Default)]
struct Tasks {
    all: JoinSet<()>,
    /// Those whose answer somebody waits for, by the id of the request.
    requests: HashMap<String, AbortHandle>,
    /// Gives up the calls that wait for a new link.
    giving_up: Option<AbortHandle>,
    /// Whoever was about to start one comes too late.
    over: bool,
}

impl Running {
    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        // Tasks are dropped outside of the lock, so nothing panics under it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `id`: that of the request it answers.
    pub(crate) fn spawn(&self, id: Option<String>, job: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks();
        if tasks.over {
            drop(tasks);
            return drop(job);
        }
        while tasks.all.try_join_next().is_some() {}
        let handle = tasks.all.spawn(job);
        if let Some(id) = id {
            tasks.requests.insert(id, handle);
        }
    }

    /// The handler of this request has its answer.
    pub(crate) fn done(&self, id: &str) {
        let mut tasks = self.tasks();
        tasks.requests.remove(id);
        // Those that are over keep memory until somebody looks, and this peer may say nothing for long.
        while tasks.all.try_join_next().is_some() {}
    }

    /// One of them ends without an answer: the others that are over need no memory any more. Whoever is at it just now sees to that
    /// himself; and where a runtime is over, a task may be dropped under the lock.
    pub(crate) fn one_ended(&self) {
        if let Ok(mut tasks) = self.0.try_lock() {
            while tasks.all.try_join_next().is_some() {}
        }
    }

    /// Stops the handler of this request. False if none runs.
    pub(crate) fn stop(&self, id: &str) -> bool {
        let found = self.tasks().requests.remove(id);
        found.inspect(AbortHandle::abort).is_some()
    }

    /// Stops the handlers of all requests; those of throws run on.
    pub(crate) fn stop_requests(&self) {
        let requests = std::mem::take(&mut self.tasks().requests);
        requests.values().for_each(AbortHandle::abort);
    }

    /// Stops every handler, and lets no other begin.
    pub(crate) fn stop_all(&self) {
        let all = {
            let mut tasks = self.tasks();
            tasks.over = true;
            std::mem::take(&mut tasks.all)
        };
        drop(all);
    }

    /// Does something after a time, unless that is called off before.
    pub(crate) fn give_up_after(&self, time: Duration, work: impl FnOnce() + Send + 'static) {
        // Without a runtime there is nobody left to wait.
        let Ok(runtime) = Handle::try_current() else { return };
        let waiting = runtime.spawn(async move {
            tokio::time::sleep(time).await;
            work();
        });
        let earlier = self.tasks().giving_up.replace(waiting.abort_handle());
        earlier.as_ref().inspect(|task| task.abort());
    }

    pub(crate) fn no_more_giving_up(&self) {
        let waiting = self.tasks().giving_up.take();
        waiting.as_ref().inspect(|task| task.abort());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.no_more_giving_up();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// As handlers are that nobody waits for: with what they do last.
    struct Ends(Arc<Running>);

    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.one_ended();
        }
    }

    #[tokio::test]
    async fn those_that_are_stopped_leave_nothing_behind() {
        let running = Arc::new(Running::default());
        for number in 0..100 {
            let ends = Ends(running.clone());
            running.spawn(Some(number.to_string()), async move {
                let _ends = ends;
                std::future::pending::<()>().await;
            });
        }
        tokio::task::yield_now().await;
        running.stop_requests();
        let stopped = async {
            while running.tasks().all.len() > 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), stopped).await.expect("they end");
    }
}
