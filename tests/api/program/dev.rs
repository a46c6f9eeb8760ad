//! `expunge dev`.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{Program, Scratch, http, until, until_async};
use crate::support::Answer;
use crate::support::http::Request;

/// A running `dev`, and what its demo.json says.
struct Dev {
    program: Program,
    demo: Value,
    base_url: String,
}

impl Dev {
    async fn start(data_dir: &str, more: &[&str]) -> Self {
        let args = ["dev", "--data-dir", data_dir, "--listen", "127.0.0.1:0"];
        let mut program = Program::start(args.into_iter().chain(more.iter().copied()), []);
        // A start may find the demo.json of the one before, which names another port.
        let base_url = program
            .line(|program| &program.stdout, |line| line.strip_prefix("Expunge is at ").map(str::to_owned))
            .await;
        let ready = format!("{base_url}/readyz");
        let client = http();
        until_async("dev is ready", async || {
            client.get(&ready).send().await.ok().filter(|answer| answer.status() == StatusCode::OK)
        })
        .await;
        let text = fs::read_to_string(Path::new(data_dir).join("demo.json")).expect("demo.json is there");
        let demo: Value = serde_json::from_str(&text).expect("demo.json is JSON");
        assert_eq!(demo["base_url"], base_url.as_str());
        Self { program, demo, base_url }
    }

    /// Stops it as Ctrl-C does.
    async fn stop(self, data_dir: &Path) {
        let postgres = postgres(data_dir).expect("its Postgres runs");
        self.program.signal(Signal::SIGINT);
        let ended = self.program.ended().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!is_running(postgres), "Postgres still runs");
        assert_eq!(self::postgres(data_dir), None, "a process id file is left");
    }

    fn account(&self, index: usize) -> &Value {
        &self.demo["accounts"][index]
    }

    async fn request(&self, method: Method, path: &str, account: &Value) -> Answer {
        Request::new(&http(), method, &format!("{}{path}", self.base_url))
            .header("auth", text(&account["token"]))
            .header("accountId", text(&account["account_id"]))
            .header("iid", text(&account["stream_id"]))
            .send()
            .await
    }

    fn contact_path(&self, account: &Value, index: usize) -> String {
        format!(
            "/agentassist/api/v1/public/{}/contacts/{}",
            text(&account["stream_id"]),
            text(&account["contacts"][index])
        )
    }

    /// Every id and secret of the demo, which stay the same for as long as its data does.
    fn identity(&self) -> Value {
        let mut accounts = self.demo["accounts"].clone();
        for account in accounts.as_array_mut().expect("accounts") {
            account["token"] = Value::Null;
        }
        accounts
    }
}

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not text: {value}"))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("not an object: {value}")).keys().map(String::as_str).collect()
}

/// The server in a data directory, if its process id file says that there is one.
fn postgres(data_dir: &Path) -> Option<Pid> {
    let file = fs::read_to_string(data_dir.join("cluster/postmaster.pid")).ok()?;
    file.lines().next()?.parse().ok().map(Pid::from_raw)
}

fn is_running(process: Pid) -> bool {
    // One that has ended and that nobody has asked about yet still has its number.
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    kill(process, None).is_ok() && !stat.contains(") Z ")
}

