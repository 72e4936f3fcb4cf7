//! The one door: what is served at which path, and what stands in front of all of it.
//!
//! Every request is asked for its host. Behind that, everything but the page itself is asked for token or login, counted,
//! and has its whole body read within size and time before anybody sees it. Parts of the gateway give their routes and know
//! nothing of this.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State, WebSocketUpgrade},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::post,
};
use jsonrpsee_server::Methods;
use moorline_taxonomy::Request as Fault;

use super::{
    auth::{Admission, SUBPROTOCOL, stranger},
    limits::{self, Limits},
    protocol::{MAX_REQUEST, Protocol},
    refusal::Refusal,
    server::Peer,
    socket,
};
use crate::events::Events;

/// What every request needs.
pub(crate) struct Door {
    pub(crate) admission: Admission,
    pub(crate) limits: Limits,
    pub(crate) protocol: Protocol,
    pub(crate) events: Events,
}

/// The whole router. `guarded` is behind the token; `open` is for everybody and must hold no data.
pub(crate) fn router(
    admission: Admission,
    limits: Limits,
    methods: impl Into<Methods>,
    events: Events,
    guarded: Router,
    open: Router,
) -> Router {
    let protocol = Protocol::new(methods);
    let door = Arc::new(Door { admission, limits, protocol, events });
    let guarded = Router::new()
        .route("/", post(call))
        .route("/rpc", post(call).get(upgrade))
        .with_state(Arc::clone(&door))
        .merge(guarded)
        .route_layer(from_fn(whole_body))
        .route_layer(from_fn_with_state(Arc::clone(&door), caller));
    let open = Router::new()
        .route("/login", post(login))
        .with_state(Arc::clone(&door))
        .merge(open)
        .route_layer(from_fn(whole_body));
    Router::new()
        .merge(guarded)
        .merge(open)
        .fallback(nothing_there)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(door, host))
}

/// `/` is the page to a browser that looks at it, and the protocol to one that opens a WebSocket: before routing, so that
/// the page's routes need not know.
pub(crate) fn to_protocol(request: &mut Request) {
    if request.uri().path() == "/" && request.headers().contains_key(header::UPGRADE) {
        *request.uri_mut() = Uri::from_static("/rpc");
    }
}

async fn host(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    match door.admission.host(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn caller(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    match admitted(&door, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn admitted(door: &Door, request: &Request) -> Result<(), Refusal> {
    if door.admission.caller(request.headers())? {
        return door.limits.call().map_err(limits::too_many);
    }
    Err(refused_attempt(door, request.extensions().get()))
}

fn refused_attempt(door: &Door, peer: Option<&Peer>) -> Refusal {
    let counted = peer.map_or(Ok(()), |peer| door.limits.attempt(peer.address.ip()));
    counted.err().map_or_else(stranger, limits::too_many)
}

async fn whole_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match limits::whole(&parts.headers, body).await {
        Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn call(State(door): State<Arc<Door>>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    let json = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let json = json.and_then(|value| value.split(';').next()).map(str::trim);
    if !json.is_some_and(|json| json.eq_ignore_ascii_case("application/json")) {
        let why = "the body of a call is JSON: Content-Type: application/json";
        return Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Fault::Format, why).into_response();
    }
    match door.protocol.answer(body).await {
        Some(answer) => ([(header::CONTENT_TYPE, "application/json")], answer).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

async fn upgrade(
    State(door): State<Arc<Door>>,
    axum::Extension(peer): axum::Extension<Peer>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    match upgrade {
        Ok(upgrade) => upgrade
            .protocols([SUBPROTOCOL])
            .max_message_size(MAX_REQUEST)
            .max_frame_size(MAX_REQUEST)
            .on_upgrade(move |socket| socket::talk(socket, door, peer)),
        Err(rejection) => {
            let why = format!("this path is for WebSocket upgrades and POST: {}", rejection.body_text());
            Refusal::new(rejection.status(), Fault::Format, &why).into_response()
        }
    }
}

/// Takes the token once and gives a login for it.
async fn login(State(door): State<Arc<Door>>, request: Request) -> Response {
    match door.admission.login(request.headers()) {
        Ok(Some(login)) => {
            ([(header::CACHE_CONTROL, "no-store")], axum::Json(serde_json::json!({"login": login})))
                .into_response()
        }
        Ok(None) => refused_attempt(&door, request.extensions().get()).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn nothing_there() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, Fault::Format, "nothing is served at this path; JSON-RPC is at /")
}

async fn wrong_method() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Fault::Format, "this path does not take this HTTP method")
}
