//! Contacts imported from CSV files: at once, in batches, broken off, at the same time.

use std::fmt::Write;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::stream;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::support::{Answer, TestApp};

const NAMES: &str = "firstName,lastName,salutation,cellPhoneNumber,cellPhoneCountryCode,cellPhoneExtension\r\n";
const FORM: &str = "multipart/form-data; boundary=frontier";
const START: &str = "--frontier\r\nContent-Disposition: form-data; name=\"result_file\"; filename=\"sample.csv\"\r\nContent-Type: text/csv\r\n\r\n";
const END: &str = "\r\n--frontier--\r\n";

fn form(file: &[u8]) -> Vec<u8> {
    [START.as_bytes(), file, END.as_bytes()].concat()
}

fn import_path(app: &TestApp) -> String {
    format!("{}/import-contacts", app.account.contacts_path())
}

async fn import(app: &TestApp, file: impl AsRef<[u8]>) -> Answer {
    app.request(Method::POST, &import_path(app)).body(FORM, form(file.as_ref())).send().await
}

/// Good rows with numbers from `first` on.
fn rows(first: u64, count: u64) -> String {
    (first..first + count).fold(String::new(), |mut rows, number| {
        write!(rows, "john,doe{number},mr,{number},+91,+\r\n").expect("a string takes it");
        rows
    })
}

/// What became of every row of an import, page after page.
async fn results(app: &TestApp, import: &Value, query: &str) -> Vec<Value> {
    let path = format!("{}/{}/results?limit=100{query}", import_path(app), import["id"].as_str().expect("an id"));
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("{path}{after}")).await.expect(200);
        all.extend(page["results"].as_array().expect("an array").iter().cloned());
        match page["after"].as_str() {
            Some(place) => after = format!("&after={place}"),
            None => {
                assert_eq!(page["totalResults"], all.len(), "{page}");
                return all;
            }
        }
    }
}

#[tokio::test]
async fn a_small_file_is_answered_as_a_creation_is() {
    let app = TestApp::start().await;
    let holder = app.contacts(9_876_500_007, 1).await.remove(0);
    let file = format!(
        "\u{feff}{NAMES}{}\"Ada, Countess\",\"O\"\"Hara\",,(98765) 00002,91,\r\n,b,,9876500003,+91,\n\njohn,doe,mr,9876500007,+91,+\nx,y,z\na,b,,9876500008,+9x,\na,b,,12a,+91,\nlast,one,mr,9876500009,+91,+",
        rows(9_876_500_000, 1)
    );
    let answer = import(&app, file).await.expect(200);
    let created = answer.as_array().expect("an array");
    assert_eq!(created.len(), 8, "{answer}");
    let first = app.get(&app.account.contact_path(created[0]["id"].as_str().expect("an id"))).await.expect(200);
    assert_eq!(created[0], first, "a row is answered as the contact that it has become");
    assert_eq!((&created[1]["firstName"], &created[1]["lastName"]), (&json!("Ada, Countess"), &json!("O\"Hara")));
    assert_eq!(created[1]["cellPhone"], json!({"extension": "+", "phoneNumber": "+919876500002", "countryCode": "91"}));
    let error = |msg: &str, code: u16, reason: &str| json!([{"msg": msg, "code": code, "reason": reason}]);
    assert_eq!(created[2], json!({"errors": error("firstName: must not be empty", 400, "INVALID_REQUEST")}));
    let taken = format!("cellPhone.phoneNumber: Contact {holder} has this number already");
    assert_eq!(created[3], json!({"errors": error(&taken, 409, "PHONE_NUMBER_TAKEN"), "conflictingId": holder}));
    let short = "row: has 3 columns, and the first line names 6";
    assert_eq!(created[4], json!({"errors": error(short, 400, "INVALID_REQUEST")}));
    let code = "cellPhoneCountryCode: not a country code such as +91";
    assert_eq!(created[5], json!({"errors": error(code, 400, "INVALID_REQUEST")}));
    let number = "cellPhoneNumber: not a phone number with that country code";
    assert_eq!(created[6], json!({"errors": error(number, 400, "INVALID_REQUEST")}));
    assert_eq!(created[7]["lastName"], "one", "the last line needs no end");
    assert_eq!(app.count("SELECT count(*) FROM contacts").await, 4);
    assert_eq!(app.count("SELECT count(*) FROM contact_imports").await, 0);
}

