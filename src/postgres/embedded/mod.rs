//! A private Postgres server, run from the Postgres programs already installed on the machine.
//!
//! It listens on a Unix socket only, in a directory nobody else may enter. All functions block;
//! call them outside the async runtime or through `spawn_blocking`.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{process, thread};

use nix::sys::signal::kill;
use nix::unistd::Pid;

mod binaries;
mod places;

use binaries::Binaries;
use places::{Account, at, delete, fits_as_socket_dir, hashed, private_dir};

/// The port in the name of the server's socket; nothing listens on TCP.
pub const PORT: u16 = 5432;

const SUPERUSER: &str = "postgres";
const OLDEST_VERSION: u32 = 15;
const LOG: &str = "server.log";
const PID_FILE: &str = "postmaster.pid";
const UNFINISHED: &str = "cluster.new-";
const POLL: Duration = Duration::from_millis(20);

/// Why the private Postgres server could not be found, started, stopped or removed.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No usable Postgres programs on this machine; names the places passed over, if any.
    #[error(
        "Postgres {OLDEST_VERSION} or newer was not found on this machine{0}. Install it (apt-get \
         install postgresql, or brew install postgresql@17), or set PG_BIN_DIR to the directory \
         that holds initdb, pg_ctl and postgres, or use `serve` with EXPUNGE_DATABASE_URL"
    )]
    NotFound(String),
    /// `PG_BIN_DIR` is set to a directory that does not serve, and why.
    #[error(
        "PG_BIN_DIR is set to {0:?}, which {1}. Set it to the directory that holds initdb, pg_ctl \
         and postgres, or unset it to use the Postgres that is installed (apt-get install \
         postgresql, or brew install postgresql@17), or use `serve` with EXPUNGE_DATABASE_URL"
    )]
    BinDir(PathBuf, String),
    /// We are root, and there is no account to run Postgres under.
    #[error("Postgres does not run as root, and there is no `postgres` or `nobody` account")]
    NoAccount,
    /// A process, possibly this one, has the directory in use.
    #[error("{0:?} is already in use by {1}; stop it or choose another directory")]
    InUse(PathBuf, String),
    /// A directory that should belong to the account with this uid alone does not.
    #[error("{0:?} is not a private directory of uid {1}; delete it or choose another directory")]
    Foreign(PathBuf, u32),
    /// The data in a directory was written by another major version than that of the programs.
    #[error(
        "{0:?} was written by Postgres {1}, but the Postgres found is version {2}; set PG_BIN_DIR \
         to the programs of Postgres {1}, or delete the data (`expunge dev --fresh`)"
    )]
    Version(PathBuf, String, u32),
    /// One of Postgres' programs reported a failure; with the end of its output or log.
    #[error("{0} failed:\n{1}")]
    Failed(&'static str, String),
    /// The operating system refused something.
    #[error("cannot {0} {1:?}: {2}")]
    Io(&'static str, PathBuf, #[source] io::Error),
}

/// Whether commits survive a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is on disk before it is confirmed.
    Kept,
    /// Nothing waits for the disk; for tests, whose data is thrown away.
    Off,
}

/// A running private Postgres server, and the claim on its directory.
///
/// Dropping it gives up the claim but leaves the server running; the next `start` takes it over.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    binaries: Binaries,
    account: Account,
    durability: Durability,
    dir: PathBuf,
    /// Holds the cluster: `dir`, or a directory in /var/tmp.
    home: PathBuf,
    socket_dir: PathBuf,
    _lock: File,
}

impl EmbeddedPostgres {
    /// Starts the server, or takes over one that a killed process left; at first makes the cluster.
    ///
    /// The data is in `<dir>/cluster`. As root, Postgres runs under the account `postgres` or else
    /// `nobody`; when that account cannot reach `dir`, the data is in
    /// `/var/tmp/expunge-<uid>-<hash of dir>/cluster`. `settings` are further Postgres settings; a
    /// server that is taken over keeps those it was started with.
    ///
    /// # Errors
    /// `InUse` when a process holds `dir`; others when the machine or the directory is unsuitable.
    pub fn start(dir: &Path, durability: Durability, settings: &[(&str, &str)]) -> Result<Self, EmbeddedError> {
        let mut postgres = Self::claim(dir, durability)?;
        postgres.ensure_cluster()?;
        if postgres.socket_dir != postgres.cluster() {
            private_dir(&postgres.socket_dir, 0o700, postgres.account)?;
        }
        let options = server_options(&postgres.socket_dir, durability, settings);
        postgres.socket_dir = postgres.bring_up(&options)?.socket_dir;
        Ok(postgres)
    }

