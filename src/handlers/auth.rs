//! Who calls. The access that a handler needs is in the type of its first
//! argument, so that it cannot be forgotten.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, IF_MATCH};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use super::error::{Failure, Family};
use super::trace::RequestId;
use super::{etag, idempotency, params};
use crate::domain::identity::{Caller, Scope};
use crate::domain::ids::StreamId;
use crate::domain::version::IfMatch;
use crate::error::{Error, FieldError};
use crate::services::Services;
use crate::services::identity::Credentials;

/// How the caller would like to be answered, after RFC 7240.
const PREFER: &str = "Prefer";

/// What an operation asks of its caller.
pub trait Access: 'static {
    /// The family whose envelope refuses.
    type Family: Family;
    /// The scope that the client must have. None where the body says which.
    const SCOPE: Option<Scope>;
    /// The headers that must name the account and the stream.
    const REQUIRED: &'static [Named];
}

/// What a request must name beside its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// `accountId`, in a header or the query.
    Account,
    /// `iid`, in a header.
    Stream,
}

/// A caller that has been signed in, has the scope and named what it must.
pub struct Authorized<A> {
    /// Who calls.
    pub caller: Caller,
    stream: Option<StreamId>,
    query: String,
    if_match: Vec<String>,
    prefers_async: bool,
    access: PhantomData<A>,
}

impl<A: Access> Authorized<A> {
    /// The stream that the path names; one of the caller's account.
    pub fn stream(&self) -> &StreamId {
        self.stream.as_ref().expect("every path of this family names its stream")
    }

    /// That the caller has a further scope.
    ///
    /// # Errors
    ///
    /// [`Error::MissingScope`].
    pub fn require(&self, scope: Scope) -> Result<(), Error> {
        require(&self.caller, scope)
    }

    /// Whether the caller would rather look the outcome up than wait for it: `Prefer: respond-async`.
    pub fn prefers_async(&self) -> bool {
        self.prefers_async
    }

    /// The query's parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] that names the parameter.
    pub fn params<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        params::parse(&self.query)
    }

    /// The parameters of a deletion: its own, and what every deletion of the family can be told.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] that names the parameter.
    pub fn deletion_params<T: serde::de::DeserializeOwned, E: params::ExtraParams>(
        &self,
    ) -> Result<(T, params::Extras), Error> {
        params::deletion::<T, E>(&self.query)
    }

    /// The versions that the caller expects to find, after `If-Match`. A weak
    /// ETag, or one that is not ours, is no thing's version.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for what is no list of ETags.
    pub fn if_match(&self) -> Result<IfMatch, Error> {
        etag::if_match(&self.if_match)
    }

    /// That the caller expects no version: the operation changes several things.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when there is an `If-Match`.
    pub fn expects_no_version(&self) -> Result<(), Error> {
        if self.if_match.is_empty() {
            return Ok(());
        }
        Err(Error::invalid("If-Match", "is the version of one thing, and this operation changes several"))
    }
}

/// That a caller has a scope.
fn require(caller: &Caller, scope: Scope) -> Result<(), Error> {
    if caller.has(scope) { Ok(()) } else { Err(Error::MissingScope(scope)) }
}

impl<A: Access> FromRequest for Authorized<A> {
    type Error = Failure<A::Family>;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { authorize(&request).await.map_err(Failure::from) })
    }
}

async fn authorize<A: Access>(request: &HttpRequest) -> Result<Authorized<A>, Error> {
    let services = request.app_data::<web::Data<Services>>().ok_or(Error::Internal("the services are not set up"))?;
    let token = token(request)?;
    let header_account = header(request, "accountId")?;
    let query_account = params::first(request.query_string(), "accountId");
    let account = header_account.or(query_account.as_deref());
    let path_stream = request.match_info().get("streamId");
    let header_stream = header(request, "iid")?;
    let request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let credentials = Credentials {
        token,
        account,
        streams: path_stream.into_iter().chain(header_stream).collect(),
        request_id: &request_id,
    };
    let caller = services.identity.sign_in(&credentials).await?;
    if let Some(scope) = A::SCOPE {
        require(&caller, scope)?;
    }
    let mut wrong = Vec::new();
    for named in A::REQUIRED {
        let (field, there) = match named {
            Named::Account => ("accountId", account.is_some()),
            Named::Stream => ("iid", header_stream.is_some()),
        };
        if !there {
            wrong.push(FieldError { field: field.to_owned(), message: "the header is required".to_owned() });
        }
    }
    if header_account.zip(query_account.as_deref()).is_some_and(|(header, query)| header != query) {
        wrong.push(FieldError {
            field: "accountId".to_owned(),
            message: "the header and the query name two accounts".to_owned(),
        });
    }
    if header_stream.zip(path_stream).is_some_and(|(header, path)| header != path) {
        wrong.push(FieldError {
            field: "iid".to_owned(),
            message: "the header and the path name two streams".to_owned(),
        });
    }
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    idempotency::sent_by(&caller, request)?;
    // At once: what a span has is written anew each time.
    tracing::record_all!(
        tracing::Span::current(),
        account_id = caller.account_id.as_str(),
        client_id = caller.client_id.as_str(),
    );
    Ok(Authorized {
        stream: path_stream.and_then(StreamId::parse),
        query: request.query_string().to_owned(),
        prefers_async: request
            .headers()
            .get_all(PREFER)
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|preference| preference.trim().eq_ignore_ascii_case("respond-async")),
        if_match: request
            .headers()
            .get_all(IF_MATCH)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect(),
        caller,
        access: PhantomData,
    })
}

/// The token of either header: `auth` has it bare, `Authorization` after `Bearer`.
fn token(request: &HttpRequest) -> Result<&str, Error> {
    let auth = header(request, "auth")?;
    // Another scheme than Bearer is a proxy's business.
    let bearer = header(request, AUTHORIZATION.as_str())?
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
        .map(|(_, token)| token.trim());
    match (auth, bearer) {
        (Some(auth), Some(bearer)) if auth != bearer => {
            Err(Error::invalid("auth", "the headers auth and Authorization carry two different tokens"))
        }
        (Some(token), _) | (None, Some(token)) => Ok(token),
        (None, None) => Err(Error::InvalidToken),
    }
}

/// A header that says who calls. Given twice it must say the same: another
/// reader of the request may take the other.
pub(super) fn header<'a>(request: &'a HttpRequest, name: &str) -> Result<Option<&'a str>, Error> {
    let mut values = request.headers().get_all(name);
    let Some(first) = values.next() else { return Ok(None) };
    if values.any(|other| other != first) {
        return Err(Error::invalid(name, "the header is given twice, with two values"));
    }
    // What is not even ASCII is no id and no token, and so nobody's.
    first.to_str().map(|value| Some(value.trim())).map_err(|_| Error::InvalidCredentials)
}
