//! On the wire between the service and its database: the number of statements
//! does not grow with the number of things asked, and a connection that breaks
//! off costs no request, but in the commit, where it cannot be known.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::support::TestApp;
use crate::support::postgres::Database;

/// Passes connections on to a server and counts the statements that it is told to execute.
pub struct Counter {
    options: PgConnectOptions,
    pub wire: Arc<Wire>,
}

#[derive(Default)]
pub struct Wire {
    executed: AtomicU64,
    /// How often the server was asked to say that it is ready for more.
    round_trips: AtomicU64,
    /// Whether a connection breaks off when it is told to commit.
    pub cut_at_commit: AtomicBool,
    /// Whether the next connection that is to execute what single deletions share breaks off before the server has heard
    /// of it.
    pub cut_before_shared: AtomicBool,
    /// Whether it breaks off when the server has done it, and before the service has heard of that.
    pub cut_after_shared: AtomicBool,
}

impl Counter {
    async fn before(server: PgConnectOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        // The same role and database, by another way.
        let url = crate::support::postgres::url_at(&server, port);
        let wire = Arc::new(Wire::default());
        let count = wire.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, count) = (server.clone(), count.clone());
                tokio::spawn(async move {
                    match server.get_socket() {
                        Some(socket) => {
                            let path = socket.join(format!(".s.PGSQL.{}", server.get_port()));
                            pass_on(client, UnixStream::connect(path).await.expect("the server's socket"), count).await;
                        }
                        None => {
                            let address = (server.get_host(), server.get_port());
                            pass_on(client, TcpStream::connect(address).await.expect("the server's port"), count).await;
                        }
                    }
                });
            }
        });
        Self { options: url.parse().expect("a connection string"), wire }
    }

    /// How many statements `work` comes to.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> (u64, T) {
        let before = self.wire.executed.load(Ordering::SeqCst);
        let done = work.await;
        (self.wire.executed.load(Ordering::SeqCst) - before, done)
    }
}

