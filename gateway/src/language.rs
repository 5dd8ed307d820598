//! The language of what a server says: chosen by the `accept-language` of each call, English if it says none.
//!
//! One place for every service and every stream. The services make statuses that have their texts in all languages
//! (`status`), and know nothing of who reads them; where a status leaves, in the headers of an answer that is nothing
//! else or in the trailers after a stream, it is turned into the language of the caller. What the transport says of its
//! own, for instance that a message is too large, has no text in another language and stays English.

use crate::messages::Lang;
use crate::status;
use http_body_util::BodyExt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tower_layer::Layer;

type Request = http::Request<Body>;
type Response = http::Response<Body>;

/// Puts [`Turned`] around the services.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InLanguage;

impl<S> Layer<S> for InLanguage {
    type Service = Turned<S>;

    fn layer(&self, inner: S) -> Turned<S> {
        Turned(inner)
    }
}

/// Services whose statuses leave in the language of the caller.
#[derive(Clone, Debug)]
pub(crate) struct Turned<S>(S);

impl<S> Service<Request> for Turned<S>
where
    S: Service<Request, Response = Response>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let lang = accepted(request.headers());
        let answer = self.0.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if lang == Lang::FIRST {
                return Ok(response);
            }
            turn(response.headers_mut(), lang);
            Ok(response.map(|body| {
                Body::new(body.map_frame(move |mut frame| {
                    if let Some(trailers) = frame.trailers_mut() {
                        turn(trailers, lang);
                    }
                    frame
                }))
            }))
        })
    }
}

/// The language that a call asks for; several fields count as one list (RFC 9110, section 5.3).
fn accepted(headers: &http::HeaderMap) -> Lang {
    let fields: Vec<&str> = headers.get_all("accept-language").iter().filter_map(|v| v.to_str().ok()).collect();
    Lang::accepted(&fields.join(","))
}

/// Turns the status among some headers, if there is one of ours.
fn turn(headers: &mut http::HeaderMap, lang: Lang) {
    let turned = Status::from_header_map(headers).and_then(|status| status::in_lang(&status, lang));
    if let Some(turned) = turned
        && let Err(kept) = turned.add_header(headers)
    {
        // The status stays as it was, in English: better than none.
        tracing::warn!("a status could not be turned: {kept}");
    }
}
