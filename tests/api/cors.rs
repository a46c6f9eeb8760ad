//! What a browser lets a page do.

use reqwest::Method;

use crate::support::TestApp;
use crate::support::app::PAGE;

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_call_and_read_what_it_needs() {
    let app = TestApp::start().await;
    let id = app.contacts(9_000_000_000, 1).await.remove(0);
    let path = app.account.contact_path(&id);
    let asked = app
        .anonymous(Method::OPTIONS, &path)
        .header("Origin", PAGE)
        .header("Access-Control-Request-Method", "DELETE")
        .header(
            "Access-Control-Request-Headers",
            "auth,accountid,iid,content-type,idempotency-key,if-match,prefer,authorization",
        )
        .send()
        .await;
    assert_eq!(asked.status, 200, "{asked:?}");
    assert_eq!(asked.header("Access-Control-Allow-Origin"), Some(PAGE));
    let methods = asked.header("Access-Control-Allow-Methods").unwrap_or_default();
    assert!(["GET", "POST", "PUT", "PATCH", "DELETE"].iter().all(|method| methods.contains(method)), "{methods}");

    let deleted = app.request(Method::DELETE, &path).header("Origin", PAGE).send().await;
    deleted.expect(200);
    assert_eq!(deleted.header("Access-Control-Allow-Origin"), Some(PAGE));
    let exposed = deleted.header("Access-Control-Expose-Headers").unwrap_or_default().to_lowercase();
    for header in ["deletion-id", "location", "etag", "request-id", "retry-after", "ratelimit", "idempotency-replayed"]
    {
        assert!(exposed.contains(header), "{header} is not among {exposed}");
    }
    let refused = app.request(Method::DELETE, &path).header("Origin", PAGE).send().await;
    refused.expect(404);
    assert_eq!(refused.header("Access-Control-Allow-Origin"), Some(PAGE), "a page may read why it was refused");
}

#[tokio::test]
async fn a_page_of_another_origin_may_not() {
    let app = TestApp::start().await;
    let path = app.account.contacts_path();
    for origin in ["https://evil.example", "https://ui.example.evil.example", "http://ui.example", "null"] {
        let asked = app
            .anonymous(Method::OPTIONS, &path)
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "GET")
            .send()
            .await;
        let got = app.request(Method::GET, &path).header("Origin", origin).send().await;
        for answer in [asked, got] {
            assert_eq!(answer.header("Access-Control-Allow-Origin"), None, "{origin}: {answer:?}");
        }
    }
}
