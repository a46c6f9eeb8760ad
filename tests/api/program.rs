//! The program as it is run: its processes, what they print and how they end.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use expunge::postgres::embedded;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::postgres::scratch;

mod dev;
mod operator;
mod serve;

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run of the program. It ends with the test that started it.
struct Program {
    child: Child,
    stdout: Output,
    stderr: Output,
}

/// How a run ended.
#[derive(Debug)]
struct Ended {
    /// None when a signal ended it.
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Program {
    /// Runs the program with these arguments, and of the environment only what is given.
    fn start<'a>(
        args: impl IntoIterator<Item = &'a str>,
        environment: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_expunge"));
        command.args(args).env_clear();
        // Where Postgres is found, unless the test says otherwise.
        for name in ["PATH", "PG_BIN_DIR"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.envs(environment).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program is built with its tests");
        let stdout = Output::of(child.stdout.take().expect("it is piped"));
        let stderr = Output::of(child.stderr.take().expect("it is piped"));
        Self { child, stdout, stderr }
    }

    /// Runs the program to its end.
    async fn run<'a>(
        args: impl IntoIterator<Item = &'a str>,
        environment: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Ended {
        Self::start(args, environment).ended().await
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("process ids are small");
        kill(Pid::from_raw(pid), signal).expect("it has not been waited for");
    }

    /// How it ended, by itself or after a signal.
    async fn ended(mut self) -> Ended {
        let status = until("the program ends", || self.child.try_wait().expect("it is ours")).await;
        let (stdout, stderr) = (self.stdout.finish(), self.stderr.finish());
        Ended { code: status.code(), stdout, stderr }
    }

    /// The first line of an output that `wanted` makes something of.
    async fn line<T>(&mut self, output: fn(&Self) -> &Output, wanted: impl Fn(&str) -> Option<T>) -> T {
        until("the program says it", || {
            let status = self.child.try_wait().expect("it is ours");
            let found = output(self).text().lines().find_map(&wanted);
            assert!(found.is_some() || status.is_none(), "it ended instead: {status:?} {}", self.stderr.text());
            found
        })
        .await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// What it printed, of a run that went well.
    #[track_caller]
    fn success(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.stdout
    }

    /// The one line that says why it failed.
    #[track_caller]
    fn failure(&self) -> &str {
        assert!(self.code.is_some_and(|code| code != 0), "{self:?}");
        let mut lines = self.stderr.lines().filter(|line| !line.starts_with('{'));
        let line = lines.next().unwrap_or_else(|| panic!("it says nothing: {self:?}"));
        assert_eq!(lines.next(), None, "it says more than one line: {self:?}");
        assert!(line.starts_with("expunge: "), "{line}");
        line
    }

    /// The word after `name` on a line of its own, as the commands print ids and secrets.
    #[track_caller]
    fn value(&self, name: &str) -> String {
        let mut lines = self.success().lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name}: {self:?}")).to_owned()
    }
}

/// What a process has written so far.
struct Output {
    text: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Output {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let written = text.clone();
        let reader = std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = String::new();
            while pipe.read_line(&mut line).is_ok_and(|length| length > 0) {
                written.lock().expect("nobody panics with it").push_str(&line);
                line.clear();
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn text(&self) -> String {
        self.text.lock().expect("nobody panics with it").clone()
    }

    /// All of it, of a process that has ended.
    fn finish(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("it does not panic");
        }
        self.text()
    }
}

/// Asks again and again until there is an answer.
async fn until<T>(what: &str, mut asked: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = asked() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The same where asking takes a request or a query.
async fn until_async<T>(what: &str, mut asked: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = asked().await {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A directory that goes with the test, and with it the database that `dev` made for it.
struct Scratch(PathBuf);

impl Scratch {
    /// A name that nothing is at yet.
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(scratch().join(format!("expunge-program-{}-{number}", std::process::id())))
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn text(&self) -> &str {
        self.0.to_str().expect("the scratch directory's path is text")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for data_dir in [self.0.join("data"), self.0.clone()] {
            if data_dir.join("lock").exists()
                && let Err(error) = embedded::remove(&data_dir)
            {
                eprintln!("{error}");
            }
        }
        // There may be none.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client can be built")
}

#[tokio::test]
async fn every_command_tells_how_it_is_used_and_which_variables_it_reads() {
    let owner = "EXPUNGE_OWNER_DATABASE_URL";
    let operator = &[owner, "EXPUNGE_SECRET_KEY"];
    let limits = [
        "EXPUNGE_LISTEN",
        "EXPUNGE_LOG_FORMAT",
        "EXPUNGE_MAX_CONNECTIONS",
        "EXPUNGE_ACQUIRE_TIMEOUT_MS",
        "EXPUNGE_LOCK_TIMEOUT_MS",
        "EXPUNGE_RECORD_BULK_LIMIT",
        "EXPUNGE_THREADS",
        "EXPUNGE_SHUTDOWN_TIMEOUT",
        "EXPUNGE_ISSUERS",
        "EXPUNGE_SIGNING_KEYS",
    ];
    let serving = ["EXPUNGE_DATABASE_URL", "EXPUNGE_SECRET_KEY", "EXPUNGE_PUBLIC_URL", "EXPUNGE_MIGRATE", owner];
    let serving = [serving.as_slice(), &limits].concat();
    let migrating = [owner, "EXPUNGE_APP_PASSWORD", "EXPUNGE_WORKER_PASSWORD"];
    for (command, variables) in [
        ("", [].as_slice()),
        ("dev", limits.as_slice()),
        ("serve", &serving),
        ("migrate", &migrating),
        ("account", &[]),
        ("account create", operator),
        ("account list", operator),
        ("stream", &[]),
        ("stream create", operator),
        ("stream list", operator),
        ("client", &[]),
        ("client create", operator),
        ("client list", operator),
        ("client rotate", operator),
        ("client revoke", operator),
        ("openapi", &[]),
    ] {
        let args = command.split_whitespace().chain(["--help"]);
        // A value in the environment may be a secret, which the help must not print.
        let ended =
            Program::run(args, [(owner, "postgres://owner:hunter2@host/db"), ("EXPUNGE_SECRET_KEY", "hunter2")]).await;
        let help = ended.success();
        assert!(help.contains("Usage: expunge"), "{command}: {help}");
        assert!(!help.contains("hunter2"), "{command}: {help}");
        for variable in variables {
            assert!(help.contains(&format!("[env: {variable}")), "{command} does not mention {variable}: {help}");
        }
    }
}

#[tokio::test]
async fn the_printed_openapi_document_is_the_one_that_is_kept() {
    let kept = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json")).expect("it is kept");
    let ended = Program::run(["openapi"], []).await;
    assert!(ended.success() == kept, "openapi/openapi.json is stale: `expunge openapi > openapi/openapi.json`");
}
