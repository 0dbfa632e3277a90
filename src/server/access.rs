//! Who may come in, and with which grant: API keys as bearer token or WebSocket subprotocol, client secrets, or everybody where no
//! keys are configured.
//!
//! Browsers send a page's origin with every request that a page could abuse, and let any page open a WebSocket anywhere. Where a key is
//! needed, a page that has none can do nothing. Where none is needed, only pages of this server are let in, and on loopback only under
//! loopback's names, since a foreign name can be made to point here (DNS rebinding).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::connections::Peer;
use super::parts::clip;
use super::secrets::PREFIX;
use super::{HttpError, ServerConfig, ServerState};
use crate::base::ErrorClass;
use crate::session::{Grant, Restrictions};

/// The keys that open the door, and what each is good for.
#[derive(Clone, Default)]
pub struct KeyRing(Vec<(String, Arc<Grant>)>);

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(_, grant)| grant.holder())).finish()
    }
}

impl KeyRing {
    /// Adds a key. `name` is for messages; whoever holds one key may join the calls of the others of that name.
    pub fn add(&mut self, name: &str, key: String, restrictions: &Restrictions) {
        self.0.push((key, Arc::new(Grant::of_key(name, restrictions))));
    }

    fn find(&self, presented: &str) -> Option<Arc<Grant>> {
        // All are compared, whichever fits.
        self.0
            .iter()
            .fold(None, |found, (key, grant)| if same(key, presented) { Some(Arc::clone(grant)) } else { found })
    }
}

/// What is known of whoever asks, besides the grant.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// The settings of the token that the request came with.
    pub(super) session: Option<String>,
    /// Where it came from. Loopback may be a proxy before us.
    pub(super) address: Option<IpAddr>,
}

/// Refuses requests that may not come in, before anything is read or allocated for them; what the others may do goes with them.
pub(super) async fn check(State(state): State<ServerState>, mut request: Request, next: Next) -> Response {
    match admitted(&state, &request) {
        Ok((grant, session)) => {
            let address = request.extensions().get::<Peer>().map(|peer| peer.0);
            request.extensions_mut().insert(grant);
            request.extensions_mut().insert(Visitor { session, address });
            next.run(request).await
        }
        Err(refusal) => refusal,
    }
}

fn admitted(state: &ServerState, request: &Request) -> Result<(Arc<Grant>, Option<String>), Response> {
    let headers = request.headers();
    let presented = presented(headers);
    let (grant, session) = if let Some(token) = presented.filter(|p| p.starts_with(PREFIX)) {
        let pass = state.secrets.pass(token, state.clock.now()).ok_or_else(|| {
            unauthorized(
                "the client secret is unknown or has expired: have a new one made by POST /v1/realtime/client_secrets",
            )
        })?;
        if ["/client_secrets", "/realtime/sessions"].iter().any(|end| request.uri().path().ends_with(end)) {
            return Err(unauthorized("a client secret makes no client secrets: ask for one with a key of the server"));
        }
        (pass.grant, pass.session)
    } else if state.config.keys.0.is_empty() {
        let page = Page::of(headers, request.uri());
        page.may_come_without_key(&state.config).map_err(|why| forbidden("origin_not_allowed", &why))?;
        (Arc::default(), None)
    } else {
        let grant = presented.and_then(|p| state.config.keys.find(p)).ok_or_else(|| {
            unauthorized("a valid key is needed: send `Authorization: Bearer KEY`, or the WebSocket subprotocol `openai-insecure-api-key.KEY`")
        })?;
        (grant, None)
    };
    match text(headers, header::ORIGIN).filter(|origin| !grant.allows_origin(origin)) {
        Some(origin) => {
            Err(forbidden("origin_not_allowed", &format!("this key is not for pages of `{}`", clip(origin))))
        }
        None => Ok((grant, session)),
    }
}

fn unauthorized(why: &str) -> Response {
    let mut response = HttpError::new(ErrorClass::Invalid, "invalid_api_key", why).into_response();
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}

fn forbidden(code: &'static str, why: &str) -> Response {
    HttpError::new(ErrorClass::Forbidden, code, why).into_response()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(|v| v.to_str().unwrap_or("?"))
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    bearer.map(str::trim).or_else(|| {
        let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
        offered.split(',').find_map(|p| p.trim().strip_prefix("openai-insecure-api-key."))
    })
}

/// Compares without telling by its time how much was right.
fn same(key: &str, presented: &str) -> bool {
    let (a, b) = (key.as_bytes(), presented.as_bytes());
    a.len() == b.len() && a.iter().zip(b).fold(0u8, |acc, (x, y)| acc | (x ^ y)) == 0
}

