//! The server that the tests run on: a container where a Docker daemon and an
//! image are at hand, the machine's own Postgres elsewhere. It ends with this
//! process, however this process ends.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use expunge::postgres::embedded::{Durability, EmbeddedPostgres, PORT};
use expunge::postgres::migrations::{self, RolePasswords};
use expunge::postgres::{APP_ROLE, provision, quiet};
use secrecy::SecretString;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor};
use testcontainers::core::IntoContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{GenericImage, ImageExt};

const TEMPLATE: &str = "expunge_template";
/// The password of every role.
pub const PASSWORD: &str = "test";

/// Images that are tried in turn when none is named.
const IMAGES: [&str; 5] = ["expunge-postgres:15", "postgres:18", "postgres:17", "postgres:16", "postgres:15"];

/// The server, reached as its superuser.
struct Server {
    superuser: PgConnectOptions,
}

/// A test's own database.
pub struct Database {
    name: String,
    superuser: PgConnectOptions,
}

impl Database {
    /// A migrated database that nobody else uses.
    pub async fn create() -> Self {
        Self::copy_of(TEMPLATE).await
    }

    /// A database without anything in it that nobody else uses.
    pub async fn create_empty() -> Self {
        Self::copy_of("template0").await
    }

    async fn copy_of(template: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let superuser = server().superuser.clone();
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect_with(&superuser).await.expect("the server takes connections");
        let statement = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy OWNER expunge_owner");
        connection.execute(sqlx::AssertSqlSafe(statement)).await.expect("the template can be copied");
        connection.close().await.expect("the connection closes");
        Self { name, superuser }
    }

    /// As the role that serves.
    pub fn app(&self) -> PgConnectOptions {
        self.role(APP_ROLE)
    }

    /// As the role that owns the tables.
    pub fn owner(&self) -> PgConnectOptions {
        self.role(provision::OWNER_ROLE)
    }

    /// As a role that sees and may do everything: for looking behind the service's back.
    pub fn superuser(&self) -> PgConnectOptions {
        self.superuser.clone().database(&self.name)
    }

    /// As any role whose password is that of the tests.
    pub fn role(&self, role: &str) -> PgConnectOptions {
        self.superuser().username(role).password(PASSWORD)
    }
}

/// The options as a connection string, for the program's command line.
pub fn url(options: &PgConnectOptions) -> String {
    let database = options.get_database().expect("tests name their database");
    let user = options.get_username();
    match options.get_socket() {
        Some(socket) => format!(
            "postgres://{user}@localhost:{PORT}/{database}?host={}",
            socket.to_str().expect("the socket's path is text")
        ),
        None => format!("postgres://{user}:{PASSWORD}@{}:{}/{database}", options.get_host(), options.get_port()),
    }
}

/// The same role and database at a port of this machine.
pub fn url_at(options: &PgConnectOptions, port: u16) -> String {
    let database = options.get_database().expect("tests name their database");
    format!("postgres://{}:{PASSWORD}@127.0.0.1:{port}/{database}?sslmode=disable", options.get_username())
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    // On a thread of its own, because a test's runtime cannot be blocked from within.
    SERVER.get_or_init(|| std::thread::spawn(start).join().expect("a server starts"))
}

fn start() -> Server {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let server = runtime.block_on(async {
        let choice = std::env::var("EXPUNGE_TEST_POSTGRES").unwrap_or_default();
        let server = match choice.as_str() {
            "embedded" => embedded(),
            "container" => container().await.expect("a Docker daemon answers and has one of the images"),
            _ => match container().await {
                Some(server) => server,
                None => embedded(),
            },
        };
        migrate_template(&server.superuser).await;
        server
    });
    // The container's handle lives in this runtime, and the server as long as the process.
    std::mem::forget(runtime);
    server
}