async fn pass_on(client: TcpStream, server: impl AsyncRead + AsyncWrite, wire: Arc<Wire>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    // Once it is set, the service hears nothing any more.
    let is_deaf = AtomicBool::new(false);
    let up = async {
        // The first message has no type, only a length.
        let mut kind = None;
        let mut shared = None;
        while let Ok(length) = from_client.read_u32().await {
            let mut body = vec![0; length as usize - 4];
            from_client.read_exact(&mut body).await.expect("messages are whole");
            if matches!(kind, Some(b'E' | b'Q')) {
                wire.executed.fetch_add(1, Ordering::SeqCst);
            }
            if matches!(kind, Some(b'S' | b'Q')) {
                wire.round_trips.fetch_add(1, Ordering::SeqCst);
            }
            if body.starts_with(b"COMMIT") && wire.cut_at_commit.load(Ordering::SeqCst) {
                break;
            }
            // A statement is named when it is prepared and called by its name, after the portal's, which has none.
            if kind == Some(b'P') && String::from_utf8_lossy(&body).contains("FROM trash_contact") {
                shared = body.split(|byte| *byte == 0).next().map(<[u8]>::to_vec);
            }
            if let (Some(b'B'), Some(name)) = (kind, &shared)
                && body.split(|byte| *byte == 0).nth(1) == Some(name)
            {
                if wire.cut_before_shared.swap(false, Ordering::SeqCst) {
                    break;
                }
                if wire.cut_after_shared.swap(false, Ordering::SeqCst) {
                    is_deaf.store(true, Ordering::SeqCst);
                }
            }
            if let Some(kind) = kind {
                to_server.write_u8(kind).await.expect("the server listens");
            }
            to_server.write_u32(length).await.expect("the server listens");
            to_server.write_all(&body).await.expect("the server listens");
            let Ok(next) = from_client.read_u8().await else { break };
            kind = Some(next);
        }
    };
    let down = async {
        let mut said = [0; 4096];
        while let Ok(length @ 1..) = from_server.read(&mut said).await {
            if is_deaf.load(Ordering::SeqCst) || to_client.write_all(&said[..length]).await.is_err() {
                break;
            }
        }
    };
    // Either end may hang up first.
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

pub async fn counted() -> (Counter, TestApp) {
    let database = Database::create().await;
    let counter = Counter::before(database.app()).await;
    let app = TestApp::start_over(database, counter.options.clone()).await;
    (counter, app)
}

#[tokio::test]
async fn a_single_deletion_takes_one_round_trip() {
    let (counter, app) = counted().await;
    let ids = app.contacts(9_000_000_000, 12).await;
    let lists = [app.contact_list("one").await, app.contact_list("two").await, app.contact_list("three").await];
    let contacts = ids.iter().map(|id| app.account.contact_path(id)).collect::<Vec<_>>();
    let lists = lists.iter().map(|id| app.account.contact_list_path(id)).collect::<Vec<_>>();
    for (kind, paths) in [("contacts", contacts), ("contact lists", lists)] {
        // Once, so that the statement has been prepared on the connection.
        app.delete(&paths[0]).await.expect(200);
        let before = counter.wire.round_trips.load(Ordering::SeqCst);
        for path in &paths[1..] {
            app.delete(path).await.expect(200);
        }
        let round_trips = counter.wire.round_trips.load(Ordering::SeqCst) - before;
        assert_eq!(round_trips, paths.len() as u64 - 1, "{kind}");
    }
}

#[tokio::test]
async fn a_thousand_contacts_take_as_many_statements_as_two() {
    let (counter, app) = counted().await;
    for (mode, first) in [("soft", 9_000_000_000), ("hard", 9_500_000_000)] {
        let ids = app.contacts(first, 1000).await;
        let more = app.contacts(first + 1000, 4).await;
        let path = format!("{}?mode={mode}", app.account.bulk_delete_path());
        // Once, so that every statement has been prepared on a connection.
        app.delete_with(&path, &json!({"ids": &more[..2]})).await.expect(200);
        let (small, report) = counter.during(app.delete_with(&path, &json!({"ids": &more[2..]}))).await;
        assert_eq!(report.expect(200)["successful"], 2);
        let (large, report) = counter.during(app.delete_with(&path, &json!({"ids": ids}))).await;
        assert_eq!(report.expect(200)["successful"], 1000);
        println!("{mode}: {small} statements for 2 contacts, {large} for 1,000");
        assert!(small > 3, "the counter counts");
        assert_eq!(small, large, "{mode}");
    }
}

#[tokio::test]
async fn a_hundred_records_take_as_many_statements_as_two() {
    let (counter, app) = counted().await;
    let list = app.record_list("EXTERNAL").await;
    let path = format!("/record-lists/{list}/records/bulks");
    let number = |index: usize| format!("+1415{:07}", 5_550_000 + index);
    let new: Vec<Value> = (0..100)
        .map(|index| {
            json!({"first_name": "a", "last_name": "b", "phone_number": number(index),
                   "external_provider": "crm", "external_id": index.to_string()})
        })
        .collect();
    type Identifier<'a> = &'a dyn Fn(usize) -> Value;
    let kinds: [Identifier<'_>; 2] = [
        &|index| json!({"phone_number": number(index)}),
        &|index| json!({"external_provider": "crm", "external_id": index.to_string()}),
    ];
    for kind in kinds {
        let mut counts = Vec::new();
        for count in [2, 2, 100] {
            let (created, _) = counter.during(app.records(&list, &new)).await;
            let items: Vec<Value> = (0..count).map(kind).collect();
            let (deleted, report) = counter.during(app.delete_with(&path, &json!(items))).await;
            assert_eq!(report.expect(200)["records_deleted"], count);
            let rest: Vec<Value> = (count..100).map(kind).collect();
            if !rest.is_empty() {
                app.delete_with(&path, &json!(rest)).await.expect(200);
            }
            counts.push((created, deleted));
        }
        println!("statements to create and delete 2, 2 and 100 records: {counts:?}");
        assert_eq!(counts[1].1, counts[2].1);
    }
}

#[tokio::test]
async fn thirty_lists_and_campaigns_take_as_many_statements_to_list_as_two() {
    let (counter, app) = counted().await;
    let lists = app.account.family("/campaign/contactList/getAllListDetails");
    let campaigns = app.account.family("/campaign/getAllCampaignDetails");
    for number in 0..30 {
        let name = format!("list {number}");
        app.contact_list(&name).await;
        app.members(&name, &["+14155550100"]).await;
        app.campaign(&format!("calls {number}"), &name).await;
    }
    let mut counts = Vec::new();
    // The first time, so that every statement has been prepared on a connection.
    for limit in [2, 2, 30] {
        let (to_list, answer) = counter.during(app.get(&format!("{lists}?limit={limit}"))).await;
        let listed = answer.expect(200)["data"].take();
        assert_eq!(listed.as_array().map(Vec::len), Some(limit));
        assert!(listed[1]["totalRecordCount"] == 1 && listed[1]["campaignInUse"].as_array().map(Vec::len) == Some(1));
        let (to_list_campaigns, answer) = counter.during(app.post(&campaigns, &json!({"limit": limit}))).await;
        let listed = answer.expect(200)["data"]["results"].take();
        assert_eq!(listed.as_array().map(Vec::len), Some(limit));
        let name = listed[1]["name"].as_str().expect("a campaign has a name");
        assert_eq!(listed[1]["contactLists"], json!([name.replace("calls", "list")]));
        counts.push((to_list, to_list_campaigns));
    }
    println!("statements to list 2, 2 and 30 lists, and campaigns: {counts:?}");
    assert_eq!(counts[1], counts[2]);
}

#[tokio::test]
async fn a_hundred_changes_of_records_take_as_many_statements_as_two() {
    let (counter, app) = counted().await;
    let list = app.record_list("PHONE_NUMBER").await;
    let number = |index: usize| format!("+1415{:07}", 5_550_000 + index);
    let new: Vec<Value> = (0..100)
        .map(|index| json!({"first_name": "a", "last_name": "b", "phone_number": number(index), "timezone": "GMT"}))
        .collect();
    let ids = app.records(&list, &new).await;
    let path = format!("/record-lists/{list}/records/bulks");
    let mut counts = Vec::new();
    for (count, first) in [(2, 1000), (2, 2000), (100, 3000)] {
        let body: Vec<Value> = ids[..count]
            .iter()
            .enumerate()
            .map(|(index, id)| {
                let phones = json!([{"phone_number": number(first + index)}]);
                json!({"op": "add", "path": format!("/records/{id}"), "value": {"phone_numbers": phones, "extra_data": {"a": first}}})
            })
            .collect();
        let (statements, report) =
            counter.during(app.request(reqwest::Method::PATCH, &path).json(&json!(body)).send()).await;
        assert_eq!(report.expect(200)["total_updated"], count);
        counts.push(statements);
    }
    println!("statements to change 2, 2 and 100 records: {counts:?}");
    assert_eq!(counts[1], counts[2]);
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_commit_leaves_the_outcome_unknown_and_says_so() {
    let (counter, app) = counted().await;
    let id = app.contacts(9_000_000_000, 1).await.remove(0);
    counter.wire.cut_at_commit.store(true, Ordering::SeqCst);
    // Limited, so that it goes alone.
    let unknown = app.delete(&format!("{}?maxAffected=1", app.account.contact_path(&id))).await.expect(500);
    assert_eq!(unknown["errors"][0]["reason"], "OUTCOME_UNKNOWN");
    let said = unknown["errors"][0]["msg"].as_str().unwrap_or_default();
    assert!(!said.contains("nothing was changed"), "{said}");
    counter.wire.cut_at_commit.store(false, Ordering::SeqCst);
    app.delete(&app.account.contact_path(&id)).await.expect(200);
}

#[tokio::test]
async fn connections_that_the_server_ends_cost_no_request() {
    let app = TestApp::start().await;
    let ids = app.contacts(9_000_000_000, 20).await;
    for pair in ids.chunks(2) {
        let ended = app
            .count(
                "SELECT count(*) FROM (
                     SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND usename = 'expunge_app'
                 ) AS ended",
            )
            .await;
        assert!(ended > 0, "there were connections to end");
        for id in pair {
            app.delete(&app.account.contact_path(id)).await.expect(200);
        }
    }
}

#[tokio::test]
async fn a_statement_that_is_canceled_may_be_tried_again_later() {
    let app = TestApp::start().await;
    let id = app.contacts(9_000_000_000, 1).await.remove(0);
    let mut holder = app.admin.begin().await.expect("a connection");
    sqlx::query("SELECT 1 FROM contacts FOR UPDATE").execute(&mut *holder).await.expect("it can be locked");
    let path = app.account.contact_path(&id);
    let canceled = async {
        let cancel = "SELECT count(*) FROM (SELECT pg_cancel_backend(pid) FROM pg_stat_activity \
                      WHERE datname = current_database() AND wait_event_type = 'Lock') AS canceled";
        while app.count(cancel).await == 0 {}
    };
    let (answer, ()) = tokio::join!(app.delete(&path), canceled);
    assert_eq!(answer.header("Retry-After"), Some("1"));
    assert_eq!(answer.expect(503)["errors"][0]["reason"], "BUSY");
    holder.rollback().await.expect("a rollback");
    app.delete(&path).await.expect(200);
}
