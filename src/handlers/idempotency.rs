//! Requests with an `Idempotency-Key` are done once. What a handler does is
//! committed here, with its answer, and what was answered before is sent again.

use actix_web::body::{BoxBody, EitherBody, MessageBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MATCH};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error as ActixError, HttpMessage, HttpRequest, HttpResponse};
use futures_util::{StreamExt, stream};

use super::body::MAX_LENGTH;
use super::error::respond_at;
use crate::domain::idempotency::{IdempotencyKey, KeptAnswer};
use crate::domain::identity::Caller;
use crate::error::Error;
use crate::services::Services;
use crate::services::idempotency::{self, Once};

/// The header that a request is done once under.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header that an answer has which was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The headers that are kept with an answer.
const KEPT: [&str; 5] = ["Content-Type", "Deletion-Id", "Location", "ETag", "Validate-Only"];

/// Where a key means nothing: a token is a new one each time.
pub const WITHOUT: &str = "/oauth/token";

/// Why the request cannot be done under its key. Said once the caller is signed in.
struct Unfit {
    header: &'static str,
    why: &'static str,
}

type Answered<B> = Result<ServiceResponse<EitherBody<B>>, ActixError>;

/// Handles a request that changes something and has a key once; all others pass.
///
/// # Errors
///
/// What the rest of the application fails with.
pub async fn once<B: MessageBody + 'static>(mut request: ServiceRequest, next: Next<B>) -> Answered<B> {
    if !is_a_change(request.method()) || request.path() == WITHOUT || !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let Some(services) = request.app_data::<Data<Services>>().cloned() else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let Some(key) = key(request.headers()) else {
        let why = "must be one key of 1 to 255 visible ASCII characters";
        request.extensions_mut().insert(Unfit { header: "Idempotency-Key", why });
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let (body, payload) = read_ahead(request.take_payload()).await;
    if length(&body) > MAX_LENGTH && !request.headers().contains_key(CONTENT_LENGTH) {
        // It could not be told from others that begin the same.
        let why = "is required of a body over 1 MiB under an Idempotency-Key";
        request.extensions_mut().insert(Unfit { header: "Content-Length", why });
        request.set_payload(payload);
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let once = match services.idempotency.once(&key, &parts(request.request(), &body)) {
        Ok(once) => once,
        Err(error) => {
            let answer = respond_at(request.path(), &error);
            return Ok(request.into_response(answer).map_into_right_body());
        }
    };
    request.set_payload(payload);
    let response = once.during(next.call(request)).await?;
    Box::pin(finish(&once, response)).await
}

/// Says who sent the request, so that it is done under its key.
///
/// # Errors
///
/// [`Error::Invalid`] when its key is none, or it cannot be told from others under it.
pub fn sent_by(caller: &Caller, request: &HttpRequest) -> Result<(), Error> {
    if let Some(Unfit { header, why }) = request.extensions().get() {
        return Err(Error::invalid(*header, *why));
    }
    idempotency::sent_by(caller);
    Ok(())
}

fn is_a_change(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method)
}

/// The request's key. None for one that is none, and for two.
fn key(headers: &HeaderMap) -> Option<IdempotencyKey> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).map(|value| IdempotencyKey::parse(value.as_bytes()));
    let key = keys.next().flatten()?;
    keys.all(|other| other.as_ref() == Some(&key)).then_some(key)
}

/// Reads a body up to [`MAX_LENGTH`] or its end. Answers what was read of it, no more than that, and a payload that
/// begins anew with all of it.
async fn read_ahead(mut payload: Payload) -> (Vec<Bytes>, Payload) {
    let (mut chunks, mut length) = (Vec::new(), 0);
    let mut broken = None;
    // One byte more than what is compared, so that it is known whether there is more.
    while length <= MAX_LENGTH {
        match payload.next().await {
            Some(Ok(chunk)) => {
                length += chunk.len();
                chunks.push(chunk);
            }
            Some(Err(error)) => {
                broken = Some(error);
                break;
            }
            None => break,
        }
    }
    let read: Vec<Result<Bytes, PayloadError>> = chunks.iter().cloned().map(Ok).chain(broken.map(Err)).collect();
    (chunks, Payload::Stream { payload: Box::pin(stream::iter(read).chain(payload)) })
}

fn length(chunks: &[Bytes]) -> usize {
    chunks.iter().map(Bytes::len).sum()
}

/// How the answer is wanted, after RFC 7240.
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What tells a request from others: of a body over [`MAX_LENGTH`] its beginning and how long it is.
fn parts(request: &HttpRequest, chunks: &[Bytes]) -> Vec<Vec<u8>> {
    let header = |name| {
        let values: Vec<&[u8]> = request.headers().get_all(name).map(HeaderValue::as_bytes).collect();
        values.join(&b'\n')
    };
    let mut body = chunks.concat();
    let length = if body.len() > MAX_LENGTH { header(CONTENT_LENGTH) } else { Vec::new() };
    body.truncate(MAX_LENGTH);
    let mut content_type = header(CONTENT_TYPE);
    // Clients draw another boundary each time they send the same form.
    if let Some(boundary) = boundary(&content_type) {
        body = without(&body, &boundary);
        content_type = without(&content_type, &boundary);
    }
    let line = [request.method().as_str(), request.path(), request.query_string()].map(|text| text.as_bytes().to_vec());
    line.into_iter().chain([content_type, header(IF_MATCH), header(PREFER), length, body]).collect()
}

/// What stands between the parts of a form.
fn boundary(content_type: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(content_type).ok()?;
    let mut parameters = text.split(';').map(str::trim);
    let is_a_form = parameters.next()?.to_ascii_lowercase().starts_with("multipart/");
    let (_, value) = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    let value = value.trim_matches('"').as_bytes();
    (is_a_form && !value.is_empty()).then(|| value.to_vec())
}

fn without(bytes: &[u8], what: &[u8]) -> Vec<u8> {
    let mut left = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(what.len()).position(|window| window == what) {
        left.extend_from_slice(&rest[..at]);
        rest = &rest[at + what.len()..];
    }
    left.extend_from_slice(rest);
    left
}

/// Ends what was done under a key, and answers it.
async fn finish<B: MessageBody + 'static>(once: &Once, response: ServiceResponse<B>) -> Answered<B> {
    let (request, response) = response.into_parts();
    let status = response.status().as_u16();
    let (instead, response) = if KeptAnswer::is_kept(status) {
        let (response, body) = response.into_parts();
        let body = to_bytes(body).await.unwrap_or_default();
        let answer = KeptAnswer { status, headers: kept(response.headers()), body: body.to_vec() };
        (once.finish(status, Some(&answer)).await, response.set_body(EitherBody::right(BoxBody::new(body))))
    } else {
        (once.finish(status, None).await, response.map_body(|_, body| EitherBody::left(body)))
    };
    let response = match instead {
        Ok(None) => response,
        Ok(Some(answer)) => replayed(answer).map_body(|_, body| EitherBody::right(body)),
        Err(error) => respond_at(request.path(), &error).map_body(|_, body| EitherBody::right(body)),
    };
    Ok(ServiceResponse::new(request, response))
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let kept = KEPT.into_iter().filter_map(|name| Some((name, headers.get(name)?.to_str().ok()?)));
    kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn replayed(answer: KeptAnswer) -> HttpResponse {
    let Ok(status) = StatusCode::from_u16(answer.status) else { return HttpResponse::InternalServerError().finish() };
    let mut response = HttpResponse::build(status);
    for header in answer.headers {
        response.insert_header(header);
    }
    response.insert_header((REPLAYED, "true")).body(answer.body)
}
