//! From HTTP to a [`Request`] and back, and the bounds on what a stranger may hold open.

use std::{future::poll_fn, pin::Pin, time::Duration};

use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::{Request as HttpRequest, State},
    http::{HeaderMap, HeaderValue, Method as Verb, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response as HttpResponse},
    routing::get,
};
use tokio::time::timeout;
use wardline_org::{
    Refusal, RelayCode, Request, Response,
    transport::{CONTENT_TYPE, ERROR_CONTENT_TYPE},
};
use wardline_proto::Bytes;

use super::ServerOptions;
use crate::{auth::FROM_ANYBODY, connect, method::Method, relay::Relay};

#[derive(Clone)]
struct Shared {
    relay: Relay,
    read_timeout: Duration,
}

pub(super) fn router(relay: Relay, options: &ServerOptions) -> Router {
    let shared = Shared {
        relay,
        read_timeout: options.read_timeout,
    };
    let mut router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready));
    if options.metrics {
        router = router.route("/metrics", get(metrics));
    }
    router.fallback(call).with_state(shared)
}

async fn call(State(shared): State<Shared>, request: HttpRequest) -> HttpResponse {
    let (head, mut body) = request.into_parts();
    let answer = carry(&shared, &head, &mut body).await;
    if !body.is_end_stream() {
        // The answer goes out at once; a caller that is still sending reads it afterwards.
        tokio::spawn(timeout(shared.read_timeout, drain(body)));
    }
    answer
}

async fn carry(shared: &Shared, head: &Parts, body: &mut Body) -> HttpResponse {
    let path = head.uri.path();
    let Some(method) = Method::of_path(path) else {
        return answer(connect::not_found());
    };
    if head.method != Verb::POST {
        let mut refused = StatusCode::METHOD_NOT_ALLOWED.into_response();
        let allow = HeaderValue::from_static("POST");
        refused.headers_mut().insert(header::ALLOW, allow);
        return refused;
    }
    let Some(headers) = texts(&head.headers) else {
        return answer(Refusal::new(RelayCode::Malformed).to_response());
    };
    let mut request = Request {
        path: path.to_owned(),
        headers,
        body: Bytes::new(),
    };
    match read(shared, method, &request, body).await {
        Ok(body) => request.body = body,
        Err(refused) => return answer(refused),
    }
    answer(shared.relay.handle(request).await)
}

/// Takes a call's body: a small one from anybody, a large one from whom the relay knows.
async fn read(
    shared: &Shared,
    method: Method,
    head: &Request,
    body: &mut Body,
) -> Result<Bytes, Response> {
    let limit = shared.relay.body_limit(method);
    let too_large = || {
        Refusal::new(RelayCode::TooLarge)
            .with_limit(limit as u64)
            .to_response()
    };
    let (least, most) = (body.size_hint().lower(), body.size_hint().upper());
    if least > limit as u64 {
        return Err(too_large());
    }
    if most.is_none_or(|most| most > FROM_ANYBODY as u64) && !method.is_open() {
        shared.relay.recognize(method, head)?;
    }
    match timeout(shared.read_timeout, collect(body, limit)).await {
        Ok(Some(bytes)) => Ok(bytes),
        // Cut off by the limit, or by the caller, who will not read the answer.
        Ok(None) => Err(too_large()),
        Err(_) => Err(connect::deadline_exceeded()),
    }
}

/// The whole body; `None` when it is longer than `limit`, or breaks off.
async fn collect(body: &mut Body, limit: usize) -> Option<Bytes> {
    let announced = usize::try_from(body.size_hint().lower()).ok()?;
    let mut bytes = Vec::with_capacity(announced.min(limit));
    while let Some(data) = next(body).await {
        let data = data.ok()?;
        if bytes.len() + data.len() > limit {
            return None;
        }
        bytes.extend_from_slice(&data);
    }
    Some(bytes.into())
}

/// Takes the rest of a body and forgets it: a caller that is cut off while it sends sees a broken
/// connection instead of the answer, and tries again.
async fn drain(mut body: Body) {
    let mut taken = 0;
    while let Some(Ok(data)) = next(&mut body).await {
        taken += data.len();
        if taken > MOST_DRAINED {
            return;
        }
    }
}

/// The next piece of a body.
async fn next(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
    Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

/// Headers as text; `None` when a value is not ASCII. HTTP allows other bytes, nothing here does.
fn texts(headers: &HeaderMap) -> Option<Vec<(String, String)>> {
    headers
        .iter()
        .map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect()
}

fn answer(response: Response) -> HttpResponse {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let is_empty = response.body.is_empty();
    let mut http = HttpResponse::new(Body::from(response.body));
    *http.status_mut() = status;
    let headers = http.headers_mut();
    if status == StatusCode::OK {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    } else if !is_empty {
        let json = HeaderValue::from_static(ERROR_CONTENT_TYPE);
        headers.insert(header::CONTENT_TYPE, json);
    }
    if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        headers.insert("accept-post", HeaderValue::from_static(CONTENT_TYPE));
    }
    if status == StatusCode::NOT_IMPLEMENTED {
        let identity = HeaderValue::from_static("identity");
        headers.insert(header::ACCEPT_ENCODING, identity);
    }
    http
}

async fn ready(State(shared): State<Shared>) -> HttpResponse {
    match shared.relay.ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
        }
    }
}

async fn metrics(State(shared): State<Shared>) -> HttpResponse {
    let kind = [(header::CONTENT_TYPE, OPEN_METRICS)];
    (kind, shared.relay.metrics()).into_response()
}

/// Bytes of a refused body that are taken so that its sender reads the answer.
const MOST_DRAINED: usize = 32 * 1024 * 1024;
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
