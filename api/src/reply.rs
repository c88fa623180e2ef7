//! Answers in the making: the few shapes that all services share. What only blobs tell is in
//! `blob/headers.rs`.

use crate::body::Body;
use crate::header::answer;
use http::header::IntoHeaderName;
use http::{HeaderValue, Response, StatusCode};

/// An answer without a body. Its status is the row's.
pub(crate) fn empty() -> Response<Body> {
    Response::new(Body::empty())
}

/// An answer without a body and with this status, which is not the row's.
pub(crate) fn status(status: StatusCode) -> Response<Body> {
    let mut response = empty();
    *response.status_mut() = status;
    response
}

/// An answer with a document as its body. Its status is the row's.
pub(crate) fn document(content_type: &'static str, document: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::full(document));
    response.headers_mut().insert(answer::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer with an XML document.
pub(crate) fn xml(text: String) -> Response<Body> {
    document("application/xml", text)
}

/// Sets a header. A value that no header can hold is left out: none of ours is such.
pub(crate) fn set(response: &mut Response<Body>, name: impl IntoHeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The whole body of an answer whose bytes are at hand, as all of ours but a blob's are.
pub(crate) fn bytes_at_hand(body: Body) -> bytes::Bytes {
    let collected = futures_util::FutureExt::now_or_never(http_body_util::BodyExt::collect(body));
    collected.and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The body of an answer, as text.
    pub(crate) fn text(response: Response<Body>) -> String {
        String::from_utf8(bytes_at_hand(response.into_body()).to_vec()).unwrap()
    }

    /// The value of an answer's header; empty if it has none.
    pub(crate) fn value<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn a_document_has_its_type_and_a_plain_answer_nothing() {
        let response = xml("<a/>".into());
        assert_eq!(value(&response, "content-type"), "application/xml");
        assert_eq!(text(response), "<a/>");
        assert_eq!(status(StatusCode::NO_CONTENT).status(), 204);
        let mut response = empty();
        set(&mut response, answer::LOCATION, "a\nb");
        assert!(response.headers().is_empty() && text(response).is_empty());
    }
}