#[tokio::test]
async fn a_thousand_rows_are_one_answer_and_one_more_is_an_import_to_follow() {
    let app = TestApp::start().await;
    let at_once = import(&app, format!("{NAMES}{}", rows(9_000_000_000, 1000))).await.expect(200);
    assert_eq!(at_once.as_array().map(Vec::len), Some(1000));

    let mut file = format!("{NAMES}{}", rows(9_100_000_000, 2400));
    file.insert_str(NAMES.len(), "broken,row,mr,12a,+91,+\r\n");
    file.push_str(&rows(9_000_000_000, 1));
    let answer = import(&app, file).await;
    let import = answer.expect(202);
    let numbers = ["totalRequested", "successful", "failed"].map(|field| import[field].as_i64());
    assert_eq!((&import["state"], numbers), (&json!("COMPLETED"), [Some(2402), Some(2400), Some(2)]));
    let location = answer.header("Location").expect("an import has a place");
    assert_eq!(app.get(&location[app.base_url.len()..]).await.expect(200), import);
    let listed = app.get(&import_path(&app)).await.expect(200);
    assert_eq!((&listed["results"], &listed["totalResults"]), (&json!([import]), &json!(1)));

    let all = results(&app, &import, "").await;
    let numbers: Vec<i64> = all.iter().map(|row| row["row"].as_i64().expect("a number")).collect();
    assert_eq!(numbers, (1..=2402).collect::<Vec<_>>(), "one result for each row, in their order");
    let contact = app.get(&app.account.contact_path(all[1234]["id"].as_str().expect("an id"))).await.expect(200);
    assert_eq!(contact["cellPhone"]["phoneNumber"], "+919100001233", "a row has the contact that it has become");
    let failed = results(&app, &import, "&failed=true").await;
    assert_eq!(failed, [all[0].clone(), all[2401].clone()]);
    let msg = "cellPhoneNumber: not a phone number with that country code";
    assert_eq!(failed[0], json!({"row": 1, "errors": [{"msg": msg, "code": 400, "reason": "INVALID_REQUEST"}]}));
    let holder = &at_once[0]["id"];
    assert_eq!((&failed[1]["conflictingId"], &failed[1]["errors"][0]["code"]), (holder, &json!(409)));
    let kept: String = sqlx::query_scalar("SELECT string_agg(b::text, '') FROM contact_import_batches b")
        .fetch_one(&app.admin)
        .await
        .expect("there are batches");
    assert!(!kept.contains("doe") && !kept.contains("9100001233"), "a report holds no personal data");

    let stranger = app.request_as(&app.other, Method::GET, &format!("{}/import-contacts", app.other.contacts_path()));
    assert_eq!(stranger.send().await.expect(200)["results"], json!([]));
}

/// A body that is sent piece by piece; it breaks off when the sender is dropped
/// without an end.
fn piecewise() -> (mpsc::Sender<Option<String>>, reqwest::Body) {
    let (sender, receiver) = mpsc::channel::<Option<String>>(1);
    let pieces = stream::unfold(receiver, |mut receiver| async move {
        match receiver.recv().await {
            Some(Some(piece)) => Some((Ok(piece), receiver)),
            Some(None) => None,
            None => Some((Err(std::io::Error::other("the sender is gone")), receiver)),
        }
    });
    (sender, reqwest::Body::wrap_stream(pieces))
}

