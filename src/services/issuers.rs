//! The issuers of platform tokens, and their keys. One cache for the whole
//! process: threads share what was fetched, and no connection.

use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::tokens::keys::{KeySet, Verdict};
use super::tokens::{Rejected, platform};

/// How old keys may be before they are fetched again, beside the request that sees them.
const FRESH: time::Duration = time::Duration::minutes(10);

/// How old keys may be while their issuer is away.
const USABLE: time::Duration = time::Duration::hours(24);

/// How far apart the fetches of one issuer begin, at the least.
const APART: Duration = Duration::from_secs(1);

/// How long a fetch may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The longest JWK set that is read, in bytes.
const MAX_LENGTH: usize = 256 * 1024;

/// An issuer, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// What its tokens say in `iss`.
    pub name: String,
    /// Where its keys are.
    pub jwks: Uri,
    /// What its tokens must say in `aud`, if anything.
    pub audience: Option<String>,
}

impl Issuer {
    /// Reads `iss=…;jwks=…;aud=…`, in any order; `aud` may be left out.
    ///
    /// # Errors
    ///
    /// A sentence that names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut name, mut jwks, mut audience) = (None, None, None);
        for part in text.split(';') {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("{part:?} is not of the form name=value"))?;
            let place = match key.trim() {
                "iss" => &mut name,
                "jwks" => &mut jwks,
                "aud" => &mut audience,
                other => return Err(format!("{other:?} is unknown; the parts are iss, jwks and aud")),
            };
            if value.trim().is_empty() {
                return Err(format!("{} is empty", key.trim()));
            }
            if place.replace(value.trim().to_owned()).is_some() {
                return Err(format!("{} is given twice", key.trim()));
            }
        }
        Ok(Self {
            name: name.ok_or("iss is missing: what the tokens of the issuer say in that claim")?,
            jwks: keys_url(&jwks.ok_or("jwks is missing: the address of the issuer's keys")?)?,
            audience,
        })
    }
}

fn keys_url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| format!("jwks is not a URL: {error}"))?;
    match url.scheme_str() {
        Some("https") => Ok(url),
        Some("http") if is_on_this_machine(&url) => Ok(url),
        _ => Err("jwks must be an https:// URL; http:// is for this machine only".to_owned()),
    }
}

fn is_on_this_machine(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Why the issuers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// Two of them have one name.
    #[error("the issuer {0} is configured twice")]
    Twice(String),
    /// The machine has no certificates to tell issuers by.
    #[error("the machine's root certificates cannot be read: {0}")]
    Roots(std::io::Error),
}

/// Every issuer that is configured.
pub struct Issuers(Vec<Arc<Source>>);

impl Issuers {
    /// The issuers, whose keys are fetched when they are first needed.
    ///
    /// # Errors
    ///
    /// [`IssuerError`] when two have one name or the machine has no root certificates.
    pub fn new(issuers: &[Issuer]) -> Result<Self, IssuerError> {
        let mut sources: Vec<Arc<Source>> = Vec::new();
        if issuers.is_empty() {
            return Ok(Self(sources));
        }
        let fetcher = fetcher()?;
        for issuer in issuers {
            if sources.iter().any(|source| source.issuer.name == issuer.name) {
                return Err(IssuerError::Twice(issuer.name.clone()));
            }
            sources.push(Arc::new(Source::new(issuer, fetcher.clone())));
        }
        Ok(Self(sources))
    }

    /// Verifies that a token is meant for us and one of its issuer's. A key that
    /// is not known is looked for once: the request waits for a fetch that began
    /// after it came.
    ///
    /// # Errors
    ///
    /// When it is not, when nobody is configured under the issuer's name, and
    /// when the issuer does not answer and no key of it is known.
    pub async fn verify(&self, token: &platform::Unverified<'_>, now: OffsetDateTime) -> Result<(), Rejected> {
        let came = Instant::now();
        let source = self.0.iter().find(|source| source.issuer.name == token.issuer).ok_or(Rejected("issuer"))?;
        if let Some(audience) = &source.issuer.audience {
            token.check_audience(audience)?;
        }
        let mut verdict = source.judge(token, now);
        if verdict == Verdict::UnknownKey {
            source.fetch_begun_after(came, now).await;
            verdict = source.judge(token, now);
        }
        match verdict {
            Verdict::Good => Ok(()),
            Verdict::Forged | Verdict::UnknownKey => Err(Rejected("signature")),
        }
    }
}

/// Where an issuer's keys come from, and those that came.
struct Source {
    issuer: Issuer,
    fetcher: Fetcher,
    keys: RwLock<Option<Arc<Keys>>>,
    /// Who holds this may fetch; the others wait for what comes of it.
    fetches: Arc<Mutex<Fetches>>,
}

struct Keys {
    set: KeySet,
    fetched_at: OffsetDateTime,
}

/// The fetches so far. A fetch is broken off with the request that waits for it,
/// so one that began need not have come to an end.
#[derive(Default)]
struct Fetches {
    last_began: Option<Instant>,
    /// When the last one began that came to an end.
    last_ended_began: Option<Instant>,
    issuer_is_away: bool,
}

