//! Where operations are put: into the application that serves them, or on the list of what there is. Whoever serves
//! them needs no description of them, and descriptions are large.

use actix_web::dev::HttpServiceFactory;
use actix_web::web;
use utoipa::openapi::path::HttpMethod;
use utoipa_actix_web::OpenApiFactory;

/// What takes operations at their paths.
pub trait Routes: Sized {
    /// Takes an operation.
    fn service<O: Operation>(&mut self, operation: O) -> &mut Self;

    /// Takes what `configure` puts there, each at its path after `prefix`.
    fn scope(&mut self, prefix: &str, configure: impl FnOnce(&mut Self)) -> &mut Self;

    /// Takes what `configure` puts there.
    fn configure(&mut self, configure: impl FnOnce(&mut Self)) -> &mut Self {
        configure(self);
        self
    }
}

/// A handler with its path, its method and its description.
pub trait Operation: HttpServiceFactory + OpenApiFactory + utoipa::Path + 'static {}

impl<O: HttpServiceFactory + OpenApiFactory + utoipa::Path + 'static> Operation for O {}

impl Routes for web::ServiceConfig {
    fn service<O: Operation>(&mut self, operation: O) -> &mut Self {
        self.service(operation)
    }

    fn scope(&mut self, prefix: &str, configure: impl FnOnce(&mut Self)) -> &mut Self {
        self.service(web::scope(prefix).configure(configure))
    }
}

/// The list of operations, in the order in which they are put there.
#[derive(Default)]
pub struct Listed {
    /// What there is.
    pub operations: Vec<ListedOperation>,
    prefix: String,
}

/// An operation on the list.
pub struct ListedOperation {
    /// Its path.
    pub path: String,
    /// Its methods.
    pub methods: Vec<HttpMethod>,
    /// What says what it is; only asked when that is wanted.
    pub description: Box<dyn OpenApiFactory>,
}

impl Routes for Listed {
    fn service<O: Operation>(&mut self, operation: O) -> &mut Self {
        self.operations.push(ListedOperation {
            path: format!("{}{}", self.prefix, O::path()),
            methods: O::methods(),
            description: Box::new(operation),
        });
        self
    }

    fn scope(&mut self, prefix: &str, configure: impl FnOnce(&mut Self)) -> &mut Self {
        let outer = self.prefix.len();
        self.prefix.push_str(prefix);
        configure(self);
        self.prefix.truncate(outer);
        self
    }
}
