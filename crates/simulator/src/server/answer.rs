//! Answers, in the shapes that Atlassian's several layers have for them.

use serde_json::{Value, json};

/// An answer before it goes out.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// What the body says it is.
    pub(crate) content_type: &'static str,
    /// Further headers.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// Whether credentials were good, or not needed.
    pub(crate) authorised: bool,
}

/// JSON, as the servers call it.
const JSON: &str = "application/json";

/// A page that a browser would show.
const PAGE: &str = "<!DOCTYPE html><html><head><title>Log in with Atlassian account</title></head><body></body></html>";

impl Answer {
    /// 200 with JSON that is already written.
    pub(crate) const fn written(body: Vec<u8>) -> Self {
        Self {
            status: 200,
            content_type: JSON,
            headers: Vec::new(),
            body,
            authorised: true,
        }
    }

    /// A status with JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            ..Self::written(body.to_string().into_bytes())
        }
    }

    /// A status with an HTML page.
    pub(crate) fn html(status: u16) -> Self {
        Self {
            status,
            content_type: "text/html;charset=UTF-8",
            ..Self::written(PAGE.into())
        }
    }

    /// 200 with plain text, under a type of one's choice.
    pub(crate) fn plain(claims_json: bool) -> Self {
        let content_type = if claims_json {
            JSON
        } else {
            "text/plain;charset=UTF-8"
        };
        Self {
            content_type,
            ..Self::written(b"upstream request timeout".to_vec())
        }
    }

    /// What the proxy before the admin interface, and the gateway, say.
    pub(crate) fn proxy(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "code": status, "message": message }))
    }

    /// What the admin interface says of a request that it refuses.
    pub(crate) fn admin(status: u16, code: &str, title: &str) -> Self {
        let error = json!({
            "id": "3f0a6c2e-0000-4000-8000-000000000000",
            "status": status.to_string(),
            "code": code,
            "title": title,
            "detail": title,
        });
        Self::json(status, &json!({ "errors": [error] }))
    }

    /// What the admin interface says where something is not permitted.
    pub(crate) fn not_permitted(path: &str, at: &str) -> Self {
        let body = json!({
            "timestamp": at,
            "status": 403,
            "error": "Forbidden",
            "message": "You're not allowed to perform this request.",
            "path": path,
            "requestId": "3f0a6c2e00004000",
        });
        Self {
            authorised: false,
            ..Self::json(403, &body)
        }
    }

    /// What Confluence says of a request that it refuses.
    pub(crate) fn site(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "message": message, "statusCode": status }))
    }

    /// The same answer, to somebody who did not show who they are or may not do this.
    pub(crate) fn unauthorised(self) -> Self {
        Self {
            authorised: false,
            ..self
        }
    }

    /// The same answer with another header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
