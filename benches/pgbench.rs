//! The yardstick: Postgres' own load generator with scripts that do the same to the same rows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::client::Run;

/// A script and how it is run.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its name in `benches/sql`.
    pub name: &'static str,
    /// Connections.
    pub clients: u64,
    /// Transactions of each.
    pub transactions: u64,
    /// Its variables.
    pub variables: Vec<(&'static str, u64)>,
    /// Transactions that begin in a second, where they are not begun as fast as they go.
    pub rate: Option<f64>,
}

/// Where the server is found, and where its load generator.
pub struct Pgbench {
    program: PathBuf,
    socket_dir: PathBuf,
    dir: PathBuf,
}

impl Pgbench {
    /// The load generator that belongs to the server's programs.
    pub fn new(bin_dir: &Path, socket_dir: &Path, dir: &Path) -> anyhow::Result<Self> {
        // What is found on the way may be a link to the server's programs alone.
        let server = fs::canonicalize(bin_dir.join("postgres"))?;
        let beside = [Some(bin_dir), server.parent()].into_iter().flatten().map(|dir| dir.join("pgbench"));
        let program = beside.into_iter().find(|program| program.exists());
        let program = program.context("there is no pgbench, which comes with Postgres' client programs")?;
        Ok(Self { program, socket_dir: socket_dir.to_owned(), dir: dir.to_owned() })
    }

    /// Runs a script to its end. A bare statement runs as who may do everything, so that nothing is added to it; what is
    /// to be as safe as the service runs as the service's own role.
    pub fn run(&self, database: &str, script: &Script) -> anyhow::Result<Run> {
        let role = if script.name.ends_with("_bare") { "postgres" } else { "expunge_app" };
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/sql").join(script.name).with_extension("sql");
        let logs = self.dir.join("pgbench");
        // The last run's would be read as this one's.
        let _ = fs::remove_dir_all(&logs);
        fs::create_dir_all(&logs)?;
        let mut command = Command::new(&self.program);
        command.args(["--no-vacuum", "--protocol=prepared", "--log", "--jobs=1"]);
        command.arg(format!("--client={}", script.clients)).arg(format!("--transactions={}", script.transactions));
        command.arg("--file").arg(&file).arg("--host").arg(&self.socket_dir);
        command.args(["--port", "5432", "--username", role]);
        for (name, value) in [("k", "-1".to_owned()), ("per_client", script.transactions.to_string())]
            .into_iter()
            .chain(script.variables.iter().map(|(name, value)| (*name, value.to_string())))
        {
            command.arg("--define").arg(format!("{name}={value}"));
        }
        if let Some(rate) = script.rate {
            command.arg(format!("--rate={rate}"));
        }
        let output = command.arg(database).current_dir(&logs).output().context("pgbench cannot be run")?;
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "pgbench failed in {}: {complained}", script.name);
        let rate: f64 = after(&said, "tps = ").context("pgbench did not say how fast it was")?;
        let asked = script.clients * script.transactions;
        let done = after::<String>(&said, "number of transactions actually processed: ").unwrap_or_default();
        ensure!(done == format!("{asked}/{asked}"), "{} did {done} of {asked} transactions", script.name);
        let mut latencies = Vec::new();
        for entry in fs::read_dir(&logs)? {
            for line in fs::read_to_string(entry?.path())?.lines() {
                let micros = line.split(' ').nth(2).context("a short line in pgbench's log")?;
                latencies.push(Duration::from_micros(micros.parse()?));
            }
        }
        Ok(Run { elapsed: Duration::from_secs_f64(asked as f64 / rate), latencies })
    }
}

/// The word after a phrase.
fn after<T: std::str::FromStr>(text: &str, phrase: &str) -> Option<T> {
    text.split_once(phrase)?.1.split_whitespace().next()?.parse().ok()
}
