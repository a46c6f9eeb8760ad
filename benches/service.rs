//! The program itself, as it would be deployed, and what it takes from the machine.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use expunge::sealing;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};
use secrecy::{ExposeSecret, SecretString};

use crate::client::{Connection, request};
use crate::data::Account;

/// The binary that is measured: cargo builds it with the harness, in the same profile.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_expunge");

/// A running service with its default settings.
pub struct Service {
    /// Where it serves.
    pub address: SocketAddr,
    /// From when it was started to when it said that it is ready.
    pub ready_after: Duration,
    process: Child,
}

/// CPU time that a process has taken.
#[derive(Clone, Copy, Debug)]
pub struct CpuTime {
    /// In the program.
    pub user: Duration,
    /// In the kernel on its behalf.
    pub system: Duration,
}

/// A port that is free now.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Service {
    /// Starts `serve` on a migrated database and waits until it is ready.
    pub async fn start(
        program: &Path,
        socket_dir: &Path,
        database: &str,
        key: &SecretString,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let address = free_address()?;
        let url = format!("postgres://expunge_app@localhost/{database}?host={}", socket_dir.display());
        let mut command = Command::new(program);
        command
            .arg("serve")
            .env("EXPUNGE_DATABASE_URL", url)
            .env("EXPUNGE_SECRET_KEY", key.expose_secret())
            .env("EXPUNGE_LISTEN", address.to_string());
        Self::run(command, address, log).await
    }

    /// Starts a command that serves at `address` and waits until it is ready.
    pub async fn run(mut command: Command, address: SocketAddr, log: &Path) -> anyhow::Result<Self> {
        let log_file = File::create(log)?;
        command.stdin(Stdio::null()).stdout(log_file.try_clone()?).stderr(log_file);
        let started = Instant::now();
        let mut process = command.spawn().context("the program cannot be run")?;
        loop {
            if let Some(status) = process.try_wait()? {
                bail!("the service ended with {status}: {}", fs::read_to_string(log)?);
            }
            if TcpStream::connect(address).is_ok() && is_ready(address).await {
                return Ok(Self { address, ready_after: started.elapsed(), process });
            }
            if started.elapsed() > Duration::from_mins(1) {
                bail!("the service is not ready after a minute: {}", fs::read_to_string(log)?);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Memory that is its own and resident, in bytes.
    pub fn resident(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(self.proc("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
        Ok(kilobytes * 1024)
    }

    /// CPU time since its start.
    pub fn cpu_time(&self) -> anyhow::Result<CpuTime> {
        let stat = fs::read_to_string(self.proc("stat"))?;
        // The name of the program is in parentheses and may have spaces.
        let (_, rest) = stat.rsplit_once(')').context("no name in stat")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = sysconf(SysconfVar::CLK_TCK)?.context("no clock ticks")?;
        let time = |field: usize| -> anyhow::Result<Duration> {
            let count: u32 = fields.get(field).context("a short stat")?.parse()?;
            Ok(Duration::from_secs(1) * count / u32::try_from(ticks)?)
        };
        Ok(CpuTime { user: time(11)?, system: time(12)? })
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.pid().to_string()).join(file)
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.pid())?), Signal::SIGTERM)?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // One that has been stopped is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl CpuTime {
    /// What was taken since an earlier moment.
    pub fn since(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

async fn is_ready(address: SocketAddr) -> bool {
    let nobody = Account::nobody();
    match Connection::open(address).await {
        Ok(mut connection) => connection.send(request(hyper::Method::GET, "/readyz", &nobody, None)).await.is_ok(),
        Err(_) => false,
    }
}

/// A key for a service of ours.
pub fn secret_key() -> anyhow::Result<SecretString> {
    Ok(sealing::generate_key()?)
}
