//! The OpenAPI document: generated from the handlers, served, and shown as a page.

use std::sync::OnceLock;

use actix_web::body::MessageBody;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, get, web};
use utoipa::ToSchema;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, Operation, ParameterBuilder, ParameterIn, PathItem, PathsBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr, ServerBuilder};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::campaigns::CampaignsError;
use super::configure;
use super::contacts::ContactsError;
use super::oauth::OauthError;
use super::record_lists::RecordListsError;
use super::routes::Listed;
use super::v1::Problem;
use super::{error, idempotency};
use crate::error::Error;

/// The paths and methods that there are, and the document that describes them.
pub struct Document {
    /// Put together when it is first asked for: it is large, and serving takes no more than the routes.
    text: OnceLock<web::Bytes>,
    routes: Vec<Route>,
}

/// A path of the document with its methods.
struct Route {
    path: String,
    methods: Vec<&'static str>,
}

/// Where the page and its assets are.
const PAGE: &str = "/docs/{_:.*}";

/// The part of a path that stands for all that follows, slashes too.
const ANYTHING: &str = "{_:.*}";

impl Route {
    /// Whether the path is this one, as the router would say. The router's own patterns are fast and take some 40 KB
    /// each, and this is only asked where there is no operation.
    fn is_match(&self, path: &str) -> bool {
        let mut parts = path.split('/');
        for own in self.path.split('/') {
            match parts.next() {
                Some(_) if own == ANYTHING => return true,
                Some(part) if part == own || own.starts_with('{') && !part.is_empty() => {}
                _ => return false,
            }
        }
        parts.next().is_none()
    }

    /// How many parts of the path stand for anything: of two paths that match, the one with fewer is meant.
    fn variables(&self) -> usize {
        self.path.matches('{').count()
    }
}

impl Document {
    /// Gathers the routes of all operations.
    pub fn gather() -> Self {
        let mut routes: Vec<Route> = Vec::new();
        for operation in listed().operations {
            let methods = operation.methods.iter().map(name);
            match routes.iter_mut().find(|route| route.path == operation.path) {
                Some(route) => route.methods.extend(methods),
                None => routes.push(Route { path: operation.path, methods: methods.collect() }),
            }
        }
        // What shows the document is not in it.
        let shown = ["/openapi.json", "/docs", PAGE];
        routes.extend(shown.map(|path| Route { path: path.to_owned(), methods: vec!["GET"] }));
        Self { text: OnceLock::new(), routes }
    }

    /// The document as it is served and kept in `openapi/openapi.json`.
    ///
    /// # Panics
    ///
    /// When a handler's description cannot be written as JSON, which a test would have found.
    pub fn text(&self) -> &web::Bytes {
        self.text.get_or_init(|| {
            let text = document().to_pretty_json().expect("descriptions are plain JSON");
            web::Bytes::from(text + "\n")
        })
    }

    /// The methods that a path takes; none when there is nothing at the path.
    pub fn methods_at(&self, path: &str) -> Vec<String> {
        let found = self.routes.iter().filter(|route| route.is_match(path)).min_by_key(|route| route.variables());
        let mut methods: Vec<String> =
            found.into_iter().flat_map(|route| &route.methods).map(|method| (*method).to_owned()).collect();
        methods.sort();
        methods
    }

    /// The paths that another path with a variable in place of a word matches too, each with its methods: with another
    /// method, the other path's operation would take the word for an id.
    pub fn words(&self) -> impl Iterator<Item = (&str, &[&'static str])> {
        let is_a_word = |route: &&Route| {
            let shadows = |other: &Route| other.variables() > route.variables() && other.is_match(&route.path);
            self.routes.iter().any(shadows)
        };
        self.routes.iter().filter(is_a_word).map(|route| (route.path.as_str(), route.methods.as_slice()))
    }
}

/// The document itself, at `/openapi.json`.
#[get("/openapi.json")]
pub async fn serve_document(document: web::Data<Document>) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(document.text().clone())
}

/// The way to the page for those who leave out its slash.
#[get("/docs")]
pub async fn redirect_to_page() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header(("Location", "/docs/")).finish()
}

/// The page to read and try the document at, at `/docs/`. Its assets are inside the binary.
pub fn page() -> SwaggerUi {
    let config = Config::from("/openapi.json")
        .validator_url("none")
        .deep_linking(true)
        .display_request_duration(true)
        .try_it_out_enabled(true)
        .persist_authorization(true)
        .default_models_expand_depth(0)
        .filter(true);
    SwaggerUi::new(PAGE).config(config)
}

fn listed() -> Listed {
    let mut listed = Listed::default();
    configure(&mut listed);
    listed
}

fn document() -> OpenApi {
    let mut document = frame();
    let mut schemas = Vec::new();
    for operation in listed().operations {
        operation.description.schemas(&mut schemas);
        let items = operation.description.paths().paths.into_values();
        let paths = items.fold(PathsBuilder::new(), |paths, item| paths.path(&operation.path, item));
        document.paths.merge(paths.build());
    }
    document.components.get_or_insert_default().schemas.extend(schemas);
    for (path, item) in &mut document.paths.paths {
        // The second base path has the operations of the first, and an operation's id must be unique.
        if path.starts_with("/campaign/api/v2/") {
            for operation in operations_mut(item).into_iter().flatten() {
                operation.operation_id = operation.operation_id.take().map(|id| id + "_v2");
            }
        }
        if path != idempotency::WITHOUT {
            let [_, changes @ ..] = operations_mut(item);
            changes.into_iter().flatten().for_each(|operation| describe_idempotency(path, operation));
        }
    }
    document
}