/// The commands in the greeting, each on one line.
fn commands(greeting: &str) -> Vec<String> {
    let joined = greeting.replace("\\\n", " ");
    joined.lines().filter(|line| line.starts_with("curl ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_demo_is_as_it_is_documented_and_its_commands_work() {
    let dir = Scratch::new();
    let mut dev = Dev::start(dir.text(), &[]).await;

    assert_eq!(keys(&dev.demo), ["base_url", "accounts"]);
    let accounts = dev.demo["accounts"].as_array().expect("accounts");
    assert_eq!(accounts.len(), 2);
    let mut ids = HashSet::new();
    for account in accounts {
        let own = [
            "account_id",
            "stream_id",
            "client_id",
            "client_secret",
            "token",
            "contacts",
            "contact_lists",
            "campaigns",
            "record_lists",
        ];
        assert_eq!(keys(account), own);
        assert_eq!(keys(&account["contact_lists"]), ["free", "in_use"]);
        assert_eq!(keys(&account["campaigns"]), ["active", "stopped"]);
        assert_eq!(keys(&account["record_lists"]), ["PHONE_NUMBER", "EXTERNAL", "NOTHING"]);
        let of = |names: &[&str], object: &Value| -> Vec<String> {
            names.iter().map(|name| text(&object[*name]).to_owned()).collect()
        };
        ids.extend(of(&own[..5], account));
        ids.extend(account["contacts"].as_array().expect("contacts").iter().map(|id| text(id).to_owned()));
        ids.extend(of(&["free", "in_use"], &account["contact_lists"]));
        ids.extend(of(&["active", "stopped"], &account["campaigns"]));
        ids.extend(of(&["PHONE_NUMBER", "EXTERNAL", "NOTHING"], &account["record_lists"]));
    }
    assert_eq!(ids.len(), 2 * (5 + 8 + 2 + 2 + 3), "every one is its own");
    for file in ["demo.json", "secret.key"] {
        let mode = fs::metadata(dir.path().join(file)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }

    // On the second account, because the commands that are printed change the first.
    let account = dev.account(1).clone();
    let contact = dev.request(Method::GET, &dev.contact_path(&account, 0), &account).await.expect(200);
    assert_eq!(contact["status"], "ACTIVE");
    let list = |which: &str| {
        let (stream, list) = (text(&account["stream_id"]), text(&account["contact_lists"][which]));
        format!("/agentassist/api/v1/public/{stream}/campaign/contactList/{list}")
    };
    let refused = dev.request(Method::DELETE, &list("in_use"), &account).await.expect(409);
    assert_eq!(refused["errors"][0]["reason"], "IN_USE");
    let blockers = refused["data"]["campaignInUse"].as_array().expect("campaigns").iter();
    let blockers: HashSet<&str> = blockers.map(|campaign| text(&campaign["id"])).collect();
    assert_eq!(
        blockers,
        HashSet::from([text(&account["campaigns"]["active"]), text(&account["campaigns"]["stopped"])])
    );
    dev.request(Method::DELETE, &list("free"), &account).await.expect(200);

    let greeting = until("the whole greeting is printed", || {
        Some(dev.program.stdout.text()).filter(|text| text.contains("Ctrl-C stops"))
    })
    .await;
    let commands = commands(&greeting);
    for (number, what) in [("1", "One contact"), ("2", "Contacts in bulk"), ("3", "A contact list"), ("4", "Records")] {
        assert!(greeting.contains(&format!("# {number}. {what}")), "{greeting}");
    }
    assert_eq!(commands.len(), 5, "the last of the four is shown in two ways: {greeting}");
    for command in commands {
        let asked = format!("{command} --noproxy '*' --write-out '\\n%{{http_code}}'");
        let output = Command::new("sh").args(["-c", &asked]).output().expect("there is a shell");
        let said = String::from_utf8(output.stdout).expect("answers are text");
        assert!(said.ends_with("\n200"), "{command}: {said} {}", String::from_utf8_lossy(&output.stderr));
    }
    let account = dev.account(0);
    let deleted = dev.request(Method::GET, &dev.contact_path(account, 0), account).await.expect(200);
    assert_eq!(deleted["status"], "INACTIVE", "the first command has deleted it");

    assert!(dev.program.child.try_wait().expect("it is ours").is_none(), "it still runs");
    dev.stop(dir.path()).await;
}

#[tokio::test]
async fn what_was_deleted_stays_deleted_however_it_was_stopped_and_fresh_starts_over() {
    let dir = Scratch::new();
    let dev = Dev::start(dir.text(), &[]).await;
    let identity = dev.identity();
    let account = dev.account(0).clone();
    dev.request(Method::DELETE, &dev.contact_path(&account, 0), &account).await.expect(200);
    dev.stop(dir.path()).await;

    let dev = Dev::start(dir.text(), &[]).await;
    assert_eq!(dev.identity(), identity, "the demo is the same");
    let account = dev.account(0).clone();
    for (index, status) in [(0, "INACTIVE"), (1, "ACTIVE")] {
        let contact = dev.request(Method::GET, &dev.contact_path(&account, index), &account).await.expect(200);
        assert_eq!(contact["status"], status);
    }
    dev.request(Method::DELETE, &dev.contact_path(&account, 1), &account).await.expect(200);
    dev.program.signal(Signal::SIGKILL);
    assert_eq!(dev.program.ended().await.code, None, "killed");

    let dev = Dev::start(dir.text(), &[]).await;
    assert_eq!(dev.identity(), identity, "the demo is the same");
    let account = dev.account(0).clone();
    let contact = dev.request(Method::GET, &dev.contact_path(&account, 1), &account).await.expect(200);
    assert_eq!(contact["status"], "INACTIVE");
    dev.stop(dir.path()).await;

    let fresh = Dev::start(dir.text(), &["--fresh"]).await;
    let (before, after) = (identity.as_array().expect("accounts"), fresh.identity());
    for (before, after) in before.iter().zip(after.as_array().expect("accounts")) {
        for name in ["account_id", "stream_id", "client_id", "client_secret", "contacts", "contact_lists"] {
            assert_ne!(before[name], after[name], "{name}");
        }
    }
    let contact = fresh.request(Method::GET, &fresh.contact_path(fresh.account(0), 0), fresh.account(0)).await;
    assert_eq!(contact.expect(200)["status"], "ACTIVE");
    let stranger = fresh.request(Method::GET, &fresh.contact_path(&account, 0), &account).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED, "{stranger:?}");
    fresh.stop(dir.path()).await;
}

#[tokio::test]
async fn what_is_interrupted_while_it_starts_leaves_no_server_behind() {
    let dir = Scratch::new();
    let program = Program::start(["dev", "--data-dir", dir.text(), "--listen", "127.0.0.1:0"], []);
    let server = until("Postgres has been started", || postgres(dir.path())).await;
    program.signal(Signal::SIGINT);
    let ended = program.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!is_running(server), "Postgres still runs");
    Dev::start(dir.text(), &[]).await.stop(dir.path()).await;
}

#[tokio::test]
async fn two_run_side_by_side_but_not_in_one_directory() {
    let dirs = [Scratch::new(), Scratch::new()];
    let (one, two) = tokio::join!(Dev::start(dirs[0].text(), &[]), Dev::start(dirs[1].text(), &[]));
    assert_ne!(one.base_url, two.base_url);
    let foreign = one.request(Method::GET, &one.contact_path(two.account(0), 0), two.account(0)).await;
    assert_eq!(foreign.status, StatusCode::UNAUTHORIZED, "{foreign:?}");

    for more in [None, Some("--fresh")] {
        let args = ["dev", "--data-dir", dirs[0].text(), "--listen", "127.0.0.1:0"];
        let ended = Program::run(args.into_iter().chain(more), []).await;
        let reason = ended.failure();
        assert!(reason.contains("is already in use by process") && reason.contains(dirs[0].text()), "{reason}");
    }
    for dev in [&one, &two] {
        let contact = dev.request(Method::GET, &dev.contact_path(dev.account(0), 0), dev.account(0)).await;
        assert_eq!(contact.expect(200)["status"], "ACTIVE", "nothing was taken from it");
    }
    one.stop(dirs[0].path()).await;
    two.stop(dirs[1].path()).await;
}

#[tokio::test]
async fn root_keeps_its_data_in_a_directory_that_nobody_else_may_enter() {
    if !geteuid().is_root() {
        eprintln!("this is about root, which the tests do not run as");
        return;
    }
    let dir = Scratch::new();
    fs::create_dir(dir.path()).expect("the scratch directory can be written");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");
    let data_dir = dir.path().join("data");
    let data_dir = data_dir.to_str().expect("its path is text");

    let dev = Dev::start(data_dir, &[]).await;
    let identity = dev.identity();
    dev.program.signal(Signal::SIGINT);
    assert_eq!(dev.program.ended().await.code, Some(0));
    let mode = fs::metadata(dir.path()).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "the directory around it is left as it was");
    let dev = Dev::start(data_dir, &[]).await;
    assert_eq!(dev.identity(), identity, "the demo is the same");
    dev.program.signal(Signal::SIGTERM);
    assert_eq!(dev.program.ended().await.code, Some(0));
}

