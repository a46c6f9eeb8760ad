//! What is malformed is refused in its family's envelope and changes nothing.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::support::refusal::Fingerprint;
use crate::support::{Answer, Family, Operation, TestApp, Things, fingerprint};

const JSON: Option<&str> = Some("application/json");

/// A request that must be refused, and how.
struct Case {
    name: String,
    family: Family,
    method: Method,
    path: String,
    content_type: Option<&'static str>,
    body: Option<Vec<u8>>,
    status: u16,
    code: Option<&'static str>,
    says: Says,
}

/// What the refusal must say.
#[derive(Clone, Copy, Debug)]
enum Says {
    /// That this field is wrong, by its exact place.
    Field(&'static str),
    /// This, in whatever place.
    Text(&'static str),
}

use Says::{Field, Text};

impl Case {
    fn of(operation: &Operation, name: &str, status: u16, says: Says) -> Self {
        Self {
            name: format!("{}: {name}", operation.id),
            family: operation.family,
            method: operation.method.clone(),
            path: operation.path.clone(),
            content_type: operation.body.is_some().then_some("application/json"),
            body: operation.body.as_ref().map(|body| body.to_string().into_bytes()),
            status,
            code: None,
            says,
        }
    }

    fn body(self, content_type: Option<&'static str>, body: impl Into<Vec<u8>>) -> Self {
        Self { content_type, body: Some(body.into()), ..self }
    }

    fn no_body(self) -> Self {
        Self { content_type: None, body: None, ..self }
    }

    fn at(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    fn code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    async fn send(&self, app: &TestApp) -> Answer {
        let mut request = app.request(self.method.clone(), &self.path);
        if let Some(content_type) = self.content_type {
            request = request.header("Content-Type", content_type);
        }
        match &self.body {
            Some(body) => request.bytes(body.clone()).send().await,
            None => request.send().await,
        }
    }
}

/// What of an answer is not as the case has it.
fn verdict(case: &Case, answer: &Answer) -> Result<(), String> {
    let refusal = case.family.refusal(answer, case.status)?;
    if case.code.is_some_and(|code| code != refusal.code) {
        return Err(format!("the code is not {:?}: {}", case.code, answer.text));
    }
    let is_said = match case.says {
        Field(field) => refusal.complaints.iter().any(|complaint| complaint.starts_with(&format!("{field}: "))),
        Text(text) => refusal.complaints.iter().any(|complaint| complaint.contains(text)),
    };
    if is_said { Ok(()) } else { Err(format!("does not say {:?}: {}", case.says, answer.text)) }
}

/// The tables whose rows are not what they were.
fn changed(before: &Fingerprint, after: &Fingerprint) -> Vec<String> {
    after.iter().filter(|(table, rows)| before.get(*table) != Some(*rows)).map(|(table, _)| table.clone()).collect()
}

/// Sends every case and panics with all that went wrong.
async fn check(app: &TestApp, cases: &[Case]) {
    let mut before = fingerprint(&app.admin).await;
    let mut wrong = Vec::new();
    // A fingerprint takes longer than a refusal, so several share one.
    for some in cases.chunks(20) {
        for case in some {
            if let Err(what) = verdict(case, &case.send(app).await) {
                wrong.push(format!("{}\n    {what}", case.name));
            }
        }
        let after = fingerprint(&app.admin).await;
        let tables = changed(&before, &after);
        if !tables.is_empty() {
            let names: Vec<&str> = some.iter().map(|case| case.name.as_str()).collect();
            wrong.push(format!("{} changed by one of:\n    {}", tables.join(", "), names.join("\n    ")));
        }
        before = after;
    }
    assert!(
        wrong.is_empty(),
        "{} of {} are not refused as they must be:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

/// An application, and things of its first account.
async fn start() -> (TestApp, Things) {
    let app = TestApp::start().await;
    let things = Things::create(&app, &app.account, 1).await;
    (app, things)
}

/// Queries that no deletion takes.
const BAD_QUERIES: [(&str, Says); 14] = [
    ("atomc=true", Text("atomc")),
    ("Mode=hard", Text("Mode")),
    ("mode=hard&moed=soft", Text("moed")),
    ("mode%5B%5D=hard", Text("mode[]")),
    ("%00=1", Text("unknown field")),
    ("=", Text("unknown field")),
    ("mode=harder", Field("mode")),
    ("mode=HARD", Field("mode")),
    ("mode=", Field("mode")),
    ("mode", Field("mode")),
    ("mode=%00", Field("mode")),
    ("mode=%ff", Field("mode")),
    ("mode=soft&mode=soft", Text("mode")),
    ("mode=soft&mode=hard", Text("mode")),
];

/// Queries that no bulk deletion takes.
const BAD_BULK_QUERIES: [(&str, Says); 7] = [
    ("atomic=1", Field("atomic")),
    ("atomic=yes", Field("atomic")),
    ("atomic=", Field("atomic")),
    ("atomic", Field("atomic")),
    ("atomic=TRUE", Field("atomic")),
    ("atomic=true&atomic=true", Text("atomic")),
    ("atomic=true&atomic=false", Text("atomic")),
];

/// Bodies that are not JSON, or not all of it.
const BROKEN: [(&str, &[u8]); 14] = [
    ("cut short", br#"{"ids":["#),
    ("an array cut short", br#"[{"id":"#),
    ("two documents", b"[] []"),
    ("trailing garbage", b"{}x"),
    ("single quotes", b"{'ids':['a']}"),
    ("a comment", b"/* */ {}"),
    ("not a number", b"NaN"),
    ("a raw NUL", b"\0"),
    ("a NUL in a string", b"[\"\0\"]"),
    ("not UTF-8", b"\xff\xfe"),
    ("a byte order mark", b"\xef\xbb\xbf{}"),
    ("an overlong UTF-8", b"[\"\xc0\xaf\"]"),
    ("half a surrogate", br#"["\ud800"]"#),
    ("a number that is none", b"[01]"),
];

/// Content types that a JSON body cannot have.
const BAD_CONTENT_TYPES: [Option<&str>; 10] = [
    None,
    Some(""),
    Some("text/plain"),
    Some("application/x-www-form-urlencoded"),
    Some("multipart/form-data; boundary=x"),
    Some("application/jsonx"),
    Some("application/xml"),
    Some("*/*"),
    Some("application/json; charset=latin1"),
    Some("application/json; charset=\"utf-16\""),
];

/// Ids that nothing can have, as they stand on a path.
fn bad_ids() -> Vec<(&'static str, String)> {
    vec![
        ("a word", "x".to_owned()),
        ("NUL", "%00".to_owned()),
        ("a byte that is no UTF-8", "%ff".to_owned()),
        ("10,000 characters", "a".repeat(10_000)),
        ("10,000 digits", "0".repeat(10_000)),
        ("letters beyond ASCII", "%C3%A9%F0%9F%92%A9".to_owned()),
        ("a slash", "..%2f..%2fcontacts".to_owned()),
        ("a quote", "%27%20OR%201=1--".to_owned()),
        ("a percent sign", "%25".to_owned()),
        ("half an escape", "%2".to_owned()),
        ("a number", "-1".to_owned()),
        ("null", "null".to_owned()),
        ("capitals", "69609027C1746A6142900000".to_owned()),
        ("a UUID in braces", "%7B8858c834-481d-4a02-8176-cffc02c50350%7D".to_owned()),
        ("a UUID without hyphens", "8858c834481d4a028176cffc02c50350".to_owned()),
        ("an id and a NUL", "69609027c1746a6142900000%00".to_owned()),
        ("an id and a space", "69609027c1746a6142900000%20".to_owned()),
    ]
}

/// External references that are malformed, each with the parts that are at fault.
fn bad_references() -> Vec<(String, String, &'static [&'static str])> {
    let (good, long) = ("p", "x".repeat(256));
    let malformed = ["", " ", " \u{a0}\t", "a\nb", "a\u{85}", &long];
    let mut references = Vec::new();
    for part in malformed {
        references.push((part.to_owned(), good.to_owned(), &["external_provider"][..]));
        references.push((good.to_owned(), part.to_owned(), &["external_id"][..]));
        references.push((part.to_owned(), part.to_owned(), &["external_provider", "external_id"][..]));
    }
    references
}

fn deep(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

/// The refusals that every operation with a JSON body shares.
fn body_cases(operation: &Operation) -> Vec<Case> {
    let case = |name: &str, status, says| Case::of(operation, name, status, says);
    let mut cases = vec![
        case("no body", 400, Field("body")).no_body(),
        case("no body, but a content type", 400, Field("body")).body(JSON, ""),
        case("white space", 400, Field("body")).body(JSON, " \r\n"),
        case("null", 400, Field("body")).body(JSON, "null"),
        case("a string", 400, Field("body")).body(JSON, "\"x\""),
        case("a number", 400, Field("body")).body(JSON, "7"),
        case("a boolean", 400, Field("body")).body(JSON, "true"),
        case("deep nesting", 400, Field("body")).body(JSON, deep(500_000)),
        case("deep nesting below", 400, Field("body")).body(JSON, format!(r#"{{"a":{}}}"#, deep(200))),
        case("10 MB", 413, Text("body")).body(JSON, vec![b' '; 10_000_000]),
        case("10 MB of nothing known", 413, Text("body")).body(None, vec![b'x'; 10_000_000]),
    ];
    cases.extend(BROKEN.map(|(name, body)| case(name, 400, Field("body")).body(JSON, body)));
    let good = operation.body.as_ref().expect("the operation takes a body").to_string();
    cases.extend(BAD_CONTENT_TYPES.map(|content_type| {
        let name = format!("content type {content_type:?}");
        case(&name, 415, Text("Content-Type")).body(content_type, good.clone())
    }));
    cases
}

fn query_cases(operation: &Operation) -> Vec<Case> {
    let bulk: &[_] = if operation.is_bulk_deletion() { &BAD_BULK_QUERIES } else { &[] };
    BAD_QUERIES
        .iter()
        .chain(bulk)
        .map(|(query, says)| Case::of(&operation.clone().with_query(query), &format!("?{query}"), 400, *says))
        .collect()
}

#[tokio::test]
async fn a_single_deletion_that_is_malformed_deletes_nothing() {
    let (app, things) = start().await;
    let mut cases = Vec::new();
    for operation in things.deletions(&app.account).iter().filter(|operation| !operation.is_bulk_deletion()) {
        let case = |name: &str, status, says| Case::of(operation, name, status, says);
        for body in ["null", "[]", "\"\"", "7", r#"{"mode":"hard"}"#, r#"{"ids":[]}"#, "{", "x", "\0", "{}{}"] {
            for content_type in [JSON, None, Some("text/plain")] {
                let name = format!("the body {body:?} as {content_type:?}");
                cases.push(case(&name, 400, Field("body")).body(content_type, body));
            }
        }
        cases.push(case("a body that is not UTF-8", 400, Field("body")).body(JSON, b"\xff"));
        cases.push(case("deep nesting", 400, Field("body")).body(JSON, deep(100_000)));
        cases.push(case("10 MB", 413, Text("body")).body(JSON, vec![b' '; 10_000_000]));
        cases.extend(query_cases(operation));
        if operation.id == "delete_external_records" {
            let bare = operation.path.split('?').next().expect("a path");
            for (provider, id, wrong) in bad_references() {
                let mut query = form_urlencoded::Serializer::new(String::new());
                query.append_pair("external_provider", &provider).append_pair("external_id", &id);
                let path = format!("{bare}?{}", query.finish());
                let of = |field| case(&path, 400, Field(field)).at(path.clone()).code("0530900");
                cases.extend(wrong.iter().map(|field| of(field)));
            }
        }
    }
    check(&app, &cases).await;
}

#[tokio::test]
async fn an_id_that_is_malformed_is_not_found_on_any_path() {
    let (app, things) = start().await;
    let mut cases = Vec::new();
    for operation in things.operations(&app.account).iter().filter(|operation| operation.is_about_a_thing()) {
        let ids = [
            &things.contact,
            &things.contact_import,
            &things.contact_list,
            &things.campaign,
            &things.record_list,
            &things.record,
        ];
        for id in ids.into_iter().filter(|id| operation.path.contains(id.as_str())) {
            let code = match operation.family {
                Family::RecordLists if *id == things.record => "0530920",
                Family::RecordLists if *id == things.campaign => "0530900",
                Family::RecordLists => "0530910",
                _ => "404",
            };
            for (name, bad) in bad_ids() {
                let path = operation.path.replace(id.as_str(), &bad);
                cases.push(Case::of(operation, name, 404, Text("not found")).at(path).code(code));
            }
        }
        if operation.path.contains(&app.account.stream) {
            for (name, bad) in bad_ids().into_iter().take(5) {
                let path = operation.path.replace(&app.account.stream, &bad);
                let name = format!("{name} for a stream");
                cases.push(Case::of(operation, &name, 401, Text("Invalid SDK credentials")).at(path));
            }
        }
    }
    check(&app, &cases).await;
}

#[tokio::test]
async fn a_bulk_deletion_of_contacts_that_is_malformed_deletes_nothing() {
    let (app, things) = start().await;
    let id = &things.contact;
    let many = |count: usize| json!({"ids": vec![id; count]}).to_string();
    let mut cases = Vec::new();
    for operation in things.deletions(&app.account) {
        if operation.family != Family::Contacts || !operation.is_bulk_deletion() {
            continue;
        }
        let case = |name: &str, status, says, body: String| Case::of(&operation, name, status, says).body(JSON, body);
        cases.extend(body_cases(&operation));
        cases.extend(query_cases(&operation));
        cases.extend([
            case("a bare array", 400, Field("body"), format!(r#"["{id}"]"#)),
            case("an array of fields", 400, Field("body"), format!(r#"[["{id}"]]"#)),
            case("an array of objects", 400, Field("body"), format!(r#"[{{"id":"{id}"}}]"#)),
            case("no ids", 400, Text("ids"), "{}".to_owned()),
            case("null ids", 400, Field("ids"), r#"{"ids":null}"#.to_owned()),
            case("ids a string", 400, Field("ids"), format!(r#"{{"ids":"{id}"}}"#)),
            case("ids an object", 400, Field("ids"), format!(r#"{{"ids":{{"0":"{id}"}}}}"#)),
            case("ids empty", 400, Field("ids"), r#"{"ids":[]}"#.to_owned()),
            case("id empty", 400, Field("ids"), r#"{"id":[]}"#.to_owned()),
            case("id a string", 400, Text("id"), format!(r#"{{"id":"{id}"}}"#)),
            case("a number among ids", 400, Field("ids[1]"), format!(r#"{{"ids":["{id}",7]}}"#)),
            case("null among ids", 400, Field("ids[1]"), format!(r#"{{"ids":["{id}",null]}}"#)),
            case("a boolean among ids", 400, Field("ids[0]"), format!(r#"{{"ids":[true,"{id}"]}}"#)),
            case("an array among ids", 400, Field("ids[1]"), format!(r#"{{"ids":["{id}",["{id}"]]}}"#)),
            case("an object among ids", 400, Field("ids[1]"), format!(r#"{{"ids":["{id}",{{"id":"{id}"}}]}}"#)),
            case("1,001 ids", 413, Field("ids"), many(1001)),
            case("10,000 ids", 413, Field("ids"), many(10_000)),
            case("an unknown field", 400, Text("idz"), format!(r#"{{"ids":["{id}"],"idz":[]}}"#)),
            case("an option in the body", 400, Text("mode"), format!(r#"{{"ids":["{id}"],"mode":"soft"}}"#)),
            case("both names", 400, Text("ids"), format!(r#"{{"ids":["{id}"],"id":["{id}"]}}"#)),
            case("a key twice", 400, Text("\"ids\""), format!(r#"{{"ids":["{id}"],"ids":["{id}"]}}"#)),
            case("a key twice by escape", 400, Text("\"ids\""), format!(r#"{{"ids":["{id}"],"\u0069ds":["{id}"]}}"#)),
            case("an unknown key twice", 400, Text("\"x\""), format!(r#"{{"ids":["{id}"],"x":1,"x":1}}"#)),
            case("half a surrogate", 400, Field("body"), format!(r#"{{"ids":["{id}","\udc00"]}}"#)),
        ]);
        let mut bytes = format!(r#"{{"ids":["{id}",""#).into_bytes();
        bytes.extend(b"\xff\"]}");
        cases.push(Case::of(&operation, "an id that is not UTF-8", 400, Field("body")).body(JSON, bytes));
        cases.extend(
            [("on_multiple=all", Text("on_multiple")), ("onMultiple=all", Text("onMultiple"))]
                .map(|(query, says)| Case::of(&operation.clone().with_query(query), query, 400, says)),
        );
    }
    check(&app, &cases).await;
}

#[tokio::test]
async fn a_bulk_deletion_of_records_that_is_malformed_deletes_nothing() {
    let (app, things) = start().await;
    let id = &things.record;
    let operation = things
        .deletions(&app.account)
        .into_iter()
        .find(|operation| operation.id == "bulk_delete_records")
        .expect("records can be deleted");
    let case = |name: &str, says, body: String| Case::of(&operation, name, 400, says).body(JSON, body).code("0530900");
    let external = r#"{"external_provider":"p","external_id":"e"}"#;
    let many = |count: usize| json!(vec![json!({"id": id}); count]).to_string();
    let mut cases = body_cases(&operation);
    cases.extend(query_cases(&operation));
    cases.extend([
        case("an object", Field("body"), format!(r#"{{"id":"{id}"}}"#)),
        case("the other family's body", Field("body"), format!(r#"{{"ids":["{id}"]}}"#)),
        case("nothing named", Field("body"), "[]".to_owned()),
        case("101 records", Field("[100]"), many(101)),
        case("10,000 records", Field("[100]"), many(10_000)),
        case("a bare id", Field("[0]"), format!(r#"["{id}"]"#)),
        case("null among items", Field("[1]"), format!(r#"[{{"id":"{id}"}},null]"#)),
        case("a number among items", Field("[1]"), format!(r#"[{{"id":"{id}"}},7]"#)),
        case("an array among items", Field("[1]"), format!(r#"[{{"id":"{id}"}},["{id}"]]"#)),
        case("an array of fields", Field("[0]"), format!(r#"[["{id}",null,null,null]]"#)),
        case("an empty item", Field("[0]"), "[{}]".to_owned()),
        case("a null id", Field("[0]"), r#"[{"id":null}]"#.to_owned()),
        case("an id that is a number", Field("[1].id"), format!(r#"[{{"id":"{id}"}},{{"id":7}}]"#)),
        case("an id that is an array", Field("[0].id"), format!(r#"[{{"id":["{id}"]}}]"#)),
        case("a number that is a number", Field("[0].phone_number"), r#"[{"phone_number":14155550100}]"#.to_owned()),
        case("two kinds", Field("[1]"), format!(r#"[{{"id":"{id}"}},{{"phone_number":"+14155550100"}}]"#)),
        case("two kinds, the last", Field("[2]"), format!(r#"[{external},{external},{{"id":"{id}"}}]"#)),
        case("two kinds in one", Field("[0]"), format!(r#"[{{"id":"{id}","phone_number":"+14155550100"}}]"#)),
        case(
            "an id and a reference",
            Field("[0]"),
            format!(r#"[{{"id":"{id}","external_provider":"p","external_id":"e"}}]"#),
        ),
        case("half a reference", Field("[0].external_id"), r#"[{"external_provider":"p"}]"#.to_owned()),
        case("the other half", Field("[1].external_provider"), format!(r#"[{external},{{"external_id":"e"}}]"#)),
        case(
            "half of it null",
            Field("[0].external_id"),
            r#"[{"external_provider":"p","external_id":null}]"#.to_owned(),
        ),
        case("an id and half a reference", Field("[0]"), format!(r#"[{{"id":"{id}","external_id":"e"}}]"#)),
        case("an unknown field", Text("idd"), format!(r#"[{{"id":"{id}","idd":1}}]"#)),
        case("the vendor's camelCase", Text("phoneNumber"), r#"[{"phoneNumber":"+14155550100"}]"#.to_owned()),
        case("a key twice", Text("\"id\""), format!(r#"[{{"id":"{id}","id":"{id}"}}]"#)),
        case("a key twice by escape", Text("\"id\""), format!(r#"[{{"id":"{id}","\u0069d":"{id}"}}]"#)),
        case("half a surrogate", Field("body"), format!(r#"[{{"id":"{id}"}},{{"id":"\udc00"}}]"#)),
    ]);
    cases.extend(
        [
            ("on_multiple=some", Field("on_multiple")),
            ("on_multiple=", Field("on_multiple")),
            ("onMultiple=fail", Text("onMultiple")),
            ("on_multiple=all&on_multiple=fail", Text("on_multiple")),
        ]
        .map(|(query, says)| Case::of(&operation.clone().with_query(query), query, 400, says).code("0530900")),
    );
    check(&app, &cases).await;
}

#[tokio::test]
async fn what_cannot_be_created_leaves_nothing_behind() {
    let (app, things) = start().await;
    let mut cases = Vec::new();
    for operation in things.operations(&app.account) {
        if operation.is_deletion() || operation.body.is_none() {
            continue;
        }
        // An undo needs no note.
        let needs_body = operation.id != "undo_deletion";
        cases.extend(body_cases(&operation).into_iter().filter(|case| {
            needs_body
                || !["no body", "no body, but a content type", "white space"]
                    .iter()
                    .any(|name| case.name.ends_with(name))
        }));
        let case = |name: &str, status, says, body: Value| {
            Case::of(&operation, name, status, says).body(JSON, body.to_string())
        };
        let name = &things.contact_list_name;
        let long = "n".repeat(121);
        match operation.id {
            "create_contacts" => cases.extend([
                case("an object", 400, Field("body"), json!({})),
                case("no contacts", 400, Field("body"), json!([])),
                case("1,001 contacts", 413, Field("body"), json!(vec![json!({}); 1001])),
                Case::of(&operation, "a key twice", 400, Text("\"a\"")).body(JSON, r#"[{"a":1,"a":1}]"#),
            ]),
            "add_contacts_to_contact_list" => cases.extend([
                case("an array of fields", 400, Field("body"), json!([name, [{"phoneNumber": "+14155550100"}]])),
                case("nobody", 400, Field("data"), json!({"contact_list_name": name, "data": []})),
                case(
                    "1,001 people",
                    413,
                    Field("data"),
                    json!({"contact_list_name": name, "data": vec![json!({}); 1001]}),
                ),
                case("no list", 400, Text("contact_list_name"), json!({"data": [{"phoneNumber": "+14155550100"}]})),
                case("no number", 400, Field("data[0].phoneNumber"), json!({"contact_list_name": name, "data": [{}]})),
                case(
                    "a wrong number",
                    400,
                    Field("data[1].phoneNumber"),
                    json!({"contact_list_name": name, "data": [{"phoneNumber": "+14155550100"}, {"phoneNumber": 7}]}),
                ),
                case(
                    "a NUL",
                    400,
                    Text("data[0]"),
                    json!({"contact_list_name": name, "data": [{"phoneNumber": "+14155550100", "x": "\0"}]}),
                ),
                case(
                    "an unknown list",
                    404,
                    Text("Contact list not found"),
                    json!({"contact_list_name": "x", "data": [{"phoneNumber": "+14155550100"}]}),
                ),
                case(
                    "a list with a NUL",
                    400,
                    Field("contact_list_name"),
                    json!({"contact_list_name": "\0", "data": [{"phoneNumber": "+14155550100"}]}),
                ),
            ]),
            "create_contact_list" | "create_contact_list_v2" => cases.extend([
                case("an array of fields", 400, Field("body"), json!(["n", "d", "passiveApi", true, null])),
                case("no name", 400, Text("name"), json!({"description": "d", "source": "passiveApi"})),
                case("no description", 400, Text("description"), json!({"name": "n", "source": "passiveApi"})),
                case("no source", 400, Text("source"), json!({"name": "n", "description": "d"})),
                case(
                    "an unknown source",
                    400,
                    Field("source"),
                    json!({"name": "n", "description": "d", "source": "x"}),
                ),
                case(
                    "a null name",
                    400,
                    Field("name"),
                    json!({"name": null, "description": "d", "source": "passiveApi"}),
                ),
                case(
                    "an empty name",
                    400,
                    Field("name"),
                    json!({"name": " ", "description": "d", "source": "passiveApi"}),
                ),
                case(
                    "a long name",
                    400,
                    Field("name"),
                    json!({"name": "n".repeat(49), "description": "d", "source": "passiveApi"}),
                ),
                case("a NUL", 400, Field("name"), json!({"name": "a\0", "description": "d", "source": "passiveApi"})),
                case(
                    "a NUL below",
                    400,
                    Text("mapping"),
                    json!({"name": "n", "description": "d", "source": "passiveApi", "mapping": {"a": ["\0"]}}),
                ),
                case(
                    "a mapping that is none",
                    400,
                    Field("mapping"),
                    json!({"name": "n", "description": "d", "source": "passiveApi", "mapping": []}),
                ),
                case(
                    "a wrong boolean",
                    400,
                    Field("allowDuplicates"),
                    json!({"name": "n", "description": "d", "source": "passiveApi", "allowDuplicates": "yes"}),
                ),
                case(
                    "a name that is taken",
                    409,
                    Text("name"),
                    json!({"name": name.to_uppercase(), "description": "d", "source": "passiveApi"}),
                ),
            ]),
            "create_campaign" | "create_campaign_v2" => {
                cases.extend([
                    case("an array of fields", 400, Field("body"), json!(["n", [name]])),
                    case("no name", 400, Text("name"), json!({"contactLists": [name]})),
                    case("a long name", 400, Field("name"), json!({"name": "n".repeat(49), "contactLists": [name]})),
                    case("no lists", 400, Text("contactLists"), json!({"name": "n"})),
                    case("lists empty", 400, Field("contactLists"), json!({"name": "n", "contactLists": []})),
                    case(
                        "101 lists",
                        400,
                        Field("contactLists"),
                        json!({"name": "n", "contactLists": vec![name; 101]}),
                    ),
                    case(
                        "a wrong list",
                        400,
                        Field("contactLists[1]"),
                        json!({"name": "n", "contactLists": [name, 7]}),
                    ),
                    case(
                        "an unknown list",
                        400,
                        Field("contactLists[1]"),
                        json!({"name": "n", "contactLists": [name, "x"]}),
                    ),
                    case(
                        "a NUL",
                        400,
                        Field("priority"),
                        json!({"name": "n", "contactLists": [name], "priority": "\0"}),
                    ),
                    case("a NUL in a key", 400, Text("NUL"), json!({"name": "n", "contactLists": [name], "a\0": 1})),
                ]);
                let bare = operation.path.split('?').next().expect("a path").to_owned();
                for (query, says) in [
                    ("", Text("campaignType")),
                    ("?campaignType=fax", Field("campaignType")),
                    ("?campaignType=voice&campaignType=sms", Text("campaignType")),
                ] {
                    cases.push(Case::of(&operation, query, 400, says).at(format!("{bare}{query}")));
                }
            }
            "create_record_list" => cases.extend([
                case("an array of fields", 400, Field("body"), json!(["n", "EXTERNAL"])).code("0530900"),
                case("no name", 400, Text("name"), json!({})).code("0530900"),
                case("an empty name", 400, Field("name"), json!({"name": ""})).code("0530900"),
                case("a long name", 400, Field("name"), json!({"name": long})).code("0530900"),
                case("a NUL", 400, Field("name"), json!({"name": "\0"})).code("0530900"),
                case(
                    "a wrong type",
                    400,
                    Field("unique_identifier_type"),
                    json!({"name": "n", "unique_identifier_type": "NAME"}),
                )
                .code("0530941"),
                case("an upload", 400, Field("csv_metadata"), json!({"name": "n", "csv_metadata": {}})).code("0530900"),
            ]),
            "update_record_list" | "update_record" | "bulk_update_records" => {
                cases.extend(patch_cases(&operation, &things));
            }
            "create_record" => {
                cases.extend([
                case("an array", 400, Field("body"), json!([{"first_name": "a"}])).code("0530900"),
                case("no number", 400, Field("phone_numbers"), json!({"first_name": "a", "last_name": "b"})).code("0530921"),
                case(
                    "no name",
                    400,
                    Field("last_name"),
                    json!({"first_name": "a", "phone_number": "+14155550101"}),
                )
                .code("0530900"),
                case(
                    "a NUL",
                    400,
                    Field("extra_data"),
                    json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550101", "extra_data": {"a\0": 1}}),
                )
                .code("0530900"),
            ]);
                for (provider, id, wrong) in bad_references() {
                    let name = format!("the reference {provider:?} {id:?}");
                    let body = json!({"first_name": "a", "last_name": "b", "phone_number": "+14155550101",
                                      "external_provider": provider, "external_id": id});
                    cases.extend(wrong.iter().map(|field| case(&name, 400, Field(field), body.clone()).code("0530900")));
                }
            }
            "attach_record_lists" | "detach_record_lists" => cases.extend([
                case("an object", 400, Field("body"), json!({"id": things.record_list})).code("0530900"),
                case("no lists", 400, Field("body"), json!([])).code("0530900"),
                case("101 lists", 400, Field("[100]"), json!(vec![json!({"id": "x"}); 101])).code("0530900"),
                case("a bare id", 400, Field("[0]"), json!([things.record_list])).code("0530900"),
                case("an id that is a number", 400, Field("[0].id"), json!([{"id": 7}])).code("0530900"),
                case("no id", 400, Field("[0].id"), json!([{}])).code("0530900"),
                case("an unknown field", 400, Text("idd"), json!([{"id": things.record_list, "idd": 1}])).code("0530900"),
                case(
                    "an unknown list",
                    404,
                    Field("[1].id"),
                    json!([{"id": operation.body.as_ref().expect("a body")[0]["id"]}, {"id": Things::unknown().record_list}]),
                )
                .code("0530910"),
                case("a word", 404, Field("[0].id"), json!([{"id": "x"}])).code("0530910"),
            ]),
            "bulk_create_records" => cases.extend([
                case("an array of fields", 400, Field("body"), json!([[{"first_name": "a"}]])).code("0530900"),
                case("a bare array", 400, Field("body"), json!([{"first_name": "a"}])).code("0530900"),
                case("no records", 400, Field("records"), json!({"records": []})).code("0530900"),
                case("records an object", 400, Field("records"), json!({"records": {}})).code("0530900"),
                case("101 records", 400, Field("records[100]"), json!({"records": vec![json!({}); 101]}))
                    .code("0530936"),
                case(
                    "a long upload",
                    400,
                    Field("upload_request_id"),
                    json!({"records": [{}], "upload_request_id": "x".repeat(37)}),
                )
                .code("0530900"),
                case("an upload by number", 400, Field("upload_request_id"), json!({"records": [{}], "upload_request_id": 7}))
                    .code("0530900"),
            ]),
            "update_campaign" | "update_campaign_v2" => cases.extend([
                case("an array of fields", 400, Field("body"), json!(["n", [name]])),
                case("nothing", 400, Field("body"), json!({})),
                case("nothing of the caller's", 400, Field("body"), json!({"id": "x", "status": "Active"})),
                case("an empty name", 400, Field("name"), json!({"name": " "})),
                case("a long name", 400, Field("name"), json!({"name": long})),
                case("no lists", 400, Field("contactLists"), json!({"contactLists": []})),
                case("a list that is not there", 400, Field("contactLists[1]"), json!({"contactLists": [name, "nobody's"]})),
                case("a NUL in another field", 400, Field("priority"), json!({"priority": "\0"})),
            ]),
            "list_campaigns" | "list_campaigns_v2" => cases.extend([
                case("an array of fields", 400, Field("body"), json!(["voice"])),
                case("another type", 400, Field("type"), json!({"type": "fax"})),
                case("too many", 400, Field("limit"), json!({"limit": 101})),
                case("a text for a number", 400, Field("skip"), json!({"skip": "one"})),
                case("too deep", 400, Field("page"), json!({"page": 1_000_000})),
                case("another status", 400, Field("filters.status[1]"), json!({"filters": {"status": ["Ready", "ready"]}})),
                case("another filter", 400, Text("stat"), json!({"filters": {"stat": ["Ready"]}})),
                case("another order", 400, Text("size"), json!({"sortBy": {"size": "asc"}})),
                case("another direction", 400, Field("sortBy.name"), json!({"sortBy": {"name": "up"}})),
                case("no time", 400, Field("startDate"), json!({"startDate": "yesterday"})),
            ]),
            "update_contact_list" | "update_contact_list_v2" => cases.extend([
                case("an array of fields", 400, Field("body"), json!(["n", "d"])),
                case("nothing", 400, Field("body"), json!({})),
                case("nothing of the caller's", 400, Field("body"), json!({"_id": "x", "status": "Ready"})),
                case("an empty name", 400, Field("name"), json!({"name": " "})),
                case("a long name", 400, Field("name"), json!({"name": long})),
                case("a long description", 400, Field("description"), json!({"description": "d".repeat(257)})),
                case("another source", 400, Field("source"), json!({"source": "thin air"})),
                case(
                    "a name that is taken",
                    409,
                    Text("has this name already"),
                    json!({"name": format!("CALLED {}", things.number)}),
                ),
                case("a text for a yes", 400, Field("allowDuplicates"), json!({"allowDuplicates": "yes"})),
                case("a NUL in the mapping", 400, Field("mapping.firstName"), json!({"mapping": {"firstName": "\0"}})),
            ]),
            "update_contact" => cases.extend([
                case("an array of fields", 400, Field("body"), json!(["a", "b"])),
                case("nothing", 400, Field("body"), json!({})),
                case("a number for a name", 400, Field("firstName"), json!({"firstName": 7})),
                case("an empty name", 400, Field("lastName"), json!({"firstName": "a", "lastName": " "})),
                case("a NUL", 400, Field("salutation"), json!({"salutation": "\0"})),
                case("an array for a phone", 400, Field("cellPhone"), json!({"cellPhone": ["+", "1", "+91"]})),
                case("a code alone", 400, Field("cellPhone.phoneNumber"), json!({"cellPhone": {"countryCode": "+91"}})),
                case("a deletion", 400, Field("status"), json!({"status": "INACTIVE"})),
            ]),
            "bulk_update_contacts" => cases.extend([
                case("an object", 400, Field("body"), json!({})),
                case("nobody", 400, Field("body"), json!([])),
                case("a number", 400, Field("[0]"), json!([7])),
                case("an array of fields", 400, Field("[0]"), json!([["a"]])),
                case(
                    "no id",
                    400,
                    Field("[1].id"),
                    json!([{"id": things.contact, "firstName": "a"}, {"firstName": "a"}]),
                ),
                case("a number for an id", 400, Field("[0].id"), json!([{"id": 7}])),
                case("1,001 contacts", 413, Field("body"), json!(vec![json!({"id": things.contact}); 1001])),
            ]),
            "create_deletion" => {
                let good = operation.body.clone().expect("a body");
                let with = |field: &str, value: Value| {
                    let mut body = good.clone();
                    body[field] = value;
                    body
                };
                let only = |field: &str, value: Value| {
                    let mut body = with(field, value);
                    body.as_object_mut().expect("an object").remove("items");
                    body
                };
                let stream = &app.account.stream;
                cases.extend([
                    case("an unknown kind", 400, Field("resource"), with("resource", json!("person"))),
                    case("no stream", 400, Field("within.stream_id"), with("within", json!({}))),
                    case("no stream's id", 400, Field("within.stream_id"), with("within", json!({"stream_id": "x"}))),
                    case(
                        "another parent",
                        400,
                        Field("within.record_list_id"),
                        with("within", json!({"stream_id": stream, "record_list_id": things.record_list})),
                    ),
                    case("nothing named", 400, Field("items"), with("items", json!([]))),
                    case("no selection", 400, Field("items"), with("items", Value::Null)),
                    case("two selections", 400, Field("items"), with("all", json!(true))),
                    case("an empty filter", 400, Field("filter"), only("filter", json!({}))),
                    case("an unknown key", 400, Text("nmae"), only("filter", json!({"nmae": "a"}))),
                    case(
                        "an unknown key beside another",
                        400,
                        Text("prioritty"),
                        only("filter", json!({"country_code": "+91", "prioritty": 3})),
                    ),
                    case("an unknown field", 400, Text("max_afected"), with("max_afected", json!(1))),
                    case("an unknown field beside all", 400, Text("max_afected"), {
                        let mut body = only("all", json!(true));
                        body["max_afected"] = json!(1);
                        body
                    }),
                    case("a foreign key", 400, Field("filter.priority"), only("filter", json!({"priority": 3}))),
                    case("no time", 400, Field("filter.created_after"), only("filter", json!({"created_after": "x"}))),
                    case("no prefix", 400, Field("filter.number_prefix"), only("filter", json!({"number_prefix": "+x"}))),
                    case("no list", 400, Field("filter.member_of"), only("filter", json!({"member_of": "x"}))),
                    case(
                        "what is in the trash, softly",
                        400,
                        Field("mode"),
                        only("filter", json!({"deleted_before": "2026-01-01T00:00:00Z"})),
                    ),
                    case("not all", 400, Field("all"), only("all", json!(false))),
                    case("nothing in an item", 400, Field("items[0]"), with("items", json!([{}]))),
                    case("two names", 400, Field("items[0]"), with("items", json!([{"id": "a", "phone_number": "1"}]))),
                    case(
                        "half a reference",
                        400,
                        Field("items[1].external_id"),
                        with("items", json!([{"id": "a"}, {"external_provider": "crm"}])),
                    ),
                    case(
                        "a reference of a contact",
                        400,
                        Field("items[0].external_provider"),
                        with("items", json!([{"external_provider": "crm", "external_id": "1"}])),
                    ),
                    case("an unknown field", 400, Text("idd"), with("items", json!([{"idd": "a"}]))),
                    case("a long note", 400, Field("note"), with("note", json!("n".repeat(1001)))),
                    case("fewer than none", 400, Field("max_affected"), with("max_affected", json!(-1))),
                ]);
            }
            "cancel_deletion" | "undo_deletion" => {
                cases.push(case("an unknown field", 400, Text("nte"), json!({"nte": "a"})));
            }
            "restore_trash" => {
                let good = operation.body.clone().expect("a body");
                let with = |field: &str, value: Value| {
                    let mut body = good.clone();
                    body[field] = value;
                    body
                };
                cases.extend([
                    case("nothing named", 400, Field("items"), with("items", json!([]))),
                    case("no id", 400, Field("items[0].id"), with("items", json!([{"phone_number": "+14155550100"}]))),
                    case("1,001 things", 413, Field("items"), with("items", json!(vec![json!({"id": "a"}); 1001]))),
                    case("no stream's id", 400, Field("within.stream_id"), with("within", json!({"stream_id": "x"}))),
                    case("an unknown parent", 400, Text("strem_id"), {
                        let within = json!({"stream_id": app.account.stream, "strem_id": "x"});
                        with("within", within)
                    }),
                    case("an unknown field", 400, Text("nte"), with("nte", json!("a"))),
                ]);
            }
            "set_retention" => cases.extend([
                case("nothing", 400, Field("body"), json!({})),
                case("no kind", 400, Field("person"), json!({"person": 1})),
                case("no days", 400, Field("contact"), json!({"contact": 0})),
                case("too many days", 400, Field("contact"), json!({"contact": 3651})),
                case("no number", 400, Text("contact"), json!({"contact": "30"})),
            ]),
            other => panic!("{other} creates and has no cases here"),
        }
    }
    check(&app, &cases).await;
}

/// JSON patches that are none, or not of what can be changed.
fn patch_cases(operation: &Operation, things: &Things) -> Vec<Case> {
    let good = operation.body.as_ref().expect("the operation takes a body")[0].clone();
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed[field] = value;
        json!([changed])
    };
    let without = |field: &str| {
        let mut changed = good.clone();
        changed.as_object_mut().expect("an object").remove(field);
        json!([changed])
    };
    let case = |name: &str, says, body: Value| {
        Case::of(operation, name, 400, says).body(JSON, body.to_string()).code("0530900")
    };
    let mut alone = good.clone();
    alone["op"] = json!("increase");
    let most = if operation.id == "update_record_list" { 1 } else { 100 };
    let beyond: &str = if most == 1 { "[1]" } else { "[100]" };
    let mut cases = vec![
        case("no operations", Field("body"), json!([])),
        case("an array of fields", Field("[0]"), json!([["replace", "/priority", 1]])),
        case("a bare path", Field("[0]"), json!(["/priority"])),
        case("too many", Field(beyond), json!(vec![good.clone(); most + 1])),
        case("no op", Field("[0].op"), without("op")),
        case("an unknown op", Field("[0].op"), with("op", json!("increase"))),
        case("an unknown op alone", Field("op"), alone),
        case("no path", Field("[0].path"), without("path")),
        case("a path that is a number", Field("[0].path"), with("path", json!(7))),
        case("an empty path", Field("[0].path"), with("path", json!(""))),
        case("another path", Field("[0].path"), with("path", json!("/updated_at"))),
        case("a path with a NUL", Field("[0].path"), with("path", json!("/\0"))),
        case("no value", Field("[0].value"), without("value")),
    ];
    match operation.id {
        "update_record_list" => cases.extend([
            case("remove", Field("[0].op"), with("op", json!("remove"))),
            case("an unknown status", Field("[0].value"), with("value", json!("accepted"))),
            case("a null status", Field("[0].value"), with("value", Value::Null)),
            case("a status that is a number", Field("[0].value"), with("value", json!(1))),
        ]),
        "bulk_update_records" => cases.extend([
            case("remove", Field("[0].op"), with("op", json!("remove"))),
            case(
                "a field's path",
                Field("[0].path"),
                with("path", json!(format!("/records/{}/priority", things.record))),
            ),
            case("no record", Field("[0].path"), with("path", json!("/records/"))),
            case("a value that is a number", Field("[0].value"), with("value", json!(7))),
            case("a field that is not ours", Field("[0].value.id"), with("value", json!({"id": "x"}))),
            case("camelCase", Field("[0].value.firstName"), with("value", json!({"firstName": "x"}))),
        ]),
        _ => cases.extend([
            case("no from", Field("[0].from"), json!([{"op": "move", "path": "/extra_data/a"}])),
            case("another from", Field("[0].from"), json!([{"op": "copy", "from": "/id", "path": "/extra_data/a"}])),
            case("no pointer", Field("[0].path"), with("path", json!("/extra_data/~2"))),
            case("the second", Field("[1].path"), json!([good, {"op": "remove", "path": "/id"}])),
        ]),
    }
    cases
}

#[tokio::test]
async fn an_item_that_is_malformed_is_an_outcome_in_its_place() {
    let (app, things) = start().await;
    let malformed = ["", " ", "x", "\0", "é", "💩", &"0".repeat(10_000), &things.contact.to_uppercase(), "null", "%00"];
    let mut ids = vec![json!(things.contact), json!(things.contact)];
    ids.extend(malformed.iter().map(|id| json!(id)));
    let path = app.account.bulk_delete_path();
    let report = app.delete_with(&path, &json!({"ids": ids})).await.expect(200);
    assert_eq!(report["successfulRecords"], json!([{"id": things.contact}]));
    let failed: Vec<(&Value, &Value)> = report["failedRecords"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|record| (&record["id"], &record["reason"]))
        .collect();
    let (duplicate, invalid) = (json!("DUPLICATE_IN_REQUEST"), json!("INVALID_IDENTIFIER"));
    let mut wanted = vec![(&ids[1], &duplicate)];
    wanted.extend(ids[2..].iter().map(|id| (id, &invalid)));
    assert_eq!(failed, wanted);

    let path = format!("/record-lists/{}/records/bulks", things.record_list);
    let braced = format!("{{{}}}", things.record);
    let malformed = ["", "x", "\0", "é", &"0".repeat(10_000), &things.record.replace('-', ""), &braced];
    let upper = things.record.to_uppercase();
    let mut sent: Vec<&str> = vec![&things.record, &things.record, &upper];
    sent.extend(malformed);
    let body: Vec<Value> = sent.iter().map(|id| json!({"id": id})).collect();
    let report = app.delete_with(&path, &json!(body)).await.expect(200);
    assert_eq!((&report["total_deleted"], &report["total_errors"]), (&json!(1), &json!(sent.len() - 1)));
    let reasons: Vec<&Value> = report["_embedded"]["failed_records"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|record| &record["reason"])
        .collect();
    let mut wanted = vec![&duplicate, &duplicate];
    wanted.extend(malformed.map(|_| &invalid));
    assert_eq!(reasons, wanted);
    assert_eq!(report["_embedded"]["reason"]["bad_request_param"], json!(&sent[1..]));

    for (key, malformed) in [
        ("phone_number", json!(["", "+", "x", "\0", "123456789012345678901", "1;2", "٣"])),
        ("external_id", json!(["", " ", "\u{a0}", "\0", "a\nb", "a".repeat(256)])),
    ] {
        let items: Vec<Value> = malformed
            .as_array()
            .expect("an array")
            .iter()
            .map(|id| match key {
                "external_id" => json!({"external_provider": "p", "external_id": id}),
                _ => json!({key: id}),
            })
            .collect();
        let report = app.delete_with(&path, &json!(items)).await.expect(200);
        assert_eq!((&report["total_deleted"], &report["total_errors"]), (&json!(0), &json!(items.len())), "{report}");
        let failed = report["_embedded"]["failed_records"].as_array().expect("an array");
        assert!(failed.iter().all(|record| record["reason"] == "INVALID_IDENTIFIER"), "{report}");
    }
}

#[tokio::test]
async fn an_empty_body_passes_with_any_content_type() {
    let app = TestApp::start().await;
    let types = [None, JSON, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some(""), Some("nonsense")];
    let empty = ["", " \n", "{}"];
    for (number, (content_type, body)) in
        types.into_iter().flat_map(|content_type| empty.map(|body| (content_type, body))).enumerate()
    {
        // Two of the operations share each thing, so that each gets one of its own.
        let (first, second) = (2 * number as u64, 2 * number as u64 + 1);
        let things =
            [Things::create(&app, &app.account, first).await, Things::create(&app, &app.account, second).await];
        for operation in things[0].deletions(&app.account) {
            if operation.is_bulk_deletion() {
                continue;
            }
            let things = &things[usize::from(operation.id.ends_with("_v2"))];
            let operation = things.operations(&app.account).into_iter().find(|other| other.id == operation.id);
            let operation = operation.expect("things have the same operations");
            let case = Case::of(&operation, "", operation.success, Text(""));
            let case = if body.is_empty() && content_type.is_none() { case } else { case.body(content_type, body) };
            case.send(&app).await.expect(operation.success);
        }
    }
}

#[tokio::test]
async fn another_method_is_refused_and_the_right_ones_are_named() {
    let (app, things) = start().await;
    let document = app.get("/openapi.json").await.expect(200);
    let operations = things.operations(&app.account);
    let mut paths: Vec<(&str, Family)> = operations
        .iter()
        .map(|operation| (operation.path.split('?').next().expect("a path"), operation.family))
        .collect();
    paths.extend([("/livez", Family::Native), ("/readyz", Family::Native)]);
    paths.sort_by_key(|(path, _)| *path);
    paths.dedup();
    let before = fingerprint(&app.admin).await;
    for (path, family) in paths {
        // Of a word and an id in its place, the word is meant.
        let (_, item) = document["paths"]
            .as_object()
            .expect("paths")
            .iter()
            .filter(|(template, _)| matches_template(template, path))
            .min_by_key(|(template, _)| template.matches('{').count())
            .expect("the path is in the document");
        let mut allowed: Vec<String> =
            item.as_object().expect("operations").keys().map(|method| method.to_uppercase()).collect();
        allowed.sort();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE"] {
            if allowed.iter().any(|other| other == method) {
                continue;
            }
            let sent = Method::from_bytes(method.as_bytes()).expect("a method");
            let answer = app.request(sent, path).send().await;
            family.refusal(&answer, 405).unwrap_or_else(|wrong| panic!("{method} {path}: {wrong}"));
            assert_eq!(answer.header("Allow"), Some(allowed.join(", ").as_str()), "{method} {path}");
        }
    }
    assert_eq!(fingerprint(&app.admin).await, before);
    for path in ["/openapi.json", "/docs"] {
        let answer = app.request(Method::POST, path).send().await;
        Family::Native.refusal(&answer, 405).unwrap_or_else(|wrong| panic!("POST {path}: {wrong}"));
        assert_eq!(answer.header("Allow"), Some("GET"), "POST {path}");
    }
}

fn matches_template(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(path).all(|(part, given)| part.starts_with('{') || *part == given)
}

#[tokio::test]
async fn an_unknown_path_is_refused_in_the_envelope_of_its_family() {
    let (app, things) = start().await;
    let list = &things.record_list;
    let paths = [
        (app.account.family("/nothing"), Family::Contacts),
        (app.account.family("/contacts/"), Family::Contacts),
        (app.account.family("/contacts/a/b"), Family::Contacts),
        (app.account.family("/Contacts"), Family::Contacts),
        ("/agentassist".to_owned(), Family::Contacts),
        (app.account.family("/campaign/a/b/c"), Family::Campaigns),
        (app.account.family("/campaign/contactList/a/b"), Family::Campaigns),
        ("/campaign".to_owned(), Family::Campaigns),
        ("/campaign/api/v3/public/x/campaign".to_owned(), Family::Campaigns),
        (format!("/campaign/api/v2/public/{}/nothing", app.account.stream), Family::Campaigns),
        (format!("/api/1.1/public/{}/nothing", app.account.stream), Family::Campaigns),
        (format!("/record-lists/{list}/nothing"), Family::RecordLists),
        (format!("/record-lists/{list}/records/bulks/nothing"), Family::RecordLists),
        ("/record-lists/".to_owned(), Family::RecordLists),
        ("/".to_owned(), Family::Native),
        ("/nothing".to_owned(), Family::Native),
        ("/v1/nothing".to_owned(), Family::Native),
        ("/%00".to_owned(), Family::Native),
        ("/%ff".to_owned(), Family::Native),
        (format!("/{}", "a".repeat(10_000)), Family::Native),
    ];
    let mut cases = Vec::new();
    for (path, family) in paths {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let name = format!("{method} {}", &path[..path.len().min(80)]);
            cases.push(Case {
                name,
                family,
                method,
                path: path.clone(),
                content_type: None,
                body: None,
                status: 404,
                code: None,
                says: Text("There is nothing at this path"),
            });
        }
    }
    check(&app, &cases).await;
}

#[tokio::test]
async fn a_page_that_cannot_be_is_refused() {
    let (app, things) = start().await;
    let mut cases = Vec::new();
    for operation in things.operations(&app.account) {
        let queries: &[(&str, Says)] = match operation.id {
            "list_contacts" => &[
                ("limit=0", Field("limit")),
                ("limit=101", Field("limit")),
                ("limit=-1", Field("limit")),
                ("limit=x", Field("limit")),
                ("limit=99999999999999999999", Field("limit")),
                ("skip=-1", Field("skip")),
                ("skip=10001", Field("skip")),
                ("page=0", Field("page")),
                ("page=9223372036854775807", Field("page")),
                ("page=1&skip=0", Field("page")),
                ("status=GONE", Field("status")),
                ("phoneNumber=x", Field("phoneNumber")),
                ("phoneNumber=%00", Field("phoneNumber")),
                ("createdBefore=yesterday", Field("createdBefore")),
                ("createdBefore=-009999-01-01T00:00:00Z", Field("createdBefore")),
                ("createdAfter=9999-12-31T23:59:59-12:00", Field("createdAfter")),
                ("updatedAfter=-009999-01-01T00:00:00%2B12:00", Field("updatedAfter")),
                ("updatedBefore=2026-02-30T00:00:00Z", Field("updatedBefore")),
            ],
            "list_records" => &[
                ("per_page=0", Field("per_page")),
                ("per_page=501", Field("per_page")),
                ("per_page=x", Field("per_page")),
                ("page=0", Field("page")),
                ("page=-9223372036854775808", Field("page")),
                ("page=9223372036854775807", Field("page")),
                ("page=1&page=2", Text("page")),
                ("order_by=priority", Field("order_by")),
                ("after=x", Field("after")),
                ("phone_number=x", Field("phone_number")),
                ("priorities=0", Field("priorities")),
                ("priorities=1,x", Field("priorities")),
                ("priorities=1&priorities=11", Field("priorities")),
                ("timezones=Mars/Base", Field("timezones")),
                ("timezones=", Field("timezones")),
                ("updated_at_from=yesterday", Field("updated_at_from")),
                ("updated_at_to=2026-02-30T00:00:00Z", Field("updated_at_to")),
            ],
            "list_contact_lists"
            | "list_contact_lists_v2"
            | "post_list_contact_lists"
            | "post_list_contact_lists_v2" => &[
                ("limit=0", Field("limit")),
                ("limit=1001", Field("limit")),
                ("limit=x", Field("limit")),
                ("skip=-1", Field("skip")),
                ("skip=10001", Field("skip")),
                ("after=x", Field("after")),
                ("type=sms", Text("type")),
            ],
            "list_contact_list_members" | "list_contact_list_members_v2" => &[
                ("limit=0", Field("limit")),
                ("limit=101", Field("limit")),
                ("skip=-1", Field("skip")),
                ("skip=10000", Field("skip")),
                ("page=0", Field("page")),
                ("page=1&skip=1", Field("page")),
                ("after=x", Field("after")),
                ("after=x&page=1", Field("after")),
            ],
            "list_record_lists" => &[
                ("per_page=501", Field("per_page")),
                ("page=0", Field("page")),
                ("page=201", Field("page")),
                ("order_by=name", Field("order_by")),
                ("after=x", Field("after")),
                ("status=accepted", Field("status")),
                ("name=", Field("name")),
                ("name=%00", Field("name")),
                ("created_at_from=x", Field("created_at_from")),
                ("created_at_to=x", Field("created_at_to")),
                ("updated_at_from=x", Field("updated_at_from")),
                ("updated_at_to=-009999-01-01T00:00:00Z", Field("updated_at_to")),
            ],
            "list_record_timezones" => {
                &[("per_page=0", Field("per_page")), ("page=0", Field("page")), ("search=%00", Field("search"))]
            }
            "list_campaign_record_lists" => &[("per_page=0", Field("per_page")), ("after=x", Field("after"))],
            _ => &[],
        };
        cases.extend(
            queries
                .iter()
                .map(|(query, says)| Case::of(&operation.clone().with_query(query), &format!("?{query}"), 400, *says)),
        );
    }
    check(&app, &cases).await;
}

#[test]
fn an_answer_that_is_not_a_refusal_is_caught() {
    let case = |family| Case {
        name: String::new(),
        family,
        method: Method::DELETE,
        path: String::new(),
        content_type: None,
        body: None,
        status: 400,
        code: None,
        says: Field("ids"),
    };
    let answer = |status: u16, content_type: &'static str, body: Value| Answer {
        status: status.try_into().expect("a status"),
        headers: HeaderMap::from_iter([
            ("content-type".parse().expect("a name"), HeaderValue::from_static(content_type)),
            ("request-id".parse().expect("a name"), HeaderValue::from_static("1")),
        ]),
        text: body.to_string(),
    };
    let judge = |family, answer: &Answer| verdict(&case(family), answer);

    let json = "application/json";
    let item = json!({"msg": "ids: m", "code": 400, "reason": "INVALID_REQUEST"});
    let contacts = json!({"errors": [item]});
    let campaigns = json!({"status": "error", "message": "ids: m", "errors": [item]});
    let lists =
        json!({"code": "0530900", "message": "m", "description": "d", "fields": [{"name": "ids", "description": "m"}]});
    let envelopes = [(Family::Contacts, &contacts), (Family::Campaigns, &campaigns), (Family::RecordLists, &lists)];
    for (family, envelope) in envelopes {
        assert_eq!(judge(family, &answer(400, json, envelope.clone())), Ok(()));
        for (other, envelope) in envelopes {
            assert_eq!(judge(family, &answer(400, json, envelope.clone())).is_ok(), family == other, "{envelope}");
        }
        assert!(judge(family, &answer(500, json, envelope.clone())).is_err(), "another status");
        assert!(judge(family, &answer(400, "text/plain", envelope.clone())).is_err(), "another content type");
        let mut more = envelope.clone();
        more["more"] = json!(1);
        assert!(judge(family, &answer(400, json, more)).is_err(), "a field too many");
        let mut deleted = answer(400, json, envelope.clone());
        deleted.headers.insert("deletion-id", HeaderValue::from_static("1"));
        assert!(judge(family, &deleted).is_err(), "a deletion");
        let silent = Answer { text: String::new(), ..answer(400, json, json!(null)) };
        assert!(judge(family, &silent).is_err(), "silence");
        let elsewhere = Case { says: Field("id"), ..case(family) };
        assert!(verdict(&elsewhere, &answer(400, json, envelope.clone())).is_err(), "another field");
    }
    let wrong_code = json!({"errors": [{"msg": "ids: m", "code": 4002}]});
    assert!(judge(Family::Contacts, &answer(400, json, wrong_code)).is_err(), "another code");
    let no_fields = json!({"code": "0530900", "message": "m", "description": "ids: d"});
    assert!(judge(Family::RecordLists, &answer(400, json, no_fields)).is_err(), "fields are always there");
}

#[tokio::test]
async fn a_change_of_any_table_changes_the_fingerprint() {
    let (app, things) = start().await;
    let before = fingerprint(&app.admin).await;
    assert_eq!(fingerprint(&app.admin).await, before);
    assert!(before.len() > 10, "{before:?}");
    app.delete(&app.account.contact_path(&things.contact)).await.expect(200);
    let after = fingerprint(&app.admin).await;
    assert_eq!(changed(&before, &after), ["contacts", "ledger"]);
    sqlx::query("UPDATE records SET held = true").execute(&app.admin).await.expect("records are there");
    assert_eq!(changed(&after, &fingerprint(&app.admin).await), ["records"]);
}

/// What deletions are asked with, well-formed and not, to be mutated.
struct Mutator {
    random: StdRng,
    things: Vec<Things>,
}

impl Mutator {
    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        from.choose(&mut self.random).expect("there is something to pick from")
    }

    fn body(&mut self, good: Option<&Value>) -> Vec<u8> {
        let things = &self.things[self.random.random_range(0..self.things.len())];
        let (contact, record) = (&things.contact, &things.record);
        let bodies = [
            good.map(Value::to_string).unwrap_or_default(),
            json!({"ids": [contact, contact, "x"]}).to_string(),
            json!({"id": [contact]}).to_string(),
            json!([{"id": record}, {"id": "x"}]).to_string(),
            json!([{"phone_number": "+14155550100"}, {"phone_number": "\0"}]).to_string(),
            json!([{"external_provider": "p", "external_id": "é\u{0}"}]).to_string(),
            json!({"ids": [[[[{"a": [1.5, -0.0, 1e300, null, true]}]]]]}).to_string(),
            "{}".to_owned(),
        ];
        let mut body = bodies[self.random.random_range(0..bodies.len())].clone().into_bytes();
        for _ in 0..self.random.random_range(0..4) {
            self.mutate(&mut body);
        }
        body
    }

    fn mutate(&mut self, body: &mut Vec<u8>) {
        const TOKENS: [&[u8]; 20] = [
            b"\0",
            b"\\u0000",
            b"\\ud800",
            b"\xff",
            b"\xf0\x9f\x92\xa9",
            b"\"",
            b"\\",
            b"[",
            b"]",
            b"{",
            b"}",
            b",",
            b":",
            b"null",
            b"true",
            b"-1",
            b"1e999",
            b"\"ids\":",
            b"\"id\":\"x\"",
            b"\xef\xbb\xbf",
        ];
        let at = self.random.random_range(0..=body.len());
        match self.random.random_range(0..6) {
            0 => body.truncate(at),
            1 if at < body.len() => body[at] = self.random.random(),
            2 if at < body.len() => {
                body.remove(at);
            }
            3 => {
                let copied = body[at..].to_vec();
                body.extend(copied);
            }
            4 => {
                let many = self.random.random_range(1..300);
                let token = self.pick(&TOKENS).repeat(many);
                body.splice(at..at, token);
            }
            _ => {
                let token = self.pick(&TOKENS).to_vec();
                body.splice(at..at, token);
            }
        }
    }

    /// Bytes that can stand on a path or in a query.
    fn escaped(&mut self) -> String {
        let length = self.random.random_range(0..40);
        (0..length).map(|_| format!("%{:02X}", self.random.random::<u8>())).collect()
    }

    fn path(&mut self, path: &str) -> String {
        let mut path = path.to_owned();
        if self.random.random_ratio(1, 5) {
            let cut = path.rfind('/').expect("a path has a slash");
            path.truncate(cut + 1);
            path += &self.escaped();
        }
        let names = ["mode", "atomic", "on_multiple", "accountId", "campaignType", "x"];
        let values = ["soft", "hard", "true", "false", "all", "fail", "", "voice"];
        for first in 0..self.random.random_range(0..3) {
            let (name, mut value) = (*self.pick(&names), (*self.pick(&values)).to_owned());
            if self.random.random_ratio(1, 4) {
                value = self.escaped();
            }
            path += &format!("{}{name}={value}", if first == 0 { '?' } else { '&' });
        }
        path
    }
}

#[tokio::test]
async fn no_garbage_makes_a_deletion_fail_on_our_side() {
    let seed = match std::env::var("EXPUNGE_TEST_SEED") {
        Ok(seed) => seed.parse().expect("the seed is a number"),
        Err(_) => rand::random::<u64>(),
    };
    println!("EXPUNGE_TEST_SEED={seed}");
    let app = TestApp::start().await;
    let mut things = Vec::new();
    for number in 0..4 {
        things.push(Things::create(&app, &app.account, number).await);
    }
    let mut mutator = Mutator { random: StdRng::seed_from_u64(seed), things };
    let content_types =
        ["application/json", "application/hal+json", "application/json; charset=utf-8", "text/plain", ";"];
    let headers = [
        ("Prefer", "respond-async"),
        ("If-Match", "\"1\""),
        ("Idempotency-Key", "\"a\""),
        ("Request-Id", "a b"),
        ("Accept", "application/json"),
        ("Accept", "text/html;q=x"),
        ("Content-Encoding", "gzip"),
        ("Expect", "100-continue"),
        ("X-HTTP-Method-Override", "GET"),
    ];
    for round in 0..400 {
        let things = mutator.pick(&mutator.things.clone()).clone();
        let operation = mutator.pick(&things.deletions(&app.account)).clone();
        let path = mutator.path(&operation.path);
        let body = mutator.body(operation.body.as_ref());
        let mut request = app.request(operation.method.clone(), &path);
        if mutator.random.random_ratio(9, 10) {
            let content_type = *mutator.pick(&content_types);
            request = request.header("Content-Type", content_type);
        }
        let (name, value) = *mutator.pick(&headers);
        if mutator.random.random_ratio(1, 3) {
            request = request.header(name, value);
        }
        let answer = request.bytes(body.clone()).send().await;
        let status = answer.status.as_u16();
        let sent =
            format!("round {round} of seed {seed}: {} {path} {:?}", operation.id, String::from_utf8_lossy(&body));
        assert!(status < 500, "{sent}: {answer:?}");
        if status >= 400 {
            operation.family.refusal(&answer, status).unwrap_or_else(|wrong| panic!("{sent}: {wrong}"));
        }
    }
}
