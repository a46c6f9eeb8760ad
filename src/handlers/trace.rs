//! A span, an id and one log line for each request, and an answer also where a
//! handler panics. Neither names, numbers, tokens nor bodies are logged: of the
//! path, only its pattern is.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use futures_util::FutureExt;
use tracing::Instrument;
use uuid::Uuid;

use super::error;

/// The request's id, as it is answered and logged.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Gives the request an id, the caller's where it sent one, and logs what came of it.
///
/// # Errors
///
/// What the rest of the application fails with.
pub async fn trace<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| is_well_formed(id))
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
    let span = tracing::info_span!(
        "request",
        request_id = %id,
        method = %request.method(),
        account_id = tracing::field::Empty,
        client_id = tracing::field::Empty,
    );
    let header = HeaderValue::from_str(&id);
    request.extensions_mut().insert(RequestId(id));
    let started = Instant::now();
    async move {
        let path = request.path().to_owned();
        let mut response = match AssertUnwindSafe(next.call(request)).catch_unwind().await {
            Ok(response) => response?,
            Err(_) => {
                let mut answer = error::respond_at(&path, &crate::error::Error::Internal("a handler panicked"));
                if let Ok(header) = header {
                    answer.headers_mut().insert(REQUEST_ID, header);
                }
                tracing::info!(status = answer.status().as_u16(), "answered");
                return Err(InternalError::from_response("a handler panicked", answer).into());
            }
        };
        if let Ok(header) = header {
            response.headers_mut().insert(REQUEST_ID, header);
        }
        let route = response.request().match_pattern().unwrap_or_default();
        let deletion_id = response.headers().get("Deletion-Id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let status = response.status().as_u16();
        let duration_ms = started.elapsed().as_secs_f64() * 1e3;
        if is_probe(&route) {
            tracing::debug!(route, status, duration_ms, "answered");
        } else {
            tracing::info!(route, status, duration_ms, deletion_id, "answered");
        }
        Ok(response)
    }
    .instrument(span)
    .await
}

/// An id of the caller's is kept when it can do no harm in a log or a table.
fn is_well_formed(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn is_probe(route: &str) -> bool {
    matches!(route, "/livez" | "/readyz")
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::{App, HttpResponse, test, web};

    use super::trace;

    async fn panics() -> HttpResponse {
        panic!("as a handler must not")
    }

    #[actix_web::test]
    async fn a_handler_that_panics_is_answered_in_its_familys_envelope() {
        let app = App::new().wrap(from_fn(trace)).default_service(web::to(panics));
        let app = test::init_service(app).await;
        let request = test::TestRequest::get().uri("/record-lists/1").to_request();
        let error = test::try_call_service(&app, request).await.expect_err("it is an error");
        let answer = error.error_response();
        assert_eq!(answer.status(), 500);
        assert!(answer.headers().contains_key("Request-Id"));
        let body = actix_web::body::to_bytes(answer.into_body()).await.unwrap_or_default();
        assert!(body.starts_with(br#"{"code":"0530999""#), "{body:?}");
    }
}