/// Waits until the newest import has written this many rows. Answers it.
async fn until_written(app: &TestApp, rows: i64) -> Value {
    let started = Instant::now();
    loop {
        let listed = app.get(&import_path(app)).await.expect(200);
        let import = &listed["results"][0];
        if import["totalRequested"].as_i64().is_some_and(|written| written >= rows) {
            return import.clone();
        }
        assert!(started.elapsed() < Duration::from_secs(30), "the import does not go on: {listed}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_import_can_be_followed_while_its_file_is_being_sent() {
    let app = TestApp::start().await;
    let (pieces, body) = piecewise();
    let sent = app.request(Method::POST, &import_path(&app)).stream(FORM, body).send();
    let followed = async {
        let piece = async |text: String| pieces.send(Some(text)).await.expect("the request is under way");
        piece(format!("{START}{NAMES}{}", rows(9_000_000_000, 2000))).await;
        piece(rows(9_000_002_000, 1)).await;
        let import = until_written(&app, 2000).await;
        assert_eq!((&import["state"], &import["successful"]), (&json!("RUNNING"), &json!(2000)));
        assert_eq!(app.count("SELECT count(*) FROM contacts").await, 2000);
        piece(format!("{}{END}", rows(9_000_002_001, 499))).await;
        pieces.send(None).await.expect("the request is under way");
    };
    let (answer, ()) = tokio::join!(sent, followed);
    let import = answer.expect(202);
    assert_eq!((&import["state"], &import["successful"]), (&json!("COMPLETED"), &json!(2500)));
}

#[tokio::test]
async fn what_was_written_before_a_file_breaks_off_stays_and_is_reported() {
    let app = TestApp::start().await;
    for (count, kept) in [(500, 0), (1000, 0), (2500, 2000)] {
        let (pieces, body) = piecewise();
        let sent = app.request(Method::POST, &import_path(&app)).stream(FORM, body).try_send();
        let broken_off = async {
            let piece = format!("{START}{NAMES}{}", rows(9_000_000_000, count));
            pieces.send(Some(piece)).await.expect("the request is under way");
            if kept > 0 {
                until_written(&app, kept).await;
            }
            drop(pieces);
        };
        let (_, ()) = tokio::join!(sent, broken_off);
        assert_eq!(app.count("SELECT count(*) FROM contacts").await, kept, "{count} rows");
    }
    // The same, with a sender that stays to read the answer.
    let cut = form(format!("{NAMES}{}", rows(9_100_000_000, 2500)).as_bytes());
    let cut = cut[..cut.len() - END.len()].to_vec();
    let refused = app.request(Method::POST, &import_path(&app)).body(FORM, cut).send().await.expect(400);
    let msg = refused["errors"][0]["msg"].as_str().expect("a message");
    assert!(msg.starts_with("result_file: the body ended before it was complete; the 2499 rows before"), "{msg}");
    let import = until_written(&app, 2499).await;
    assert!(msg.contains(import["id"].as_str().expect("an id")), "{msg}");
    assert_eq!(import["state"], "INTERRUPTED");

    let again = self::import(&app, format!("{NAMES}{}", rows(9_100_000_000, 2600))).await.expect(202);
    assert_eq!(
        (&again["successful"], &again["failed"]),
        (&json!(101), &json!(2499)),
        "the rest, of which the first row may have been cut"
    );
}

#[tokio::test]
async fn an_import_that_is_refused_or_breaks_off_says_what_the_document_says() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.expect(200);
    let path = "/agentassist/api/v1/public/{streamId}/contacts/import-contacts";
    let responses = &document["paths"][path]["post"]["responses"];
    let example = |status: &str| &responses[status]["content"]["application/json"]["example"];
    let examples =
        |status: &str, name: &str| &responses[status]["content"]["application/json"]["examples"][name]["value"];
    let file = form(format!("{NAMES}{}", rows(9_100_000_000, 2500)).as_bytes());
    let sent =
        |content_type, body: Vec<u8>| app.request(Method::POST, &import_path(&app)).body(content_type, body).send();

    assert_eq!(sent("application/json", b"{}".to_vec()).await.expect(415), *example("415"));
    assert!(responses["415"]["description"].as_str().is_some_and(|text| text.contains("multipart/form-data")));
    assert!(responses["413"]["description"].as_str().is_some_and(|text| text.contains("100 MB")));
    let nameless = form(b"lastName,cellPhoneNumber,cellPhoneCountryCode\n");
    assert_eq!(sent(FORM, nameless).await.expect(400), *examples("400", "refused"));

    let answer = sent(FORM, file[..file.len() - END.len()].to_vec()).await.expect(400);
    let import = until_written(&app, 2499).await;
    let id = import["id"].as_str().expect("an id");
    let wanted = examples("400", "broken off").to_string().replace("01a2110e-e67f-7766-8dde-51422fa23f19", id);
    assert_eq!(answer, serde_json::from_str::<Value>(&wanted).expect("an example is JSON"));
}

#[tokio::test]
async fn two_imports_of_the_same_file_at_the_same_time_create_each_contact_once() {
    let app = TestApp::start().await;
    let forwards = format!("{NAMES}{}", rows(9_000_000_000, 3000));
    let mut lines: Vec<&str> = forwards.lines().skip(1).collect();
    lines.reverse();
    let backwards = format!("{NAMES}{}", lines.join("\n"));
    let imports = join_all([&forwards, &backwards].map(|file| import(&app, file))).await;
    let imports: Vec<Value> = imports.iter().map(|answer| answer.expect(202)).collect();
    let of_both = |field: &str| imports.iter().map(|import| import[field].as_i64().expect("a number")).sum::<i64>();
    assert_eq!((of_both("successful"), of_both("failed")), (3000, 3000), "{imports:?}");
    assert!(imports.iter().all(|import| import["state"] == "COMPLETED"), "{imports:?}");
    assert_eq!(app.count("SELECT count(DISTINCT phone_key) FROM contacts").await, 3000);
    for import in &imports {
        for row in results(&app, import, "&failed=true").await {
            assert_eq!(row["errors"][0]["reason"], "PHONE_NUMBER_TAKEN", "{row}");
            assert!(row["conflictingId"].is_string(), "{row}");
        }
    }
}

#[tokio::test]
async fn a_row_that_is_broken_in_any_way_costs_no_other() {
    let app = TestApp::start().await;
    let mut file = NAMES.as_bytes().to_vec();
    let cases: [(&[u8], &str); 9] = [
        (b"\"a,b,mr,9876500000,+91,+", "row: has 1 columns"),
        (b"a,b,mr,12a,+91,+", "cellPhoneNumber: "),
        (b"a,b,mr,9876500000,,+", "cellPhoneCountryCode: "),
        (b"a,b,mr,9876500000,+91,+,more", "row: has 7 columns"),
        (b"a", "row: has 1 columns"),
        (b"\xff,b,mr,9876500000,+91,+", "firstName: is not UTF-8"),
        (b"a,\"b\x07\",mr,9876500000,+91,+", "lastName: control characters"),
        (b"a,b,mr,9876500000,+91,123456789012345678901", "cellPhoneExtension: "),
        (&[b"\"".as_slice(), &[b'x'; 20_000], b"\",b,mr,9876500000,+91,+"].concat(), "row: is over"),
    ];
    for (index, (case, _)) in cases.iter().enumerate() {
        file.extend(*case);
        file.extend(b"\r\n");
        file.extend(rows(9_000_000_000 + index as u64, 1).into_bytes());
    }
    let answer = import(&app, file).await.expect(200);
    for (index, (_, says)) in cases.iter().enumerate() {
        let (broken, good) = (&answer[2 * index], &answer[2 * index + 1]);
        assert!(broken["errors"][0]["msg"].as_str().is_some_and(|msg| msg.starts_with(says)), "{says}: {broken}");
        assert!(good["id"].is_string(), "after {says}: {good}");
    }
}

#[tokio::test]
async fn a_file_that_is_none_is_refused_and_imports_nothing() {
    let app = TestApp::start().await;
    let good = format!("{NAMES}{}", rows(9_000_000_000, 1));
    let long = format!("{NAMES}\"{}", "x".repeat(100_000));
    let of_form = |text: String| text.into_bytes();
    let cases: Vec<(&str, &str, Vec<u8>, u16, &str)> = vec![
        ("another type", "text/csv", of_form(good.clone()), 415, "Content-Type: "),
        ("no type", "", of_form(good.clone()), 415, "Content-Type: "),
        ("no boundary", "multipart/form-data", form(good.as_bytes()), 400, "body: "),
        ("another boundary", "multipart/form-data; boundary=x", form(good.as_bytes()), 400, "result_file: "),
        ("no body", FORM, Vec::new(), 400, "result_file: "),
        ("another field", FORM, of_form(START.replace("result_file", "file") + &good + END), 400, "result_file: "),
        ("an empty file", FORM, form(b""), 400, "result_file: the file is empty"),
        (
            "no names",
            FORM,
            form(b"a,b,c,1,+91,+\r\n"),
            400,
            "result_file: the first line does not name the column firstName",
        ),
        (
            "a name missing",
            FORM,
            form(b"firstName,lastName,cellPhoneNumber\n"),
            400,
            "result_file: the first line does not",
        ),
        (
            "a name twice",
            FORM,
            form(b"firstName,lastName,cellPhoneNumber,firstname\n"),
            400,
            "result_file: the column firstName is there twice",
        ),
        ("semicolons", FORM, form(good.replace(',', ";").as_bytes()), 400, "result_file: the first line does not"),
    ];
    for (name, content_type, body, status, says) in cases {
        let answer = app.request(Method::POST, &import_path(&app)).body(content_type, body).send().await;
        let refused = answer.expect(status);
        assert!(refused["errors"][0]["msg"].as_str().is_some_and(|msg| msg.starts_with(says)), "{name}: {refused}");
    }
    for names in [format!("firstName,{}\n", "x".repeat(20_000)), ",".repeat(200)] {
        let refused = import(&app, names).await.expect(400);
        let says = "result_file: the first line is over";
        assert!(refused["errors"][0]["msg"].as_str().is_some_and(|msg| msg.starts_with(says)), "{refused}");
    }
    let unended = import(&app, long).await.expect(200);
    assert!(unended[0]["errors"][0]["msg"].as_str().is_some_and(|msg| msg.starts_with("row: is over")), "{unended}");
    assert_eq!(import(&app, NAMES).await.expect(200), json!([]), "a file without rows has no results");
    assert_eq!(app.count("SELECT count(*) FROM contacts").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM contact_imports").await, 0);
    // The last is the place "row -9223372036854775808", made up.
    for query in ["failed=maybe", "limit=101", "after=x", "after=cm93IC05MjIzMzcyMDM2ODU0Nzc1ODA4"] {
        app.get(&format!("{}/01a2110e-e67f-7766-8dde-51422fa23f19/results?{query}", import_path(&app)))
            .await
            .expect(400);
    }
    app.get(&format!("{}/01a2110e-e67f-7766-8dde-51422fa23f19/results", import_path(&app))).await.expect(404);
    app.get(&format!("{}/x", import_path(&app))).await.expect(404);
}

#[tokio::test]
async fn a_file_that_says_it_is_too_large_is_refused_before_anything_is_imported() {
    let app = TestApp::start().await;
    let (pieces, body) = piecewise();
    let request =
        app.request(Method::POST, &import_path(&app)).header("Content-Length", "200000000").stream(FORM, body);
    let sent = request.send();
    let begun = async {
        pieces.send(Some(format!("{START}{NAMES}{}", rows(9_000_000_000, 2000)))).await.expect("it is under way");
        pieces
    };
    let (answer, _pieces) = tokio::join!(sent, begun);
    assert_eq!(answer.expect(413)["errors"][0]["reason"], "TOO_LARGE");
    assert_eq!(app.count("SELECT count(*) FROM contacts").await, 0);
}
