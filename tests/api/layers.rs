//! What each layer may name. Read from the sources, so that a shortcut through
//! the layers fails here.

use std::fs;
use std::path::Path;

/// A layer's folder under `src`, and what it must not name: a word of code, or,
/// with a dot in front, a method that it must not call.
const RULES: [(&str, &[&str]); 4] = [
    ("domain", &["actix_web", "sqlx", "handlers", "services", "repositories", "postgres", ".begin", ".commit"]),
    ("repositories", &["actix_web", "handlers", "services", ".begin", ".commit", ".rollback"]),
    ("services", &["actix_web", "handlers", "query", "query_as", "query_scalar", "raw_sql", "QueryBuilder"]),
    ("handlers", &["sqlx", "repositories", "postgres", ".begin", ".commit", ".rollback"]),
];

/// Every line of a file that names what its layer must not, as `path:line: word`.
/// `path` is relative to `src`.
fn faults(path: &str, text: &str) -> Vec<String> {
    let layer = path.split(['/', '.']).next().unwrap_or_default();
    let Some((_, forbidden)) = RULES.iter().find(|(name, _)| *name == layer) else { return Vec::new() };
    let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.flat_map(|(index, line)| {
        let found = words(line).filter(|word| forbidden.contains(&word.as_str())).collect::<Vec<_>>();
        found.into_iter().map(move |word| format!("src/{path}:{}: {word}", index + 1))
    })
    .collect()
}

/// The words of a line of code; one that is called as a method a second time, with its dot.
fn words(line: &str) -> impl Iterator<Item = String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut words = Vec::new();
    let mut rest = line;
    let mut before = None;
    while let Some(start) = rest.find(is_part) {
        before = rest[..start].chars().next_back().or(before.filter(|_| start == 0));
        let end = rest[start..].find(|c| !is_part(c)).map_or(rest.len(), |length| start + length);
        let word = &rest[start..end];
        words.push(word.to_owned());
        if before == Some('.') && rest[end..].starts_with('(') {
            words.push(format!(".{word}"));
        }
        rest = &rest[end..];
    }
    words.into_iter()
}

fn sources(dir: &Path, of: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).expect("the sources are there") {
        let path = entry.expect("a directory can be read").path();
        if path.is_dir() {
            sources(&path, of);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file is text");
            let path = path.strip_prefix(src()).expect("it is under src").display().to_string();
            of.push((path, text));
        }
    }
}

fn src() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

#[test]
fn no_layer_names_what_it_must_not() {
    let mut files = Vec::new();
    sources(src(), &mut files);
    for (layer, _) in RULES {
        assert!(files.iter().any(|(path, _)| path.starts_with(layer)), "there is no layer {layer}");
    }
    let faults: Vec<String> = files.iter().flat_map(|(path, text)| faults(path, text)).collect();
    assert!(faults.is_empty(), "a layer names what it must not:\n{}", faults.join("\n"));
}

#[test]
fn a_shortcut_through_the_layers_is_caught() {
    for (path, line) in [
        ("domain/contact.rs", "use sqlx::Row;"),
        ("domain/contact.rs", "use crate::{clock::Clock, services::Services};"),
        ("domain/deletion.rs", "fn status() -> actix_web::http::StatusCode {"),
        ("domain.rs", "use crate::postgres::Database;"),
        ("repositories/contacts.rs", "let transaction = conn.begin().await?;"),
        ("repositories/contacts.rs", "        .commit()"),
        ("repositories/contacts.rs", "crate::handlers::contacts::render(row)"),
        ("services/contacts.rs", r#"sqlx::query!("SELECT 1").execute(conn).await?;"#),
        ("services/deletions/mod.rs", r#"let n: i64 = query_scalar("SELECT 1").fetch_one(conn).await?;"#),
        ("services/contacts.rs", "use actix_web::web;"),
        ("handlers/contacts.rs", "    Err(sqlx::Error::RowNotFound) => NotFound,"),
        ("handlers/record_lists/lists.rs", "use crate::repositories::record_lists;"),
    ] {
        let text = format!("//! A comment.\n\n{line}\n");
        let found = faults(path, &text);
        assert_eq!(found.len(), 1, "{path}: {line}: {found:?}");
        assert!(found[0].starts_with(&format!("src/{path}:3: ")), "{found:?}");
    }
}

#[test]
fn what_a_layer_may_name_is_not_caught() {
    for (path, line) in [
        ("domain/contact.rs", "/// Nothing of sqlx, and no services, in a comment."),
        ("domain/contact.rs", "let begin = range.begin; let committed = true;"),
        ("repositories/contacts.rs", "sqlx::query!(\"SELECT 1\")"),
        ("services/operator.rs", "Database(#[from] sqlx::Error),"),
        ("services/contacts.rs", "use crate::repositories::contacts;"),
        ("handlers/contacts.rs", "let contact = services.contacts.find(&caller, &id).await?;"),
        ("app.rs", "use sqlx::PgPool; use actix_web::web;"),
    ] {
        assert_eq!(faults(path, line), Vec::<String>::new(), "{path}: {line}");
    }
}
