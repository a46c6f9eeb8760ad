//! The probes.

use actix_web::{HttpResponse, get, web};
use serde_json::json;

use crate::services::Services;

/// Whether the process lives
///
/// Answers 200 as long as the process can answer at all; it does not ask the database.
#[utoipa::path(
    tag = "health",
    operation_id = "get_livez",
    security(()),
    responses((status = 200, description = "It lives.", body = serde_json::Value, example = json!({"status": "ok"})))
)]
#[get("/livez")]
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Whether the service can serve
///
/// Answers 200 when the database answers and has the schema that this version needs, and 503 otherwise, also from
/// the moment on in which the service begins to stop.
#[utoipa::path(
    tag = "health",
    operation_id = "get_readyz",
    security(()),
    responses(
        (status = 200, description = "It can serve.", body = serde_json::Value, example = json!({"status": "ready"})),
        (status = 503, description = "It cannot.", body = serde_json::Value, example = json!({"status": "not ready"})),
    )
)]
#[get("/readyz")]
pub async fn readyz(services: web::Data<Services>) -> HttpResponse {
    readiness(&services).await
}

/// `/livez` for those who ask with HEAD.
pub async fn head_livez() -> HttpResponse {
    HttpResponse::Ok().finish()
}

/// `/readyz` for those who ask with HEAD.
pub async fn head_readyz(services: web::Data<Services>) -> HttpResponse {
    HttpResponse::build(readiness(&services).await.status()).finish()
}

async fn readiness(services: &Services) -> HttpResponse {
    match services.health.is_ready().await {
        Ok(true) => HttpResponse::Ok().json(json!({ "status": "ready" })),
        Ok(false) => HttpResponse::ServiceUnavailable().json(json!({ "status": "not ready" })),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            HttpResponse::ServiceUnavailable().json(json!({ "status": "not ready" }))
        }
    }
}