/// What every operation that changes something takes and answers beside its own.
fn describe_idempotency(path: &str, operation: &mut Operation) {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "A name for this request, of the client's choice: sent again under it, the request is not done again, and the \
             answer is the first one.",
        ))
        .schema(Some(text().min_length(Some(1)).max_length(Some(255))))
        .example(Some("6d3e1c5e-9a53-4f2b-8a63-0c9e0a4f7b11".into()))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(key));
    let replayed = HeaderBuilder::new()
        .schema(Some(text().enum_values(Some(["true"]))))
        .description(Some("`true` where the answer was given before, under the same `Idempotency-Key`."))
        .build();
    let responses = &mut operation.responses.responses;
    for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with('2')) {
        if let RefOr::T(response) = response {
            response.headers.insert("Idempotency-Replayed".to_owned(), RefOr::T(replayed.clone()));
        }
    }
    // Its family's envelope is that of an error which every operation has.
    let Some(RefOr::T(envelope)) = responses.get("401").cloned() else { return };
    let refusals = [
        (
            "409",
            Error::IdempotencyKeyInUse,
            "The request that was sent under the same `Idempotency-Key` is still under way.",
        ),
        ("422", Error::IdempotencyKeyReused, "Another request was sent under the same `Idempotency-Key`."),
    ];
    for (status, error, description) in refusals {
        if let Some(RefOr::T(response)) = responses.get_mut(status) {
            response.description = format!("{} Or: {description}", response.description);
            continue;
        }
        let mut response = envelope.clone();
        response.description = description.to_owned();
        let example = error::respond_at(path, &error).into_body().try_into_bytes().ok();
        let example = example.and_then(|body| serde_json::from_slice::<serde_json::Value>(&body).ok());
        for content in response.content.values_mut() {
            if let RefOr::T(content) = content {
                content.example.clone_from(&example);
            }
        }
        responses.insert(status.to_owned(), RefOr::T(response));
    }
}

fn frame() -> OpenApi {
    let token = "A client token: HS256, signed with the client's secret, with the claims `appId` (the client's id) and `exp` \
                 (at most an hour away, unless the client may use tokens that do not expire). Or a platform token: of \
                 `POST /oauth/token`, or of an issuer that the operator has configured.";
    let mut frame = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Expunge")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(include_str!("openapi.md")))
                .license(Some(
                    LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build(),
                ))
                .build(),
        )
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .tags(Some([
            TagBuilder::new()
                .name("identity")
                .description(Some("Tokens, and the keys they are verified with."))
                .build(),
            TagBuilder::new().name("contacts").description(Some("People an agent can call.")).build(),
            TagBuilder::new()
                .name("campaigns")
                .description(Some("Campaigns, and the contact lists they call."))
                .build(),
            TagBuilder::new().name("record lists").description(Some("What a dialer works through.")).build(),
            TagBuilder::new()
                .name("deletions")
                .description(Some("Deletions of every kind: asked for, watched, stopped, looked up and undone."))
                .build(),
            TagBuilder::new().name("health").description(Some("Probes for operators.")).build(),
        ]))
        .security(Some([
            SecurityRequirement::new("auth", [] as [&str; 0]),
            SecurityRequirement::new("bearer", [] as [&str; 0]),
        ]))
        .build();
    let components = frame.components.get_or_insert_default();
    // Only what a success answers is collected from the handlers.
    add_schema::<OauthError>(components);
    add_schema::<ContactsError>(components);
    add_schema::<CampaignsError>(components);
    add_schema::<RecordListsError>(components);
    add_schema::<Problem>(components);
    components.add_security_scheme(
        "auth",
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "auth",
            &format!("{token} Bare, without `Bearer`."),
        ))),
    );
    components.add_security_scheme(
        "bearer",
        SecurityScheme::Http(
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(token)).build(),
        ),
    );
    components.add_security_scheme(
        "client",
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Basic)
                .description(Some("The client's id and its secret. Only for `POST /oauth/token`."))
                .build(),
        ),
    );
    frame
}

fn add_schema<T: ToSchema>(components: &mut Components) {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    components.schemas.extend(schemas);
}

fn name(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "GET",
        HttpMethod::Post => "POST",
        HttpMethod::Put => "PUT",
        HttpMethod::Delete => "DELETE",
        HttpMethod::Options => "OPTIONS",
        HttpMethod::Head => "HEAD",
        HttpMethod::Patch => "PATCH",
        HttpMethod::Trace => "TRACE",
    }
}

fn operations_mut(item: &mut PathItem) -> [Option<&mut Operation>; 5] {
    [item.get.as_mut(), item.post.as_mut(), item.put.as_mut(), item.patch.as_mut(), item.delete.as_mut()]
}

#[cfg(test)]
mod tests {
    use actix_web::dev::ResourceDef;

    use super::*;

    #[test]
    fn a_route_is_where_the_router_finds_it() {
        let document = Document::gather();
        let known = document.routes.iter().map(|route| route.path.replace(['{', '}'], ""));
        let paths: Vec<String> = known
            .flat_map(|path| {
                [format!("{path}/"), format!("{path}/x"), path.replace("streamId", ""), format!("x{path}"), path]
            })
            .chain(["", "/", "//", "/docs", "/docs/", "/docs/a/b"].map(str::to_owned))
            .collect();
        for route in &document.routes {
            let router = ResourceDef::new(route.path.as_str());
            for path in &paths {
                assert_eq!(route.is_match(path), router.is_match(path), "{path} at {}", route.path);
            }
        }
    }
}
