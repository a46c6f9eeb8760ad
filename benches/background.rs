//! A million rows in the background, against one plain statement over the same rows, and the memory of a million that
//! are named one by one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::Method;
use hyper::body::{Bytes, Frame};
use hyper::client::conn::http1::handshake;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};
use tokio::net::TcpStream;

use crate::client::{Connection, poll, request};
use crate::data::{self, Account, Size, contact_id};
use crate::report::{Goal, Line, percentile};
use crate::{Bench, World};

const LONG: Duration = Duration::from_mins(30);

/// What a measurement of one side came to.
struct Took {
    rows: f64,
    elapsed: Duration,
}

/// One account's contacts by a filter, soft, and their purge, each against one statement.
pub async fn million(bench: &mut Bench, world: &mut World) -> anyhow::Result<()> {
    let account = world.accounts[0].clone();
    let mut soft = [Vec::new(), Vec::new()];
    let mut purge = [Vec::new(), Vec::new()];
    let mut slowest = Vec::new();
    for round in 0..bench.rounds.min(2) {
        for turn in 0..2 {
            let is_ours = (round + turn).is_multiple_of(2);
            let name = if is_ours { "expunge" } else { "plain" };
            fresh(&mut world.admin, world.size).await?;
            let took = if is_ours {
                let (took, p99) = watched(world, &account, filtered(world, &account)).await?;
                slowest.push(p99);
                took
            } else {
                plain(
                    &mut world.admin,
                    format!(
                        "UPDATE contacts
                         SET deleted_at = now(), deleted_by = 'u-bench', deletion_id = gen_random_uuid(),
                             updated_at = now(), version = version + 1
                         WHERE account_id = '{}' AND stream_id = '{}' AND country_code = '+1' AND deleted_at IS NULL",
                        account.id, account.stream
                    ),
                )
                .await?
            };
            bench.say(&format!("P6 soft: {name} {:.0} rows/s", took.rate()));
            soft[usize::from(!is_ours)].push(took.rate());

            over(&mut world.admin, world.size).await?;
            let took = if is_ours {
                purged(world, &account).await?
            } else {
                plain(
                    &mut world.admin,
                    format!(
                        "DELETE FROM contacts WHERE account_id = '{}' AND deleted_at < now() - interval '30 days'",
                        account.id
                    ),
                )
                .await?
            };
            bench.say(&format!("P6 purge: {name} {:.0} rows/s", took.rate()));
            purge[usize::from(!is_ours)].push(took.rate());
        }
    }
    let rows = world.size.contacts;
    for (work, [ours, plain]) in [("by filter in the background, soft", soft), ("purged", purge)] {
        bench.report.lines.push(Line {
            id: "P6",
            work: format!("{rows} contacts {work}"),
            unit: "rows/s",
            ours,
            against: vec![("plain", plain)],
            goal: Some(Goal::Share("plain", 0.6)),
        });
    }
    bench.report.lines.push(Line {
        id: "P6",
        work: "meanwhile, p99 of other requests, 50 a second".to_owned(),
        unit: "ms",
        ours: slowest,
        against: Vec::new(),
        goal: Some(Goal::AtMost(100.0)),
    });
    Ok(())
}