    /// The directory of the server's socket: the `host` of a connection, with port [`PORT`].
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The role that may do everything; it needs no password.
    #[must_use]
    pub fn superuser(&self) -> &'static str {
        SUPERUSER
    }

    /// The server's major version, such as 17.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.binaries.version
    }

    /// Where the server's programs are.
    #[must_use]
    pub fn bin_dir(&self) -> &Path {
        &self.binaries.dir
    }

    /// Stops the server, ending all connections. A server that has already ended is fine.
    ///
    /// # Errors
    /// `Failed` when it does not end within a minute, `Io` when `pg_ctl` cannot be run.
    pub fn stop(self) -> Result<(), EmbeddedError> {
        self.end("fast")
    }

    /// Leaves a guard behind that stops the server when this process has ended, however it ended.
    ///
    /// With `Durability::Off` the guard also deletes the cluster, and `dir` when nothing else is in
    /// it. So no other process should start in `dir` at the moment this one ends.
    ///
    /// # Errors
    /// `Io` when the guard cannot be run.
    pub fn stop_when_process_ends(&self) -> Result<(), EmbeddedError> {
        let shell = Path::new("/bin/sh");
        let (mode, to_next) = match self.durability {
            Durability::Kept => ("fast", Stdio::null()),
            Durability::Off => ("immediate", Stdio::piped()),
        };
        // Nothing is ever written to the pipe; its end tells that this process has ended.
        let mut stopper = self.account.command(shell);
        stopper.args(["-c", r#"read -r _; exec "$0" stop -s -w -t 60 -m "$1""#]);
        stopper.arg(self.binaries.dir.join("pg_ctl")).arg(mode).env("PGDATA", self.cluster());
        stopper.stdin(Stdio::piped()).stdout(to_next).process_group(0);
        let stopper = stopper.spawn().map_err(at("run", shell))?;
        // Never closed by us; children do not inherit it.
        std::mem::forget(stopper.stdin);
        if let Some(stopped) = stopper.stdout {
            // When we are root, only the account may run pg_ctl and only we may delete from `dir`:
            // hence a second process, whose input ends when the first is done.
            let script = r#"read -r _; pid=$(head -n 1 "$1/postmaster.pid")
                [ -n "$pid" ] && kill -0 "$pid" && exit; rm -rf -- "$@"; rmdir -- "$0""#;
            let mut remover = Account::ours().command(shell);
            remover.args(["-c", script]).arg(&self.dir).arg(self.cluster());
            remover.arg(self.dir.join("lock")).arg(&self.socket_dir);
            if self.home != self.dir {
                remover.arg(&self.home);
            }
            remover.stdin(stopped).process_group(0).spawn().map_err(at("run", shell))?;
        }
        Ok(())
    }

    fn claim(dir: &Path, durability: Durability) -> Result<Self, EmbeddedError> {
        let (binaries, account) = (Binaries::find()?, Account::for_postgres()?);
        fs::create_dir_all(dir).map_err(at("create", dir))?;
        let dir = dir.canonicalize().map_err(at("resolve", dir))?;
        let path = dir.join("lock");
        let lock = File::options().append(true).create(true).open(&path);
        let mut lock = lock.map_err(at("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(at("lock", &path)(error)),
            Err(TryLockError::WouldBlock) => {
                let pid = fs::read_to_string(&path).ok().filter(|pid| !pid.is_empty());
                let holder = pid.map_or("another process".into(), |pid| format!("process {pid}"));
                return Err(EmbeddedError::InUse(dir, holder));
            }
        }
        let written = lock.set_len(0).and_then(|()| write!(lock, "{}", process::id()));
        written.map_err(at("write", &path))?;
        let reachable = account.can_reach(&dir);
        let home = if reachable { dir.clone() } else { hashed("/var/tmp", &dir) };
        let cluster = home.join("cluster");
        let fits = fits_as_socket_dir(&cluster);
        let socket_dir = if fits { cluster } else { hashed("/tmp", &dir) };
        Ok(Self { binaries, account, durability, dir, home, socket_dir, _lock: lock })
    }

    fn cluster(&self) -> PathBuf {
        self.home.join("cluster")
    }

    fn ensure_cluster(&self) -> Result<(), EmbeddedError> {
        if self.home != self.dir {
            private_dir(&self.home, 0o711, Account::ours())?;
        }
        let cluster = self.cluster();
        if !cluster.exists() {
            self.create_cluster()?;
        }
        private_dir(&cluster, 0o700, self.account)?;
        let path = cluster.join("PG_VERSION");
        let written_by = fs::read_to_string(&path).map_err(at("read", &path))?.trim().to_owned();
        let found = self.binaries.version;
        if written_by != found.to_string() {
            return Err(EmbeddedError::Version(cluster, written_by, found));
        }
        Ok(())
    }

    /// Under another name first, so that a cluster under its own name is always whole. The name
    /// differs each time because an initdb whose parent was killed may still write to the old one.
    fn create_cluster(&self) -> Result<(), EmbeddedError> {
        self.delete_unfinished();
        let new = self.home.join(format!("{UNFINISHED}{}", process::id()));
        private_dir(&new, 0o700, self.account)?;
        let program = self.binaries.dir.join("initdb");
        let mut initdb = self.account.command(&program);
        initdb.args(["--username", SUPERUSER, "--encoding=UTF8", "--locale=C"]);
        initdb.args(["--auth-local=trust", "--auth-host=reject", "-D"]).arg(&new);
        if self.durability == Durability::Off {
            initdb.arg("--no-sync");
        }
        let output = initdb.stderr(Stdio::piped()).output().map_err(at("run", &program))?;
        if !output.status.success() {
            delete(&new)?;
            return Err(EmbeddedError::Failed("initdb", last_lines(&output.stderr)));
        }
        fs::rename(&new, self.cluster()).map_err(at("rename", &new))?;
        if self.durability == Durability::Kept {
            let synced = File::open(&self.home).and_then(|home| home.sync_all());
            synced.map_err(at("sync", &self.home))?;
        }
        Ok(())
    }

    fn delete_unfinished(&self) {
        for entry in fs::read_dir(&self.home).into_iter().flatten().flatten() {
            if entry.file_name().as_bytes().starts_with(UNFINISHED.as_bytes()) {
                // An initdb that still writes may defeat this; the next attempt gets the rest.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    fn bring_up(&self, options: &str) -> Result<Server, EmbeddedError> {
        if let Some(server) = self.await_ready()? {
            return Ok(server);
        }
        // One log per start, so that a failure shows the lines of this start.
        let log = self.cluster().join(LOG);
        let _ = fs::rename(&log, log.with_extension("log.old"));
        let start = ["start", "-l", LOG, "-o", options];
        let started = self.pg_ctl("starting Postgres", &start);
        if let Err(error) = started {
            // Postgres clears away the process id file of a server that is gone, unless that number
            // is in use: by another process now, or by a server whose starter was killed just now.
            let path = self.cluster().join(PID_FILE);
            let recorded = fs::read_to_string(&path).unwrap_or_default();
            let pid = recorded.lines().next().and_then(|line| line.parse().ok());
            if pid.is_none_or(|pid| kill(Pid::from_raw(pid), None).is_err()) {
                return Err(error);
            }
            let until = Instant::now() + Duration::from_secs(2);
            while Server::of(&self.cluster()).is_none() && Instant::now() < until {
                thread::sleep(POLL);
            }
            if let Some(server) = self.await_ready()? {
                return Ok(server);
            }
            // Should a server run unheard after all, Postgres sees its shared memory and refuses,
            // and that server ends by itself within a minute of missing the file.
            fs::remove_file(&path).map_err(at("delete", &path))?;
            self.pg_ctl("starting Postgres", &start)?;
        }
        self.await_ready()?.ok_or_else(|| self.failed("starting Postgres"))
    }

    /// The running server, once it has finished starting; none also when it has finished stopping.
    fn await_ready(&self) -> Result<Option<Server>, EmbeddedError> {
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            match Server::of(&self.cluster()) {
                Some(server) if !server.ready => thread::sleep(POLL),
                settled => return Ok(settled),
            }
            if Instant::now() > until {
                return Err(self.failed("waiting for the running Postgres"));
            }
        }
    }

    fn end(&self, mode: &str) -> Result<(), EmbeddedError> {
        // A leftover process id file must not let pg_ctl signal a process that is no server.
        match Server::of(&self.cluster()) {
            Some(_) => self.pg_ctl("stopping Postgres", &["stop", "-m", mode]),
            None => Ok(()),
        }
    }

    /// Tells the directory through the environment and the log by a relative path, because `pg_ctl`
    /// passes `-D` and `-l` through a shell unescaped. Without output, because the server outlives
    /// us and must not hold our pipes.
    fn pg_ctl(&self, what: &'static str, args: &[&str]) -> Result<(), EmbeddedError> {
        let (program, cluster) = (self.binaries.dir.join("pg_ctl"), self.cluster());
        let mut command = self.account.command(&program);
        command.args(args).args(["-s", "-w", "-t", "60"]);
        command.env("PGDATA", &cluster).current_dir(&cluster);
        let status = command.status().map_err(at("run", &program))?;
        if status.success() { Ok(()) } else { Err(self.failed(what)) }
    }

    fn failed(&self, what: &'static str) -> EmbeddedError {
        let log = self.cluster().join(LOG);
        match fs::read(&log) {
            Ok(text) => EmbeddedError::Failed(what, last_lines(&text)),
            Err(error) => EmbeddedError::Failed(what, at("read", &log)(error).to_string()),
        }
    }
}

/// Deletes the cluster of `dir`, wherever `start` put it, after stopping its server.
///
/// `dir` itself stays, with the lock file in it.
///
/// # Errors
/// `InUse` when a process holds `dir`; others when the server or the data cannot be removed.
pub fn remove(dir: &Path) -> Result<(), EmbeddedError> {
    let mut postgres = EmbeddedPostgres::claim(dir, Durability::Off)?;
    for home in [postgres.dir.clone(), hashed("/var/tmp", &postgres.dir)] {
        postgres.home = home;
        if postgres.cluster().exists() {
            private_dir(&postgres.cluster(), 0o700, postgres.account)?;
            postgres.end("immediate")?;
            delete(&postgres.cluster())?;
        }
        postgres.delete_unfinished();
        if postgres.home != postgres.dir {
            // Fails where it is not there, or holds what is not ours to delete.
            let _ = fs::remove_dir(&postgres.home);
        }
    }
    let sockets = hashed("/tmp", &postgres.dir);
    if sockets.exists() {
        private_dir(&sockets, 0o700, postgres.account)?;
        delete(&sockets)?;
    }
    Ok(())
}

/// A server that accepts connections, as described by its process id file.
struct Server {
    socket_dir: PathBuf,
    socket: PathBuf,
    ready: bool,
}

impl Server {
    fn of(cluster: &Path) -> Option<Self> {
        let server = Self::parse(&fs::read_to_string(cluster.join(PID_FILE)).ok()?)?;
        UnixStream::connect(&server.socket).ok().map(|_| server)
    }

    /// The lines are: process, data directory, start time, port, socket directory, address, shared
    /// memory, status.
    fn parse(pid_file: &str) -> Option<Self> {
        let lines: Vec<&str> = pid_file.lines().collect();
        let socket_dir = PathBuf::from(lines.get(4)?);
        let socket = socket_dir.join(format!(".s.PGSQL.{}", lines[3]));
        let ready = lines.get(7).is_some_and(|status| status.trim() == "ready");
        Some(Self { socket_dir, socket, ready })
    }
}

fn server_options(socket_dir: &Path, durability: Durability, settings: &[(&str, &str)]) -> String {
    let sync = if durability == Durability::Kept { "on" } else { "off" };
    let durability = [("fsync", sync), ("full_page_writes", sync), ("synchronous_commit", sync)];
    let sockets = format!("\"{}\"", socket_dir.display());
    let fixed = [
        ("listen_addresses", ""),
        ("port", "5432"),
        ("unix_socket_directories", sockets.as_str()),
        ("unix_socket_permissions", "0700"),
        // Statements, their parameters and the values in error messages are personal data.
        ("log_min_messages", "log"),
        ("log_min_error_statement", "panic"),
        ("log_statement", "none"),
        ("log_parameter_max_length_on_error", "0"),
        ("log_error_verbosity", "terse"),
    ];
    let all = durability.iter().chain(settings).chain(&fixed);
    let all = all.map(|(name, value)| format!("{name}={value}").replace('\'', r"'\''"));
    all.fold(String::new(), |options, setting| format!("{options} -c '{setting}'"))
}

fn last_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_quoted_and_cannot_open_the_server() {
        let settings = [("a", "it's"), ("listen_addresses", "*")];
        let options = server_options(Path::new("/s"), Durability::Off, &settings);
        assert!(options.contains(r"-c 'a=it'\''s'"));
        assert!(options.rfind("'listen_addresses='") > options.rfind("'listen_addresses=*'"));
    }

    #[test]
    fn process_id_file_tells_the_socket_and_whether_the_server_is_ready() {
        let text = "12\n/d\n1700000000\n5432\n/s\n\n  1 2\nready   \n";
        let server = Server::parse(text).expect("all lines are there");
        assert_eq!(server.socket, Path::new("/s/.s.PGSQL.5432"));
        assert!(server.ready);
        assert!(Server::parse("12\n/d\n").is_none());
    }
}
