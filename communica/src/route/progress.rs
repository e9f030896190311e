//! A thread that begins to run a handler → whether it is known to have got on with it.
//!
//! That a thread was about to run a handler says nothing: it may be without the processor for as long as others want it. Linux
//! says how long a thread had it (proc_pid_schedstat(5)). That it waits for something says nothing either: that may be a lock,
//! behind which the handler's deed is still to come. Where nobody tells, nothing is known.

use std::time::Duration;

/// With the processor for so long, a thread has done what stands first in a handler: a millisecond, and ten because Linux
/// counts at its ticks, of which there are at least a hundred a second; what is told may be from the last one, …
const FIRST_STEPS: Duration = Duration::from_millis(1 + 10);
/// … and, for each byte of the payload, loaded it before.
const LOADING: Duration = Duration::from_nanos(100);

/// How far a thread had come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// What tells of the thread, and its time with the processor then.
    mark: Option<(String, Duration)>,
    /// So much more is needed.
    needed: Duration,
}

impl Progress {
    /// Of the thread that asks, which is about to run a handler with a payload of so many bytes.
    pub(crate) fn of_this_thread(payload: usize) -> Self {
        let bytes = u32::try_from(payload).unwrap_or(u32::MAX);
        Self {
            mark: times_file().and_then(|file| Some((file.clone(), ran(&file)?))),
            needed: FIRST_STEPS + LOADING * bytes,
        }
    }

    /// Somebody tells how far it is.
    pub(crate) fn is_told(&self) -> bool {
        self.mark.is_some()
    }

    /// The handler's first steps are done. May be false though they are.
    pub(crate) fn is_known(&self) -> bool {
        let Some((file, then)) = &self.mark else { return false };
        ran(file).is_some_and(|now| now.saturating_sub(*then) > self.needed)
    }
}

fn times_file() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let thread = std::fs::read_link("/proc/thread-self").ok()?;
    Some(format!("/proc/{}/schedstat", thread.to_str()?))
}

fn ran(file: &str) -> Option<Duration> {
    let times = std::fs::read_to_string(file).ok()?;
    times.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_millis(100);

    /// The progress of a thread that does this.
    fn of(payload: usize, work: impl FnOnce() + Send + 'static) -> Progress {
        let (told, progress) = mpsc::channel();
        thread::spawn(move || {
            told.send(Progress::of_this_thread(payload)).unwrap();
            work();
        });
        progress.recv().unwrap()
    }

    fn compute_until_told(end: &mpsc::Receiver<()>) {
        while end.try_recv() == Err(mpsc::TryRecvError::Empty) {}
    }

    #[test]
    fn a_thread_that_computes_gets_on() {
        let (_end, ended) = mpsc::channel();
        let progress = of(0, move || compute_until_told(&ended));
        let begun = Instant::now();
        while !progress.is_known() {
            assert!(begun.elapsed() < Duration::from_secs(20));
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn first_it_has_to_load_its_payload() {
        let (_end, ended) = mpsc::channel();
        let progress = of(usize::MAX, move || compute_until_told(&ended));
        thread::sleep(LONG);
        assert!(!progress.is_known());
    }

    #[test]
    fn a_thread_that_waits_may_have_done_nothing_yet() {
        let (_end, ended) = mpsc::channel::<()>();
        let progress = of(0, move || assert!(ended.recv().is_err()));
        thread::sleep(LONG);
        assert!(!progress.is_known());
    }

    #[test]
    fn of_a_thread_that_has_ended_nothing_is_known() {
        let progress = thread::spawn(|| Progress::of_this_thread(0)).join().unwrap();
        assert!(!progress.is_known());
    }
}