impl Source {
    fn new(issuer: &Issuer, fetcher: Fetcher) -> Self {
        Self { issuer: issuer.clone(), fetcher, keys: RwLock::default(), fetches: Arc::default() }
    }

    fn judge(self: &Arc<Self>, token: &platform::Unverified<'_>, now: OffsetDateTime) -> Verdict {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(keys) = keys.filter(|keys| now - keys.fetched_at <= USABLE) else { return Verdict::UnknownKey };
        if now - keys.fetched_at > FRESH {
            self.fetch_in_background(now);
        }
        keys.set.judge(&token.signature)
    }

    fn fetch_in_background(self: &Arc<Self>, now: OffsetDateTime) {
        // Who holds the lock is fetching already.
        let Ok(mut fetches) = self.fetches.clone().try_lock_owned() else { return };
        if fetches.last_began.is_none_or(|began| began.elapsed() >= APART) {
            let source = self.clone();
            tokio::spawn(async move { source.fetch(&mut fetches, now).await });
        }
    }

    async fn fetch_begun_after(&self, came: Instant, now: OffsetDateTime) {
        let mut fetches = self.fetches.lock().await;
        if fetches.last_ended_began.is_some_and(|began| began > came) {
            return;
        }
        if let Some(began) = fetches.last_began {
            tokio::time::sleep_until(began + APART).await;
        }
        self.fetch(&mut fetches, now).await;
    }

    async fn fetch(&self, fetches: &mut Fetches, now: OffsetDateTime) {
        let began = Instant::now();
        fetches.last_began = Some(began);
        let downloaded = tokio::time::timeout(TIMEOUT, self.download()).await;
        match downloaded.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok(set) => {
                if std::mem::take(&mut fetches.issuer_is_away) {
                    tracing::info!(issuer = self.issuer.name, "the issuer's keys can be fetched again");
                }
                let keys = Arc::new(Keys { set, fetched_at: now });
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
            }
            Err(cause) => {
                if !std::mem::replace(&mut fetches.issuer_is_away, true) {
                    tracing::warn!(issuer = self.issuer.name, cause, "the issuer's keys cannot be fetched");
                }
            }
        }
        fetches.last_ended_began = Some(began);
    }

    async fn download(&self) -> Result<KeySet, String> {
        let answer = self.fetcher.get(self.issuer.jwks.clone()).await.map_err(|error| causes(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("the answer is {}", answer.status()));
        }
        let document = Limited::new(answer.into_body(), MAX_LENGTH).collect().await.map_err(|error| causes(&*error))?;
        KeySet::parse(&document.to_bytes())
    }
}

/// What fetches. It follows no redirect.
type Fetcher = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

fn fetcher() -> Result<Fetcher, IssuerError> {
    let connector = HttpsConnectorBuilder::new().with_native_roots().map_err(IssuerError::Roots)?;
    let connector = connector.https_or_http().enable_http1().build();
    // A connection ends with the thread that opened it, and is not kept for another.
    Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector))
}

/// What went wrong, down to its root.
fn causes(error: &dyn Error) -> String {
    let chain = std::iter::successors(Some(error), |error: &&dyn Error| (*error).source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_read_from_its_parts() {
        let issuer =
            Issuer::parse("iss=https://id.example/;jwks=https://id.example/keys?v=1; aud=expunge").expect("read");
        assert_eq!((issuer.name.as_str(), issuer.audience.as_deref()), ("https://id.example/", Some("expunge")));
        assert_eq!(issuer.jwks, "https://id.example/keys?v=1");
        for local in ["http://127.0.0.1:9/keys", "http://[::1]/keys", "http://localhost/keys"] {
            assert!(
                Issuer::parse(&format!("jwks={local};iss=x")).is_ok_and(|issuer| issuer.audience.is_none()),
                "{local}"
            );
        }
    }

    #[test]
    fn the_part_of_an_issuer_that_is_wrong_is_named() {
        for (text, said) in [
            ("", "name=value"),
            ("https://id.example", "name=value"),
            ("iss=x", "jwks is missing"),
            ("jwks=https://id.example/keys", "iss is missing"),
            ("iss=x;jwks=https://", "jwks is not a URL"),
            ("iss=x;jwks=keys", "jwks must be an https:// URL"),
            ("iss=x;jwks=http://id.example/keys", "jwks must be an https:// URL"),
            ("iss=x;jwks=ftp://id.example/keys", "jwks must be an https:// URL"),
            ("iss=;jwks=https://id.example/keys", "iss is empty"),
            ("iss=x;jwks=https://id.example/keys;aud=", "aud is empty"),
            ("iss=x;iss=y;jwks=https://id.example/keys", "iss is given twice"),
            ("iss=x;jwks=https://id.example/keys;audience=y", "\"audience\" is unknown"),
        ] {
            let error = Issuer::parse(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
        let issuer = Issuer::parse("iss=x;jwks=https://id.example/keys").expect("an issuer");
        assert!(matches!(Issuers::new(&[issuer.clone(), issuer]), Err(IssuerError::Twice(_))));
    }
}