/// Deletes a million that are named one by one, in one streamed request, and looks at the memory meanwhile.
pub async fn streamed(bench: &mut Bench, world: &mut World) -> anyhow::Result<()> {
    let account = world.accounts[0].clone();
    fresh(&mut world.admin, world.size).await?;
    let peak = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let watch = async {
        while !is_over.load(Ordering::Relaxed) {
            peak.fetch_max(world.service.resident()?, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    let work = async {
        let done = async {
            let location = send_stream(world, &account).await?;
            let mut connection = Connection::open(world.service.address).await?;
            let done = poll(&mut connection, &account, &location, LONG, is_over_state).await?;
            ensure!(done["rows_affected"] == json!(world.size.contacts), "not all went: {done}");
            download(world, &account, &location).await
        };
        let done = done.await;
        is_over.store(true, Ordering::Relaxed);
        done
    };
    tokio::try_join!(watch, work)?;
    bench.report.lines.push(Line {
        id: "P8",
        work: format!(
            "resident memory, {} named in one streamed request, deleted, and their outcomes downloaded",
            world.size.contacts
        ),
        unit: "MB",
        ours: vec![peak.load(Ordering::Relaxed) as f64 / 1e6],
        against: Vec::new(),
        goal: Some(Goal::AtMost(100.0)),
    });
    Ok(())
}

impl Took {
    fn rate(&self) -> f64 {
        self.rows / self.elapsed.as_secs_f64()
    }
}

fn is_over_state(deletion: &Value) -> bool {
    !matches!(deletion["state"].as_str(), Some("receiving" | "queued" | "running"))
}

/// A table without a trace of what was done before.
async fn fresh(admin: &mut PgConnection, size: Size) -> anyhow::Result<()> {
    admin.execute("TRUNCATE contacts").await?;
    admin.execute("DELETE FROM retention").await?;
    data::refill(admin, size).await
}

/// The same table when all that is in it has been in the trash for long, newly written, so that what the deletion left
/// behind burdens nobody.
async fn over(admin: &mut PgConnection, size: Size) -> anyhow::Result<()> {
    fresh(admin, size).await?;
    admin.execute("CREATE TEMPORARY TABLE again AS TABLE contacts").await?;
    admin
        .execute(
            "UPDATE again SET deleted_at = now() - interval '40 days', deleted_by = created_by,
                              deletion_id = '00000000-0000-4000-8000-000000000000'",
        )
        .await?;
    admin.execute("TRUNCATE contacts").await?;
    admin.execute("INSERT INTO contacts SELECT * FROM again ORDER BY account_id, id").await?;
    admin.execute("DROP TABLE again").await?;
    data::settle(admin).await
}

async fn plain(admin: &mut PgConnection, sql: String) -> anyhow::Result<Took> {
    let started = Instant::now();
    let done = admin.execute(AssertSqlSafe(sql)).await?;
    Ok(Took { rows: done.rows_affected() as f64, elapsed: started.elapsed() })
}

async fn filtered(world: &World, account: &Account) -> anyhow::Result<Took> {
    let mut connection = Connection::open(world.service.address).await?;
    let asked = json!({
        "resource": "contact", "within": {"stream_id": account.stream}, "filter": {"country_code": "+1"}
    });
    let started = Instant::now();
    let answer = connection.send(request(Method::POST, "/v1/deletions", account, Some(asked.to_string()))).await?;
    let location = answer.location.context("a deletion in the background says where it is")?;
    let done = poll(&mut connection, account, &location, LONG, is_over_state).await?;
    let elapsed = started.elapsed();
    ensure!(done["rows_affected"] == json!(world.size.contacts), "not all went: {done}");
    Ok(Took { rows: world.size.contacts as f64, elapsed })
}

async fn purged(world: &mut World, account: &Account) -> anyhow::Result<Took> {
    let mut connection = Connection::open(world.service.address).await?;
    let before = purged_until_now(&mut world.admin).await?;
    let started = Instant::now();
    connection.send(request(Method::PUT, "/v1/retention", account, Some(json!({"contact": 30}).to_string()))).await?;
    // What was in the trash before has been promised thirty days more; they are over.
    world.admin.execute("UPDATE retention SET promised_until = now() - interval '1 minute'").await?;
    world.admin.execute("UPDATE jobs SET due_at = now() WHERE kind = 'upkeep'").await?;
    // What the service says of itself: a look for what is left would walk over all that is gone.
    while purged_until_now(&mut world.admin).await? - before < i64::try_from(world.size.contacts)? {
        ensure!(started.elapsed() < LONG, "the purge does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let elapsed = started.elapsed();
    let left: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM contacts)").fetch_one(&mut world.admin).await?;
    ensure!(!left, "not all were purged");
    Ok(Took { rows: world.size.contacts as f64, elapsed })
}

async fn purged_until_now(admin: &mut PgConnection) -> anyhow::Result<i64> {
    let rows = "SELECT coalesce(sum(rows_affected), 0)::bigint FROM deletions WHERE action = 'purge'";
    Ok(sqlx::query_scalar(rows).fetch_one(admin).await?)
}

/// Sends other requests while something is done. Answers the 99th percentile of how long they took, in milliseconds,
/// each from when it was due.
async fn watched(
    world: &World,
    account: &Account,
    work: impl Future<Output = anyhow::Result<Took>>,
) -> anyhow::Result<(Took, f64)> {
    let is_over = AtomicBool::new(false);
    let work = async {
        let took = work.await;
        is_over.store(true, Ordering::Relaxed);
        took
    };
    let probe = async {
        let mut connection = Connection::open(world.service.address).await?;
        let mut latencies = Vec::new();
        let mut due = Instant::now();
        while !is_over.load(Ordering::Relaxed) {
            due += Duration::from_millis(20);
            tokio::time::sleep_until(due.into()).await;
            // One contact, and what knows nothing of contacts: a list would count a million of them each time.
            let contact = contact_id(0, latencies.len() as u64 % world.size.contacts, world.size.contacts);
            let path = account.contacts(&format!("/{contact}"));
            let path = if latencies.len().is_multiple_of(2) { "/v1/retention".to_owned() } else { path };
            connection.send(request(Method::GET, &path, account, None)).await?;
            latencies.push(due.elapsed().as_secs_f64() * 1e3);
        }
        anyhow::Ok(percentile(&latencies, 0.99))
    };
    tokio::try_join!(work, probe)
}

/// One request with a line for each contact.
async fn send_stream(world: &World, account: &Account) -> anyhow::Result<String> {
    let contacts = world.size.contacts;
    let chunks = (0..contacts).step_by(500).map(move |first| {
        let lines: String = (first..(first + 500).min(contacts))
            .map(|place| format!("{}\n", json!({"id": contact_id(0, place, contacts)})))
            .collect();
        Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from(lines)))
    });
    let stream = TcpStream::connect(world.service.address).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = hyper::Request::builder()
        .method(Method::POST)
        .uri(format!("/v1/deletions?resource=contact&stream_id={}", account.stream))
        .header(HOST, "bench")
        .header(AUTHORIZATION, format!("Bearer {}", account.token))
        .header(CONTENT_TYPE, "application/x-ndjson")
        .body(StreamBody::new(stream::iter(chunks)))?;
    let response = sender.send_request(request).await?;
    ensure!(response.status() == 202, "a streamed deletion answered {}", response.status());
    let location = response.headers().get(LOCATION).context("a deletion says where it is")?;
    Ok(location.to_str()?.to_owned())
}

/// Reads every outcome, and keeps none.
async fn download(world: &World, account: &Account, location: &str) -> anyhow::Result<()> {
    let stream = TcpStream::connect(world.service.address).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut asked = request(Method::GET, &format!("{location}/outcomes"), account, None);
    asked.headers_mut().insert("accept", "application/x-ndjson".parse()?);
    let mut body = sender.send_request(asked).await?.into_body();
    let mut lines = 0;
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            lines += data.iter().filter(|byte| **byte == b'\n').count();
        }
    }
    ensure!(lines as u64 == world.size.contacts, "{lines} outcomes were downloaded");
    Ok(())
}
