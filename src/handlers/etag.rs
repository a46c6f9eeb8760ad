//! `ETag` and `If-Match`: a thing's version, as HTTP says it.

use actix_web::http::header::{ETAG, HeaderName};

use crate::domain::version::IfMatch;
use crate::error::Error;

/// The header that says which version of a thing an answer shows. Only what the
/// thing itself says counts: not what is counted or looked up for the answer.
pub fn etag(version: i64) -> (HeaderName, String) {
    (ETAG, format!("\"{version}\""))
}

/// What the `If-Match` headers of a request allow.
///
/// # Errors
///
/// [`Error::Invalid`] for what is neither `*` nor a list of quoted ETags.
pub fn if_match(headers: &[String]) -> Result<IfMatch, Error> {
    let mut versions = Vec::new();
    for tag in headers.iter().flat_map(|header| header.split(',')).map(str::trim) {
        if tag == "*" {
            return Ok(IfMatch::Any);
        }
        let (is_weak, quoted) = tag.strip_prefix("W/").map_or((false, tag), |rest| (true, rest));
        let opaque = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let opaque =
            opaque.ok_or_else(|| Error::invalid("If-Match", "must be * or an ETag as it was answered, in quotes"))?;
        versions.extend(opaque.parse::<i64>().ok().filter(|_| !is_weak));
    }
    Ok(if headers.is_empty() { IfMatch::Any } else { IfMatch::OneOf(versions) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[&str]) -> Option<IfMatch> {
        if_match(&headers.iter().map(|header| (*header).to_owned()).collect::<Vec<_>>()).ok()
    }

    #[test]
    fn an_etag_is_read_as_it_is_written() {
        assert_eq!(read(&[&etag(7).1]), Some(IfMatch::OneOf(vec![7])));
        assert_eq!(read(&["\"1\", \"2\"", "\"3\""]), Some(IfMatch::OneOf(vec![1, 2, 3])));
        assert_eq!(read(&[]), Some(IfMatch::Any));
        assert_eq!(read(&["*"]), Some(IfMatch::Any));
    }

    #[test]
    fn what_is_weak_or_not_ours_matches_nothing_and_what_is_no_etag_is_refused() {
        assert_eq!(read(&["W/\"7\""]), Some(IfMatch::OneOf(vec![])));
        assert_eq!(read(&["\"abc\""]), Some(IfMatch::OneOf(vec![])));
        for header in ["7", "", "\"7", "7\"", "\"7\","] {
            assert_eq!(read(&[header]), None, "{header:?}");
        }
    }
}
