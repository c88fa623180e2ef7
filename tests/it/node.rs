//! The real process under test: start, kill, restart, stop, and what it wrote to its log.
//!
//! A [`Node`] owns one child process and the folder it stores into. The ports are the process's own choice
//! (`--blobPort 0`), read from the lines it prints before `ready`, so any number of tests run side by side.
//! `SIGKILL` and a restart keep the folder, which is what the crash tests live on.
//!
//! When a node goes out of scope its log is read: a line of level `ERROR`, or a panic, fails the test. A server
//! that answers correctly while shouting is not correct.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a start or a stop may take before the test gives up; generous, because the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// One running `linarite` and the folder under it.
pub(crate) struct Node {
    _folder: TempDir,
    /// The data folder, inside of `_folder`: the process makes it.
    data: PathBuf,
    arguments: Vec<String>,
    /// Whether it logs all that there is to log.
    verbose: bool,
    child: Child,
    endpoints: HashMap<String, String>,
    connection_string: String,
    banner: Vec<String>,
    log: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
    running: bool,
}

impl Node {
    /// A node on a new, empty folder that vanishes with it.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A node on a new folder, with further command line arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Self::start_logging(arguments, false)
    }

    /// As [`Node::start_with`], with every event in the log, down to the least, if `verbose`.
    pub(crate) fn start_logging(arguments: &[&str], verbose: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("linarite-it-").tempdir().expect("a temporary folder");
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let log = Arc::new(Mutex::new(Vec::new()));
        let data = folder.path().join("data");
        let started = Started::new(&data, &arguments, verbose, &log);
        Self {
            _folder: folder,
            data,
            arguments,
            verbose,
            child: started.child,
            endpoints: started.endpoints,
            connection_string: started.connection_string,
            banner: started.banner,
            log,
            readers: started.readers,
            running: true,
        }
    }

    /// The address of a service without its scheme, e.g. `127.0.0.1:41233`, and its path, e.g. `/devstoreaccount1`.
    pub(crate) fn endpoint(&self, service: &str) -> &str {
        self.endpoints.get(service).unwrap_or_else(|| panic!("the process printed no address of {service}"))
    }

    pub(crate) fn connection_string(&self) -> &str {
        &self.connection_string
    }

    /// The folder with the node's data.
    pub(crate) fn folder(&self) -> &Path {
        &self.data
    }

    /// Whether what was printed before `ready` contains `text`.
    pub(crate) fn announced(&self, text: &str) -> bool {
        self.banner.iter().any(|line| line.contains(text))
    }

    /// Runs a command of the binary on the node's folder, e.g. `account list`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--disk").arg(self.folder()).stdin(Stdio::null());
        command.output().expect("the binary starts")
    }

    /// As [`Node::command`], which must succeed, and gives what it prints.
    #[track_caller]
    pub(crate) fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// As [`Node::command`], which must fail, and gives what it says about that.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeds");
        assert!(output.stdout.is_empty(), "{arguments:?} fails and prints an answer");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Sends the process a signal, e.g. `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process as a power cut would end it for the process: no handler runs, nothing is flushed.
    pub(crate) fn kill(&mut self) {
        if self.running {
            self.child.kill().expect("a running child can be killed");
            self.reap();
        }
    }

    /// Starts the process again on the same folder. Ports change, so clients must be made anew.
    pub(crate) fn restart(&mut self) {
        assert!(!self.running, "a node is restarted after it ended");
        let started = Started::new(&self.data, &self.arguments, self.verbose, &self.log);
        self.child = started.child;
        self.endpoints = started.endpoints;
        self.connection_string = started.connection_string;
        self.banner = started.banner;
        self.readers = started.readers;
        self.running = true;
    }

    /// Asks the process to end (`SIGTERM`) and waits until it did.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Waits until the process, which was asked to, has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                self.reap();
                return status;
            }
            assert!(since.elapsed() < PATIENCE, "the process did not end after SIGTERM");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn reap(&mut self) {
        self.child.wait().expect("a child can be waited for");
        self.running = false;
        for reader in self.readers.drain(..) {
            reader.join().expect("a log reader does not panic");
        }
    }

    /// The lines of the log that say that something went wrong.
    fn complaints(&self) -> Vec<String> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let bad = |line: &String| line.contains("\"level\":\"ERROR\"") || line.contains("panicked");
        log.iter().filter(|line| bad(line)).cloned().collect()
    }

    /// The lines of the log after the first `from` of them.
    pub(crate) fn log(&self, from: usize) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).iter().skip(from).cloned().collect()
    }

    /// How many log lines so far contain `text`.
    pub(crate) fn logged(&self, text: &str) -> usize {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().filter(|line| line.contains(text)).count()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.running {
            // The process may have ended on its own; the log below says why.
            let _ = self.child.kill();
            self.reap();
        }
        let complaints = self.complaints();
        if complaints.is_empty() {
            return;
        }
        let text = complaints.join("\n");
        if std::thread::panicking() {
            eprintln!("and the log complains:\n{text}");
        } else {
            panic!("the log complains:\n{text}");
        }
    }
}

/// A process that has said `ready`.
struct Started {
    child: Child,
    endpoints: HashMap<String, String>,
    connection_string: String,
    banner: Vec<String>,
    readers: Vec<JoinHandle<()>>,
}

impl Started {
    fn new(folder: &Path, arguments: &[String], verbose: bool, log: &Arc<Mutex<Vec<String>>>) -> Self {
        let mut command = Command::new(binary());
        if verbose {
            command.env("LINARITE_LOG", "trace");
        }
        let mut child = command
            .arg("--disk")
            .arg(folder)
            .args(["--host", "127.0.0.1", "--blobPort", "0", "--queuePort", "0"])
            .args(["--tablePort", "0", "--adminPort", "0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stdout = child.stdout.take().expect("stdout was piped");
        let stderr = child.stderr.take().expect("stderr was piped");
        let (sender, lines) = channel();
        let readers = vec![
            std::thread::spawn(move || {
                for_each_line(stdout, |line| {
                    let _ = sender.send(line);
                });
            }),
            {
                let log = Arc::clone(log);
                std::thread::spawn(move || {
                    for_each_line(stderr, |line| {
                        log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                    });
                })
            },
        ];
        let mut started = Self {
            child,
            endpoints: HashMap::new(),
            connection_string: String::new(),
            banner: Vec::new(),
            readers,
        };
        started.read_banner(&lines, log);
        started
    }

    fn read_banner(&mut self, lines: &Receiver<String>, log: &Arc<Mutex<Vec<String>>>) {
        loop {
            let Ok(line) = lines.recv_timeout(PATIENCE) else {
                let _ = self.child.kill();
                let _ = self.child.wait();
                let log = log.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
                panic!("the process never said ready; its log:\n{log}");
            };
            self.banner.push(line.clone());
            if line.starts_with("ready") {
                return;
            }
            if let Some(text) = line.strip_prefix("connection string:") {
                text.trim().clone_into(&mut self.connection_string);
            } else if let Some((name, address)) = line.split_once(char::is_whitespace)
                && let Some((_, address)) = address.trim().split_once("://")
            {
                self.endpoints.insert(name.to_owned(), address.trim_end_matches('/').to_owned());
            }
        }
    }
}

/// The binary that was built with this test, or the one the environment names (a release build, say).
fn binary() -> PathBuf {
    let named = std::env::var_os("LINARITE_BINARY").map(PathBuf::from);
    named.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_linarite")))
}

/// Runs the binary to its end and takes what it prints.
pub(crate) fn output(arguments: &[&str]) -> String {
    let output =
        Command::new(binary()).args(arguments).stdin(Stdio::null()).output().expect("the binary starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs the binary, which is to fail, and takes what it complains of.
pub(crate) fn failure(arguments: &[&str]) -> String {
    let output =
        Command::new(binary()).args(arguments).stdin(Stdio::null()).output().expect("the binary starts");
    assert!(!output.status.success(), "{arguments:?} succeeds");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn for_each_line(stream: impl Read, mut sink: impl FnMut(String)) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    // A killed process closes its end, so this loop ends with it; bytes that are not text are kept readable.
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        sink(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
}

fn signal(process_id: u32, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), process_id.to_string()]).status();
    assert!(status.expect("kill is there").success(), "the process was already gone");
}
