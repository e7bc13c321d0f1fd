//! Jobs on several threads, their results in order.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, Scope};
use std::time::Duration;

use super::codec::Fault;

/// What to do next.
pub(crate) enum Next<J> {
    Job(J),
    /// A job there is, but not before a result has been taken.
    Later,
    End,
}

/// Where the jobs come from, and where their results go. All of it happens in
/// the thread that calls [`in_order`].
pub(crate) trait Line {
    type Job: Send;
    type Result: Send;

    fn next(&mut self) -> Result<Next<Self::Job>, Fault>;
    /// Takes a result; they come in the order of the jobs.
    fn take(&mut self, result: Self::Result) -> Result<(), Fault>;
    /// Is called some times a second, while there is nothing else to do.
    fn wait(&mut self);
}

/// Does the jobs of a line in up to `threads` threads, and takes one more at
/// most before it needs a result. After an error of [`Line::next`] the jobs
/// before it are still done; one of [`Line::take`] stops all, and `work` should
/// look at its flag now and then, which is set when nobody wants the result.
pub(crate) fn in_order<L: Line>(
    line: &mut L,
    threads: usize,
    work: impl Fn(L::Job, &AtomicBool) -> L::Result + Sync,
) -> Result<(), Fault> {
    let stop = AtomicBool::new(false);
    let (jobs, todo) = channel::<(L::Job, Sender<L::Result>)>();
    let todo = Mutex::new(todo);
    let worker = || {
        loop {
            // Locked while waiting for a job, not while doing it.
            let next = todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((job, result)) = next else {
                return;
            };
            let _ = result.send(work(job, &stop));
        }
    };
    std::thread::scope(|scope| {
        let mut workers = 0;
        let mut waiting = VecDeque::new();
        let mut end = None;
        let result = loop {
            if end.is_none() && waiting.len() <= threads {
                match line.next() {
                    Ok(Next::Job(job)) => {
                        if workers < threads && workers <= waiting.len() {
                            match spawn(scope, &worker) {
                                Ok(()) => workers += 1,
                                Err(error) if workers == 0 => break Err(Fault::Thread(error)),
                                Err(_) => {} // it goes with fewer
                            }
                        }
                        let (sender, receiver) = channel();
                        let _ = jobs.send((job, sender));
                        waiting.push_back(receiver);
                        continue;
                    }
                    Ok(Next::Later) => {}
                    Ok(Next::End) => end = Some(Ok(())),
                    Err(fault) => end = Some(Err(fault)),
                }
            }
            match waiting.pop_front() {
                Some(receiver) => {
                    let taken = wait(&receiver, || line.wait()).map(|result| line.take(result));
                    if let Some(Err(fault)) = taken {
                        break Err(fault);
                    }
                }
                None => break end.unwrap_or(Ok(())),
            }
        };
        stop.store(true, Ordering::Relaxed);
        drop(jobs);
        result
    })
}

fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    worker: &'scope (impl Fn() + Sync),
) -> io::Result<()> {
    Builder::new().spawn_scoped(scope, worker).map(drop)
}

/// The result; none if the worker has panicked, which the scope passes on.
fn wait<R>(receiver: &Receiver<R>, mut meanwhile: impl FnMut()) -> Option<R> {
    loop {
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(result) => return Some(result),
            Err(RecvTimeoutError::Timeout) => meanwhile(),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}