/// From where a request says that it comes, and to whom it believes to speak.
#[derive(Debug, Clone, Copy)]
struct Page<'r> {
    origin: Option<&'r str>,
    host: Option<&'r str>,
}

impl<'r> Page<'r> {
    fn of(headers: &'r HeaderMap, uri: &'r Uri) -> Self {
        let host = uri.authority().map(axum::http::uri::Authority::as_str).or_else(|| text(headers, header::HOST));
        Self { origin: text(headers, header::ORIGIN), host }
    }

    fn may_come_without_key(self, config: &ServerConfig) -> Result<(), String> {
        let listed = |is: &dyn Fn(&str) -> bool| config.allowed_origins.iter().any(|o| is(o));
        let host = self.host.unwrap_or_default();
        if config.loopback_only && self.host.is_some() && !is_loopback(host) && !listed(&|o| host_of(o) == host) {
            return Err(format!(
                "this server is for this machine and was called `{}`: add `https://{0}` to server.allowed_origins if that name is meant to reach it",
                clip(host)
            ));
        }
        let Some(origin) = self.origin else { return Ok(()) };
        let from = host_of(origin);
        let ours = from.eq_ignore_ascii_case(host) || (is_loopback(from) && is_loopback(host));
        if !from.is_empty() && (ours || listed(&|o| o.eq_ignore_ascii_case(origin))) {
            return Ok(());
        }
        Err(format!(
            "pages of `{}` may not use this server: add it to server.allowed_origins, or have the server ask for keys (server.api_keys)",
            clip(origin)
        ))
    }
}

/// What stands behind `://`; empty for the origin `null` of pages that have none.
fn host_of(origin: &str) -> &str {
    origin.split_once("://").map_or("", |(_, host)| host)
}

/// `localhost`, a name below it, or an address of loopback; with or without a port.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_key_is_found_in_either_place_and_compared_whole() {
        let mut h = HeaderMap::new();
        assert_eq!(presented(&h), None);
        h.insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static("realtime, openai-insecure-api-key.abc, openai-agents-sdk.1"),
        );
        assert_eq!(presented(&h), Some("abc"));
        h.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer xyz"));
        assert_eq!(presented(&h), Some("xyz"));
        assert!(same("xyz", "xyz") && !same("xyz", "xy") && !same("xyz", "xyw"));
        let mut ring = KeyRing::default();
        ring.add("kiosk", "xyz".into(), &Restrictions::default());
        assert_eq!(ring.find("xyz").unwrap().holder(), "kiosk");
        assert!(ring.find("xyw").is_none());
        assert!(!format!("{ring:?}").contains("xyz"), "a key is never printed");
    }

    #[test]
    fn without_keys_foreign_pages_and_foreign_names_stay_outside() {
        let mut config = ServerConfig { loopback_only: true, ..ServerConfig::default() };
        let may = |config: &ServerConfig, origin: Option<&str>, host: Option<&str>| {
            Page { origin, host }.may_come_without_key(config).is_ok()
        };
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "cam.localhost"] {
            assert!(may(&config, None, Some(host)), "{host}: a program");
            assert!(may(&config, Some(&format!("http://{host}")), Some(host)), "{host}: its own page");
            assert!(may(&config, Some("http://localhost:5173"), Some(host)), "{host}: a page of a developer's server");
            for foreign in ["https://evil.example", "null", "http://localhost.evil.example", "", "file://"] {
                assert!(!may(&config, Some(foreign), Some(host)), "{host}: {foreign}");
            }
        }
        assert!(!may(&config, Some("http://evil.example:8080"), Some("evil.example:8080")), "rebound name");
        assert!(!may(&config, None, Some("evil.example")));
        assert!(may(&config, None, None), "HTTP/1.0 has no Host");
        config.allowed_origins = vec!["https://cam.example".into()];
        assert!(may(&config, Some("https://cam.example"), Some("cam.example")), "a proxy on this machine");
        assert!(may(&config, Some("https://cam.example"), Some("localhost:8080")));

        let open = ServerConfig::default();
        assert!(may(&open, Some("https://cam.example"), Some("cam.example")) && may(&open, None, Some("10.0.0.7:80")));
        assert!(!may(&open, Some("https://evil.example"), Some("10.0.0.7:80")));
        assert!(!may(&open, Some("http://localhost"), Some("10.0.0.7")), "loopback is not ours there");
    }
}
