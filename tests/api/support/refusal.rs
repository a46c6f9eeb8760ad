//! What a refusal looks like in each family, and whether anything was changed.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::PgPool;

use super::http::Answer;

/// A family of paths, in what its refusals look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Contacts,
    Campaigns,
    RecordLists,
    Native,
}

/// A refusal that has its family's form.
#[derive(Debug)]
pub struct Refusal {
    /// The family's code; of the agentassist families, that of every error.
    pub code: String,
    /// What is wrong, each as `field: message`.
    pub complaints: Vec<String>,
}

impl Family {
    /// Reads a refusal.
    ///
    /// # Errors
    ///
    /// What of it is not as the family has it: status, headers or envelope.
    pub fn refusal(self, answer: &Answer, status: u16) -> Result<Refusal, String> {
        let wrong = |what: &str| Err(format!("{what}: {} {:?} {}", answer.status, answer.headers, answer.text));
        if answer.status.as_u16() != status {
            return wrong(&format!("the status is not {status}"));
        }
        if answer.header("Deletion-Id").is_some() {
            return wrong("a refusal names no deletion");
        }
        if answer.header("Request-Id").is_none_or(str::is_empty) {
            return wrong("the request has no id");
        }
        let content_type = match self {
            Family::Native => "application/problem+json",
            Family::Contacts | Family::Campaigns | Family::RecordLists => "application/json",
        };
        if answer.header("Content-Type") != Some(content_type) {
            return wrong("the content type is not the family's");
        }
        let Ok(body) = serde_json::from_str::<Value>(&answer.text) else { return wrong("not JSON") };
        match self.envelope(&body, status) {
            Some((code, complaints)) => Ok(Refusal { code, complaints }),
            None => wrong("not the family's envelope"),
        }
    }

    fn envelope(self, body: &Value, status: u16) -> Option<(String, Vec<String>)> {
        match self {
            Family::Contacts => {
                has_fields(body, &["errors"], &[])?;
                errors(&body["errors"], status)
            }
            Family::Campaigns => {
                let more: &[&str] = if status == 409 { &["data"] } else { &[] };
                has_fields(body, &["status", "message", "errors"], more)?;
                (body["status"] == "error").then_some(())?;
                text(&body["message"])?;
                errors(&body["errors"], status)
            }
            Family::RecordLists => {
                has_fields(body, &["code", "message", "description", "fields"], &[])?;
                let code = text(&body["code"])?;
                (code.len() == 7 && code.starts_with("05309")).then_some(())?;
                let mut complaints = vec![text(&body["message"])?.to_owned(), text(&body["description"])?.to_owned()];
                for field in body["fields"].as_array()? {
                    has_fields(field, &["name", "description"], &[])?;
                    complaints.push(format!("{}: {}", text(&field["name"])?, text(&field["description"])?));
                }
                Some((code.to_owned(), complaints))
            }
            Family::Native => {
                has_fields(body, &["type", "title", "status", "detail", "reason"], &["errors"])?;
                (body["status"] == status).then_some(())?;
                text(&body["type"])?;
                text(&body["title"])?;
                let mut complaints = vec![text(&body["detail"])?.to_owned()];
                for field in body.get("errors").and_then(Value::as_array).into_iter().flatten() {
                    has_fields(field, &["field", "message"], &[])?;
                    complaints.push(format!("{}: {}", text(&field["field"])?, text(&field["message"])?));
                }
                Some((text(&body["reason"])?.to_owned(), complaints))
            }
        }
    }
}

/// The errors of the agentassist families.
fn errors(errors: &Value, status: u16) -> Option<(String, Vec<String>)> {
    let code = if matches!(status, 401 | 403) { 4002 } else { status };
    let mut complaints = Vec::new();
    for error in errors.as_array().filter(|errors| !errors.is_empty())? {
        has_fields(error, &["msg", "code"], &["reason"])?;
        (error["code"] == code).then_some(())?;
        complaints.push(text(&error["msg"])?.to_owned());
        if let Some(reason) = error.get("reason") {
            text(reason)?.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_').then_some(())?;
        }
    }
    Some((code.to_string(), complaints))
}

/// Some when the object has these fields, may have those, and has no others.
fn has_fields(value: &Value, required: &[&str], optional: &[&str]) -> Option<()> {
    let object = value.as_object()?;
    let has_all = required.iter().all(|field| object.contains_key(*field));
    let has_no_other = object.keys().all(|field| required.iter().chain(optional).any(|known| known == field));
    (has_all && has_no_other).then_some(())
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// Every table's content, in short. Equal when nothing was changed.
pub type Fingerprint = BTreeMap<String, String>;

/// Takes the fingerprint of a database.
pub async fn fingerprint(admin: &PgPool) -> Fingerprint {
    let statement: String = sqlx::query_scalar(
        r#"SELECT string_agg(
               format('SELECT %L, md5(coalesce(string_agg(t::text, E''\n'' ORDER BY t::text COLLATE "C"), '''')) FROM %s t',
                      c.oid::regclass, c.oid::regclass),
               ' UNION ALL ')
           FROM pg_class c
           WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"#,
    )
    .fetch_one(admin)
    .await
    .expect("there are tables");
    let tables: Vec<(String, String)> =
        sqlx::query_as(sqlx::AssertSqlSafe(statement)).fetch_all(admin).await.expect("every table can be read");
    tables.into_iter().collect()
}

/// The same, of all but what is kept about requests for a time: that each of a bulk's things failed is kept too.
pub async fn things_fingerprint(admin: &PgPool) -> Fingerprint {
    let mut fingerprint = fingerprint(admin).await;
    fingerprint.retain(|table, _| !["deletions", "deletion_chunks", "jobs"].contains(&table.as_str()));
    fingerprint
}
