//! Tokens for clients that show their secret (RFC 6749), and the keys that the
//! tokens are verified with.

use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth;
use super::body::Body;
use super::error::{self, Failure, Family};
use super::routes::Routes;
use crate::domain::identity::Scope;
use crate::error::Error;
use crate::services::Services;

/// The longest body of a request for a token, in bytes.
const MAX_LENGTH: usize = 8 * 1024;

/// Where tokens are issued: errors as RFC 6749, section 5.2, has them.
pub struct OauthFamily;

impl Family for OauthFamily {
    const CONTENT_TYPE: &'static str = "application/json";
    const CHALLENGE: &'static str = r#"Basic realm="expunge""#;

    fn envelope(error: &Error) -> Value {
        let (code, description) = match error {
            Error::InvalidCredentials => ("invalid_client", "The client's id or secret is wrong".to_owned()),
            Error::Invalid(fields) if fields.iter().any(|field| field.field == "scope") => {
                ("invalid_scope", error.message())
            }
            Error::Invalid(fields) if fields.iter().any(|field| field.field == "grant_type") => {
                ("unsupported_grant_type", error.message())
            }
            Error::Busy | Error::Overloaded => ("temporarily_unavailable", error.message()),
            _ if error::status(error).is_client_error() => ("invalid_request", error.message()),
            _ => ("server_error", error.message()),
        };
        json!({ "error": code, "error_description": description })
    }
}

/// The operations.
pub fn configure(routes: &mut impl Routes) {
    routes.service(create_token).service(get_jwks);
}

/// Get a token for a client
///
/// The client shows its id and its secret with HTTP Basic, or else in the body, and gets a platform token that every
/// family takes in either header. The token lives for ten minutes, and no longer than the client itself: a client that
/// is revoked is refused at once.
#[utoipa::path(
    tag = "identity",
    operation_id = "create_token",
    security(("client" = [])),
    request_body(
        content = TokenRequest, content_type = "application/x-www-form-urlencoded",
        example = json!({"grant_type": "client_credentials", "scope": "configuration deletions:hard"})
    ),
    responses(
        (status = 200, description = "A token.", body = Token, example = json!({
            "access_token": "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6ImtQcktfcW14VldhWVZBOXd3QkY2SXVvM3ZWeno3VHhIQ1R3WEJ5Z3JTNGsifQ.e30.c2lnbmF0dXJl",
            "token_type": "Bearer", "expires_in": 599, "scope": "configuration deletions:hard"
        })),
        OauthErrors,
    ),
)]
#[post("/oauth/token")]
pub async fn create_token(
    request: HttpRequest,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Failure<OauthFamily>> {
    let asked: TokenRequest = body.form(MAX_LENGTH).await?;
    let (client_id, secret) = credentials(&request, &asked)?;
    match asked.grant_type.as_deref() {
        Some("client_credentials") => {}
        None | Some("") => return Err(Error::invalid("body", "grant_type is required").into()),
        Some(_) => return Err(Error::invalid("grant_type", "only client_credentials is supported").into()),
    }
    let scope = asked.scope.as_deref().filter(|scope| !scope.is_empty());
    let issued = services.identity.issue_token(&client_id, &secret, scope).await?;
    tracing::Span::current().record("client_id", client_id.as_str());
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Token {
        access_token: issued.token,
        token_type: "Bearer",
        expires_in: issued.lifetime,
        scope: Scope::join(&issued.scopes),
    }))
}

/// Get the keys that our tokens are verified with
///
/// A JWK set (RFC 7517). It has several keys while they are being rotated.
#[utoipa::path(
    tag = "identity",
    operation_id = "get_jwks",
    security(()),
    responses((status = 200, description = "The public keys.", body = Value, example = json!({"keys": [{
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "use": "sig", "alg": "EdDSA",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    }]})))
)]
#[get("/.well-known/jwks.json")]
pub async fn get_jwks(services: web::Data<Services>) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, max-age=300")).json(services.identity.public_keys())
}

/// The client's id and secret, shown in one of the two ways. Both are of
/// characters that need no escapes, so none are looked for.
fn credentials(request: &HttpRequest, asked: &TokenRequest) -> Result<(String, SecretString), Error> {
    let in_body = (asked.client_id.as_ref(), asked.client_secret.as_ref());
    let Some(header) = auth::header(request, AUTHORIZATION.as_str())? else {
        let (Some(id), Some(secret)) = in_body else { return Err(Error::InvalidCredentials) };
        return Ok((id.clone(), SecretString::from(secret.clone())));
    };
    let shown = basic(header).ok_or(Error::InvalidCredentials)?;
    match in_body {
        (_, Some(_)) => {
            Err(Error::invalid("client_secret", "the client shows its secret in the header and in the body"))
        }
        (Some(id), None) if *id != shown.0 => {
            Err(Error::invalid("client_id", "the header and the body name two clients"))
        }
        _ => Ok(shown),
    }
}

fn basic(header: &str) -> Option<(String, SecretString)> {
    let (scheme, encoded) = header.split_once(' ')?;
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("Basic"))?;
    let text = String::from_utf8(decoded).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), SecretString::from(secret.to_owned())))
}

/// What a request for a token says.
#[derive(Deserialize, utoipa::ToSchema)]
struct TokenRequest {
    /// `client_credentials`.
    #[schema(required)]
    grant_type: Option<String>,
    /// Some of the client's scopes, with spaces between. Without it the token has all of them.
    scope: Option<String>,
    /// The client's id, when it is not in the header.
    client_id: Option<String>,
    /// The client's secret, when it is not in the header.
    client_secret: Option<String>,
}

/// A token.
#[derive(Serialize, utoipa::ToSchema)]
struct Token {
    /// The token, for the header `auth`, bare, or `Authorization`, after `Bearer`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// How long it lives, in seconds.
    expires_in: i64,
    /// What it allows: scopes with spaces between.
    scope: String,
}

/// Why there is no token.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "read by the document's generator alone")]
pub struct OauthError {
    /// The word of RFC 6749, section 5.2.
    error: String,
    /// What is wrong, for people.
    error_description: String,
}

#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "read by the document's generator alone")]
enum OauthErrors {
    /// `invalid_request`, `unsupported_grant_type`, or `invalid_scope` for a scope that the client was not given.
    #[response(status = 400, example = json!({"error": "invalid_scope", "error_description": "scope: the client was not given all of these scopes"}))]
    Invalid(OauthError),
    /// The client is unknown or has been revoked, or the secret is not its own.
    #[response(status = 401, example = json!({"error": "invalid_client", "error_description": "The client's id or secret is wrong"}))]
    Unauthenticated(OauthError),
    /// The body is over 8 KiB.
    #[response(status = 413, example = json!({"error": "invalid_request", "error_description": "body, in bytes: at most 8192 allowed"}))]
    TooLarge(OauthError),
    /// The body is not a form by its Content-Type.
    #[response(status = 415, example = json!({"error": "invalid_request", "error_description": "Content-Type: the body must be application/x-www-form-urlencoded"}))]
    UnsupportedMediaType(OauthError),
    /// Something went wrong on our side.
    #[response(status = 500, example = json!({"error": "server_error", "error_description": "Something went wrong on our side; nothing was changed"}))]
    Internal(OauthError),
    /// Try again.
    #[response(status = 503, example = json!({"error": "temporarily_unavailable", "error_description": "The service is busy; try again"}))]
    Busy(OauthError),
}
