//! Lines on their way to a file that may be slow.
//!
//! Whoever logs appends to a buffer and goes on; a thread writes the buffer out a few times a second. A write
//! per line would cost a request more than many requests cost themselves. When the file falls behind by
//! [`WAITING_BYTES_MAX`], lines are dropped, and a line says how many: a log must not stop the server.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How long lines may gather.
const GATHERING: Duration = Duration::from_millis(50);
/// Most bytes that wait for the file.
const WAITING_BYTES_MAX: usize = 8 << 20;

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    dropped: u64,
    closed: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The buffer and the thread that writes it out. Dropping it writes what is left.
#[derive(Debug)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Appends whole lines.
#[derive(Debug, Clone)]
pub(crate) struct LineWriter(Arc<Shared>);

impl Lines {
    /// Lines for `file`.
    pub(crate) fn start(file: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let thread = Builder::new().name("log".to_owned()).spawn(move || write_out(&theirs, file))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Where lines are appended.
    pub(crate) fn writer(&self) -> LineWriter {
        LineWriter(Arc::clone(&self.shared))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It panics only if the file's writer does, and there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

impl Write for LineWriter {
    /// Takes all of `line`, which must be whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        if state.waiting.len() + line.len() > WAITING_BYTES_MAX {
            state.dropped += 1;
            return Ok(line.len());
        }
        let first = state.waiting.is_empty();
        state.waiting.extend_from_slice(line);
        drop(state);
        if first {
            self.0.changed.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_out(shared: &Shared, mut file: impl Write) {
    let mut out = Vec::new();
    loop {
        let mut state = shared.state();
        while state.waiting.is_empty() && !state.closed {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.closed {
            let gathered = shared.changed.wait_timeout_while(state, GATHERING, |state| !state.closed);
            state = gathered.unwrap_or_else(PoisonError::into_inner).0;
        }
        out.clear();
        std::mem::swap(&mut state.waiting, &mut out);
        let (dropped, closed) = (std::mem::take(&mut state.dropped), state.closed);
        drop(state);
        if dropped > 0 {
            out.extend_from_slice(
                format!(
                    "{{\"level\":\"WARN\",\"message\":\"log lines were dropped\",\"lines\":{dropped}}}\n"
                )
                .as_bytes(),
            );
        }
        // A log that cannot be written is no reason to stop.
        let _ = file.write_all(&out).and_then(|()| file.flush());
        if closed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Keeps what is written; each write first waits for a word if it is to be slow.
    struct Kept(Arc<Mutex<Vec<u8>>>, Option<mpsc::Receiver<()>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(word) = &self.1 {
                let _ = word.recv();
            }
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_lines_of_all_writers_are_there_when_the_log_is_dropped() {
        let kept = Arc::<Mutex<Vec<u8>>>::default();
        let lines = Lines::start(Kept(Arc::clone(&kept), None)).unwrap();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                let mut writer = lines.writer();
                threads.spawn(move || (0..1000).for_each(|_| writer.write_all(b"a line\n").unwrap()));
            }
        });
        drop(lines);
        let kept = String::from_utf8(kept.lock().unwrap().clone()).unwrap();
        assert_eq!(kept.lines().filter(|line| *line == "a line").count(), 4000);
    }

    #[test]
    fn a_file_that_falls_behind_loses_lines_and_says_so() {
        let kept = Arc::<Mutex<Vec<u8>>>::default();
        let (word, slow) = mpsc::channel();
        let lines = Lines::start(Kept(Arc::clone(&kept), Some(slow))).unwrap();
        let line = vec![b'x'; WAITING_BYTES_MAX / 2];
        // One may be taken out to be written, two fit behind it; of the others at least one is dropped.
        (0..5).for_each(|_| lines.writer().write_all(&line).unwrap());
        drop(word);
        drop(lines);
        let kept = kept.lock().unwrap();
        assert!(kept.len() < 5 * line.len());
        assert!(String::from_utf8_lossy(&kept).contains("log lines were dropped"));
    }
}
