//! Handlers that were not done at once: a task each, and how to stop them.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// The tasks of one exchange. Each of them keeps it: they end by themselves, or are stopped.
#[derive(Default)]
pub(crate) struct Running(Mutex<Tasks>);

#[derive(Default)]
struct Tasks {
    all: HashMap<u64, Task>,
    /// Those whose answer somebody waits for, by the id of the request.
    requests: HashMap<String, u64>,
    /// The number of the next one.
    next: u64,
    /// Gives up the calls that wait for a new link.
    giving_up: Option<AbortHandle>,
    /// Whoever was about to start one comes too late.
    over: bool,
}

enum Task {
    Starts,
    /// Before it was known how to stop it.
    IsToStop,
    Runs(AbortHandle),
}

impl Task {
    /// How to do that, outside of the lock. Nothing if whoever starts it sees to it.
    fn stop(&mut self) -> Option<AbortHandle> {
        match self {
            Self::Runs(task) => Some(task.clone()),
            Self::Starts | Self::IsToStop => {
                *self = Self::IsToStop;
                None
            }
        }
    }
}

/// What a task holds for as long as it is there.
pub(crate) struct Ends {
    running: Arc<Running>,
    number: u64,
    /// Of the request that it answers.
    id: Option<String>,
}

impl Drop for Ends {
    fn drop(&mut self) {
        let mut tasks = self.running.tasks();
        tasks.all.remove(&self.number);
        if let Some(id) = &self.id {
            // Another request may have the same id.
            if tasks.requests.get(id) == Some(&self.number) {
                tasks.requests.remove(id);
            }
        }
    }
}

impl Running {
    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        // Tasks start, stop and are dropped outside of the lock, so nothing panics under it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `id`: that of the request it answers.
    pub(crate) fn spawn<F>(self: &Arc<Self>, id: Option<String>, job: impl FnOnce(Ends) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(ends) = self.begin(id) else { return };
        let number = ends.number;
        // Where the runtime is over, it is dropped in here, with all that a user's handler holds.
        let task = tokio::spawn(job(ends)).abort_handle();
        let to_stop = {
            let mut tasks = self.tasks();
            let kept = tasks.all.get_mut(&number);
            kept.and_then(|kept| match std::mem::replace(kept, Task::Runs(task)) {
                Task::IsToStop => kept.stop(),
                Task::Starts | Task::Runs(_) => None,
            })
        };
        to_stop.as_ref().inspect(|task| task.abort());
    }

    /// `None` if it comes too late.
    fn begin(self: &Arc<Self>, id: Option<String>) -> Option<Ends> {
        let mut tasks = self.tasks();
        if tasks.over {
            return None;
        }
        let number = tasks.next;
        tasks.next += 1;
        tasks.all.insert(number, Task::Starts);
        if let Some(id) = &id {
            tasks.requests.insert(id.clone(), number);
        }
        Some(Ends { running: self.clone(), number, id })
    }

    /// The handler of this request has its answer: nothing stops it any more.
    pub(crate) fn done(&self, id: &str) {
        self.tasks().requests.remove(id);
    }

    /// Stops the handler of this request. False if none runs.
    pub(crate) fn stop(&self, id: &str) -> bool {
        let mut tasks = self.tasks();
        let Some(number) = tasks.requests.remove(id) else { return false };
        let task = tasks.all.get_mut(&number).and_then(Task::stop);
        drop(tasks);
        task.as_ref().inspect(|task| task.abort());
        true
    }

    /// Stops the handlers of all requests; those of throws run on.
    pub(crate) fn stop_requests(&self) {
        let mut tasks = self.tasks();
        let requests = std::mem::take(&mut tasks.requests);
        let stop = |number| tasks.all.get_mut(number).and_then(Task::stop);
        let to_stop: Vec<_> = requests.values().filter_map(stop).collect();
        drop(tasks);
        to_stop.iter().for_each(AbortHandle::abort);
    }

    /// Stops every handler, and lets no other begin.
    pub(crate) fn stop_all(&self) {
        let mut tasks = self.tasks();
        tasks.over = true;
        let to_stop: Vec<_> = tasks.all.values_mut().filter_map(Task::stop).collect();
        drop(tasks);
        to_stop.iter().for_each(AbortHandle::abort);
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
    use super::*;

    fn waits(running: &Arc<Running>, id: Option<&str>, holds: impl Send + 'static) {
        running.spawn(id.map(str::to_owned), |ends| async move {
            let (_holds, _ends) = (holds, ends);
            std::future::pending::<()>().await;
        });
    }

    async fn empty(running: &Running) {
        let ended = async {
            while !running.tasks().all.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("they end");
        assert!(running.tasks().requests.is_empty());
    }

    #[tokio::test]
    async fn those_that_are_stopped_leave_nothing_behind() {
        let running = Arc::new(Running::default());
        for number in 0..100 {
            waits(&running, Some(&number.to_string()), ());
        }
        waits(&running, None, ());
        tokio::task::yield_now().await;
        assert!(running.stop("7") && !running.stop("7"), "it is stopped once");
        running.stop_requests();
        while running.tasks().all.len() > 1 {
            tokio::task::yield_now().await;
        }
        running.stop_all();
        empty(&running).await;
        waits(&running, None, ());
        assert!(running.tasks().all.is_empty(), "it comes too late");
    }

    #[tokio::test]
    async fn of_two_requests_with_one_id_the_later_is_known_by_it() {
        let running = Arc::new(Running::default());
        running.spawn(Some("a".to_owned()), |ends| async move { drop(ends) });
        waits(&running, Some("a"), ());
        while running.tasks().all.len() > 1 {
            tokio::task::yield_now().await;
        }
        assert!(running.stop("a"));
        empty(&running).await;
    }

    #[tokio::test]
    async fn one_that_is_stopped_while_it_starts_is_stopped() {
        let running = Arc::new(Running::default());
        let stops = running.clone();
        running.spawn(Some("a".to_owned()), |ends| {
            assert!(stops.stop("a"));
            async move {
                let _ends = ends;
                std::future::pending::<()>().await;
            }
        });
        empty(&running).await;
    }

    /// As a handler that holds the last handle of its server.
    struct StopsAll(Arc<Running>);

    impl Drop for StopsAll {
        fn drop(&mut self) {
            self.0.stop_all();
        }
    }

    /// A runtime that is over drops what it is given at once.
    #[test]
    fn a_task_may_stop_all_where_it_is_dropped_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let handle = runtime.handle().clone();
        drop(runtime);
        let running = Arc::new(Running::default());
        let (told, ended) = std::sync::mpsc::channel();
        let spawns = running.clone();
        std::thread::spawn(move || {
            let _entered = handle.enter();
            waits(&spawns, None, StopsAll(spawns.clone()));
            told.send(()).unwrap();
        });
        ended.recv_timeout(Duration::from_secs(20)).expect("it does not wait for itself");
        assert!(running.tasks().over && running.tasks().all.is_empty());
    }
}
