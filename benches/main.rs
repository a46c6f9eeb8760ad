//! What a deletion costs over what Postgres takes for it: the real program over HTTP, with tokens, row security and the
//! ledger, against `pgbench` on the same server and the same rows, in turn, in one run. See `benches/README.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use expunge::postgres::embedded::{self, Durability, EmbeddedPostgres};
use expunge::postgres::migrations::{self, RolePasswords};
use expunge::postgres::provision;
use secrecy::SecretString;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};

mod background;
mod client;
mod compare;
mod data;
mod latency;
mod pgbench;
mod process;
mod report;
mod service;
mod sizes;

use compare::Loads;
use data::{Account, Size};
use pgbench::Pgbench;
use report::Report;
use service::Service;

/// What the server is set to: a small production server's memory, and every commit on disk before it is confirmed.
const SETTINGS: [(&str, &str); 8] = [
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("shared_buffers", "2GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "15min"),
    ("random_page_cost", "1.1"),
    ("max_connections", "200"),
];

/// Measures what deletions cost over what Postgres takes for them.
#[derive(Debug, Parser)]
struct Args {
    /// A smoke run: everything once, on little data. Its figures say nothing.
    #[arg(long)]
    quick: bool,
    /// Measurements of each side; the table has their medians.
    #[arg(long)]
    rounds: Option<usize>,
    /// Only these works, such as P1a,P3.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where the figures are written as JSON as well.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where the data is written; it is deleted at the end.
    #[arg(long, default_value = "/var/tmp/expunge-bench")]
    data_dir: PathBuf,
    /// What random moments are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Another build of the program, to be measured in place of this one.
    #[arg(long, default_value = service::PROGRAM)]
    program: PathBuf,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What all measurements share.
pub struct Bench {
    /// The server.
    pub postgres: EmbeddedPostgres,
    /// Its load generator.
    pub pgbench: Pgbench,
    /// Where things are written.
    pub dir: PathBuf,
    /// What is measured.
    pub program: PathBuf,
    /// The services' key.
    pub key: SecretString,
    /// Measurements of each side.
    pub rounds: usize,
    /// What random moments are drawn from.
    pub seed: u64,
    /// What has been measured.
    pub report: Report,
    started: Instant,
}

/// A database with its data and a service over it.
pub struct World {
    /// The database.
    pub database: String,
    /// A connection that may do everything.
    pub admin: PgConnection,
    /// The accounts.
    pub accounts: Vec<Account>,
    /// How much there is.
    pub size: Size,
    /// The service.
    pub service: Service,
}

impl Bench {
    fn start(args: &Args) -> anyhow::Result<Self> {
        let dir = args.data_dir.clone();
        if dir.exists() {
            embedded::remove(&dir)?;
        }
        fs::create_dir_all(&dir)?;
        // Postgres runs under another account when we are root.
        fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let dir = fs::canonicalize(dir)?;
        let postgres = EmbeddedPostgres::start(&dir, Durability::Kept, &SETTINGS)?;
        postgres.stop_when_process_ends()?;
        let pgbench = Pgbench::new(postgres.bin_dir(), postgres.socket_dir(), &dir)?;
        let rounds = args.rounds.unwrap_or(if args.quick { 1 } else { 5 });
        let setting = vec![
            ("server", format!("Postgres {}, {}", postgres.version(), settings())),
            ("machine", machine()),
            ("rounds", rounds.to_string()),
        ];
        let report = Report { setting, lines: Vec::new() };
        let key = service::secret_key()?;
        let (program, seed) = (args.program.clone(), args.seed);
        Ok(Self { postgres, pgbench, dir, program, key, rounds, seed, report, started: Instant::now() })
    }

    /// Starts a service over a database.
    pub async fn serve(&self, database: &str) -> anyhow::Result<Service> {
        let log = self.dir.join(format!("{database}.log"));
        Service::start(&self.program, self.postgres.socket_dir(), database, &self.key, &log).await
    }

    /// Says how far it is.
    pub fn say(&self, what: &str) {
        eprintln!("[{:>5.0} s] {what}", self.started.elapsed().as_secs_f64());
    }

    /// A database of that size, and a service over it.
    pub async fn world(&self, database: &str, size: Size) -> anyhow::Result<World> {
        self.say(&format!("loading {database}: {} accounts with {} contacts each", size.accounts, size.contacts));
        let server = PgConnectOptions::new_without_pgpass().socket(self.postgres.socket_dir()).port(embedded::PORT);
        let superuser = server.clone().username(self.postgres.superuser());
        provision::create_database(&superuser, database).await?;
        let owner = server.username(provision::OWNER_ROLE).database(database);
        migrations::migrate(&mut PgConnection::connect_with(&owner).await?, &RolePasswords::default()).await?;
        let accounts = data::create_accounts(&owner, &self.key, size.accounts).await?;
        let mut admin = PgConnection::connect_with(&superuser.database(database)).await?;
        data::load(&mut admin, size).await?;
        let service = self.serve(database).await?;
        Ok(World { database: database.to_owned(), admin, accounts, size, service })
    }
}

impl World {
    /// Stops the service.
    pub fn end(self) -> anyhow::Result<()> {
        self.service.stop()
    }
}

fn settings() -> String {
    SETTINGS.map(|(name, value)| format!("{name} {value}")).join(", ")
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    format!("{cores} cores, {}", model.trim_start_matches(['\t', ':', ' ']))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let mut bench = Bench::start(&args)?;
    let measured = measure(&mut bench, &args).await;
    let table = bench.report.table();
    println!("{table}");
    if let Some(file) = &args.json {
        write_json(file, &bench)?;
    }
    let (postgres, dir) = (bench.postgres, bench.dir);
    postgres.stop()?;
    embedded::remove(&dir)?;
    fs::remove_dir_all(&dir)?;
    measured
}

fn write_json(file: &Path, bench: &Bench) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(&bench.report.json())?;
    fs::write(file, text + "\n").with_context(|| format!("{} cannot be written", file.display()))
}

async fn measure(bench: &mut Bench, args: &Args) -> anyhow::Result<()> {
    let is_asked = |id: &str| args.only.is_empty() || args.only.iter().any(|only| only == id);
    let (size, loads, latencies) = if args.quick {
        (
            Size { accounts: 8, contacts: 2_000, lists: 16, record_lists: 4, records: 200 },
            Loads { singles: 1_024, bulk_lanes: 4, hundreds: 3, thousands: 1 },
            100,
        )
    } else {
        (
            Size { accounts: 50, contacts: 20_000, lists: 160, record_lists: 16, records: 2_500 },
            Loads { singles: 16_000, bulk_lanes: 16, hundreds: 60, thousands: 8 },
            2_000,
        )
    };
    if ["P1a", "P1b", "P2", "P3", "P4", "P5", "P8", "P9", "P10"].into_iter().any(is_asked) {
        let mut world = bench.world("fifty", size).await?;
        bench.report.setting.push(("data", format!("{} accounts with {} contacts each", size.accounts, size.contacts)));
        let mut comparisons = Vec::new();
        for lanes in [16, 64] {
            comparisons.push(compare::singles(size, loads, lanes, true));
            comparisons.push(compare::singles(size, loads, lanes, false));
        }
        for is_hard in [false, true] {
            comparisons.extend([100, 1_000].map(|of| compare::bulks(size, loads, of, is_hard)));
        }
        comparisons.push(compare::lists(size));
        comparisons.extend([true, false].map(|is_by_number| compare::records(size, is_by_number)));
        comparisons.sort_by_key(|comparison| comparison.id);
        for comparison in comparisons.iter().filter(|comparison| is_asked(comparison.id)) {
            comparison.measure(bench, &mut world).await?;
        }
        if is_asked("P2") {
            latency::measure(bench, &mut world, latencies).await?;
        }
        if is_asked("P8") {
            process::memory(bench, &mut world).await?;
        }
        if is_asked("P9") {
            process::start(bench, &world).await?;
        }
        if is_asked("P10") {
            process::cost(bench, &mut world, loads).await?;
        }
        world.end()?;
    }
    if ["P6", "P8"].into_iter().any(is_asked) {
        let contacts = if args.quick { 5_000 } else { 999_999 };
        let size = Size { accounts: 1, contacts, lists: 0, record_lists: 0, records: 0 };
        let mut world = bench.world("million", size).await?;
        if is_asked("P8") {
            background::streamed(bench, &mut world).await?;
        }
        if is_asked("P6") {
            background::million(bench, &mut world).await?;
        }
        world.end()?;
    }
    if is_asked("P7") {
        sizes::measure(bench, args.quick).await?;
    }
    bench.report.lines.sort_by_key(|line| {
        let number = line.id.trim_start_matches('P').trim_end_matches(['a', 'b']).parse::<u32>();
        (number.unwrap_or(0), line.id)
    });
    Ok(())
}
