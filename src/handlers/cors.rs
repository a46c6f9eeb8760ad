//! Which pages may call the service from a browser: those of an exact list of origins.

use actix_cors::Cors;

/// How long a browser may remember what it was allowed, in seconds.
const MAX_AGE: usize = 600;

/// Headers that a page may send.
const ALLOWED: [&str; 8] =
    ["auth", "accountId", "iid", "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "Prefer"];

/// Headers of an answer that a page may read.
const EXPOSED: [&str; 7] =
    ["Deletion-Id", "Location", "ETag", "Request-Id", "Retry-After", "RateLimit", "Idempotency-Replayed"];

/// Lets pages of these origins call. Another origin's request is answered
/// without the headers that would let its page read the answer.
pub fn allow(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers(ALLOWED)
        .expose_headers(EXPOSED)
        .max_age(MAX_AGE);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// An origin: scheme and host, with a port where it is not the scheme's own.
///
/// # Errors
///
/// When `text` is anything else; `*` is.
pub fn parse_origin(text: &str) -> Result<String, String> {
    let uri: actix_web::http::Uri = text.parse().map_err(|_| "not an origin".to_owned())?;
    let is_origin = matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        && !text.ends_with('/')
        && uri.path_and_query().is_none_or(|path| path.as_str() == "/");
    if is_origin {
        Ok(text.to_owned())
    } else {
        Err("an origin is a scheme and a host, such as https://ui.example".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_a_scheme_and_a_host_and_no_more() {
        for origin in ["https://ui.example", "http://localhost:3000"] {
            assert_eq!(parse_origin(origin).as_deref(), Ok(origin));
        }
        for text in
            ["*", "", "ui.example", "https://ui.example/", "https://ui.example/app", "ftp://ui.example", "https://a@b"]
        {
            assert!(parse_origin(text).is_err(), "{text:?}");
        }
    }
}