#[tokio::test]
async fn a_machine_without_postgres_is_told_the_ways_out() {
    let (dir, empty) = (Scratch::new(), Scratch::new());
    fs::create_dir(empty.path()).expect("the scratch directory can be written");
    let args = ["dev", "--data-dir", dir.text(), "--listen", "127.0.0.1:0"];
    let ended = Program::run(args, [("PATH", ""), ("PG_BIN_DIR", empty.text())]).await;
    let reason = ended.failure();
    for way_out in
        [empty.text(), "initdb", "apt-get install postgresql", "PG_BIN_DIR", "`serve`", "EXPUNGE_DATABASE_URL"]
    {
        assert!(reason.contains(way_out), "{reason} does not name {way_out}");
    }
}

#[tokio::test]
async fn a_damaged_demo_is_said_and_leaves_no_server_behind() {
    let dir = Scratch::new();
    Dev::start(dir.text(), &[]).await.stop(dir.path()).await;
    fs::write(dir.path().join("demo.json"), "{").expect("it is ours");
    let args = ["dev", "--data-dir", dir.text(), "--listen", "127.0.0.1:0"];
    let ended = Program::run(args, []).await;
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(ended.code == Some(1) && last.contains("demo.json is damaged") && last.contains("--fresh"), "{ended:?}");
    assert_eq!(postgres(dir.path()), None, "Postgres still runs");
}