fn embedded() -> Server {
    let dir = scratch().join(format!("expunge-test-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("the scratch directory can be written");
    // The account that Postgres runs under must be able to pass through.
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o711)).expect("the directory is ours");
    let settings = [("max_connections", "400"), ("shared_buffers", "64MB")];
    let postgres = EmbeddedPostgres::start(&dir, Durability::Off, &settings).unwrap_or_else(|error| panic!("{error}"));
    postgres.stop_when_process_ends().expect("the guard starts");
    eprintln!("tests run on the machine's Postgres {}, in {}", postgres.version(), dir.display());
    let superuser = PgConnectOptions::new_without_pgpass()
        .socket(postgres.socket_dir())
        .port(PORT)
        .username(postgres.superuser())
        .database("postgres");
    std::mem::forget(postgres);
    Server { superuser: quiet(superuser) }
}

/// Memory where there is enough of it, else a disk.
pub fn scratch() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let free = nix::sys::statvfs::statvfs(&memory).map_or(0, |stat| stat.blocks_available() * stat.fragment_size());
    if free > 2 << 30 { memory } else { PathBuf::from("/var/tmp") }
}

/// None where no Docker daemon answers, or it has none of the images.
async fn container() -> Option<Server> {
    let named = std::env::var("EXPUNGE_TEST_POSTGRES_IMAGE").ok();
    let image = match named {
        Some(image) => image,
        None => IMAGES.into_iter().find(|image| has_image(image))?.to_owned(),
    };
    let (name, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
    let started = GenericImage::new(name, tag)
        .with_exposed_port(5432.tcp())
        .with_env_var("POSTGRES_PASSWORD", PASSWORD)
        .with_cmd(["postgres", "-c", "max_connections=400", "-c", "fsync=off", "-c", "full_page_writes=off"])
        .start()
        .await;
    let container = match started {
        Ok(container) => container,
        Err(testcontainers::TestcontainersError::Client(error)) => {
            eprintln!("no container: {error}");
            return None;
        }
        Err(error) => panic!("the image {image} does not start: {error}"),
    };
    remove_when_process_ends(container.id());
    let host = container.get_host().await.expect("the container has a host").to_string();
    let port = container.get_host_port_ipv4(5432).await.expect("the container has a port");
    std::mem::forget(container);
    let superuser = PgConnectOptions::new_without_pgpass()
        .host(&host)
        .port(port)
        .username("postgres")
        .password(PASSWORD)
        .database("postgres");
    wait_for(&superuser).await;
    eprintln!("tests run on a container of {image}");
    Some(Server { superuser: quiet(superuser) })
}

fn has_image(image: &str) -> bool {
    let looked =
        Command::new("docker").args(["image", "inspect", image]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    looked.is_ok_and(|status| status.success())
}

/// A shell that waits for the end of its input, which is ours to close: it
/// closes when this process ends.
fn remove_when_process_ends(container: &str) {
    let guard = Command::new("sh")
        .args(["-c", "cat >/dev/null; docker rm --force --volumes \"$0\"", container])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("there is a shell");
    std::mem::forget(guard);
}

async fn wait_for(superuser: &PgConnectOptions) {
    let started = Instant::now();
    loop {
        match PgConnection::connect_with(superuser).await {
            Ok(connection) => return connection.close().await.expect("the connection closes"),
            Err(error) => assert!(started.elapsed() < Duration::from_secs(120), "the server does not come up: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn migrate_template(superuser: &PgConnectOptions) {
    provision::create_database(superuser, TEMPLATE).await.expect("the template can be created");
    let mut connection = PgConnection::connect_with(superuser).await.expect("the server takes connections");
    let passwords = format!("ALTER ROLE {} PASSWORD '{PASSWORD}'", provision::OWNER_ROLE);
    connection.execute(sqlx::AssertSqlSafe(passwords)).await.expect("the owner gets a password");
    connection.close().await.expect("the connection closes");
    let owner = superuser.clone().username(provision::OWNER_ROLE).password(PASSWORD).database(TEMPLATE);
    let mut connection = PgConnection::connect_with(&owner).await.expect("the owner may connect");
    let passwords =
        RolePasswords { app: Some(SecretString::from(PASSWORD)), worker: Some(SecretString::from(PASSWORD)) };
    migrations::migrate(&mut connection, &passwords).await.expect("the migrations apply");
    connection.close().await.expect("the connection closes");
}
