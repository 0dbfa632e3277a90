//! STUN and TURN servers that clients are told of, with credentials that expire.
//!
//! Floor 2, but pure: time and chance are arguments. The server itself uses none of them. Source of the credentials: draft-uberti-behave-turn-rest-00,
//! which coturn implements as `use-auth-secret`: the user name is `EXPIRY:NAME`, the password base64(HMAC-SHA1(secret, user name)). Source of the
//! addresses: RFC 7064 (`stun:`), RFC 7065 (`turn:`).

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// The secret that this server and the TURN server share. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnSecret(String);

impl TurnSecret {
    /// From its text; `None` when there is none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        Some(Self(text.trim().to_owned())).filter(|s| !s.0.is_empty())
    }
}

impl fmt::Debug for TurnSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What clients are told.
#[derive(Debug, Clone, Default)]
pub struct IceServers {
    /// `stun:` and `turn:` addresses, checked by [`check_url`].
    pub urls: Vec<String>,
    /// What TURN credentials are made with.
    pub secret: Option<TurnSecret>,
    /// How long credentials are valid.
    pub lasts: Duration,
}

/// Servers that share credentials, as `RTCPeerConnection` takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServer {
    /// Their addresses.
    pub urls: Vec<String>,
    /// User name and password, for TURN.
    pub credentials: Option<(String, String)>,
}

impl IceServers {
    /// The servers, with credentials for `name` that are valid from `unix_s` (Unix time in seconds) on.
    #[must_use]
    pub fn issue(&self, name: &str, unix_s: i64) -> Vec<IceServer> {
        let (relays, plain): (Vec<_>, Vec<_>) = self.urls.iter().cloned().partition(|u| is_relay(u));
        let credentials = self.secret.as_ref().map(|secret| credentials(secret, name, self.expires(unix_s)));
        [(plain, None), (relays, credentials)]
            .into_iter()
            .filter(|(urls, _)| !urls.is_empty())
            .map(|(urls, credentials)| IceServer { urls, credentials })
            .collect()
    }

    /// Until when credentials made at `unix_s` are valid.
    #[must_use]
    pub fn expires(&self, unix_s: i64) -> i64 {
        unix_s.saturating_add(i64::try_from(self.lasts.as_secs()).unwrap_or(i64::MAX))
    }
}

fn credentials(secret: &TurnSecret, name: &str, expires: i64) -> (String, String) {
    let user = format!("{expires}:{name}");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.0.as_bytes());
    let password = STANDARD.encode(hmac::sign(&key, user.as_bytes()).as_ref());
    (user, password)
}

/// The server relays, and so wants credentials.
#[must_use]
pub fn is_relay(url: &str) -> bool {
    url.starts_with("turn:") || url.starts_with("turns:")
}

/// Whether `url` is an address that clients can be told: `None`, or what is wrong with it.
#[must_use]
pub fn check_url(url: &str) -> Option<String> {
    let wrong = |why: &str| {
        Some(format!(
            "\"{url}\": {why}; such as \"stun:stun.example.net:3478\" or \"turn:turn.example.net?transport=tcp\""
        ))
    };
    let Some((scheme, rest)) = url.split_once(':') else { return wrong("not an address") };
    let (place, query) = rest.split_once('?').map_or((rest, None), |(p, q)| (p, Some(q)));
    match (scheme, query) {
        ("stun" | "stuns" | "turn" | "turns", None) | ("turn" | "turns", Some("transport=udp" | "transport=tcp")) => {}
        ("stun" | "stuns" | "turn" | "turns", _) => {
            return wrong("only `?transport=udp` or `=tcp` may follow, after a turn address");
        }
        _ => return wrong("it begins with none of stun:, stuns:, turn:, turns:"),
    }
    // A header carries it between angle brackets: nothing may end it early.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if place.is_empty() || place.starts_with('/') || !place.chars().all(plain) || place.len() > 255 {
        return wrong("host, or host:port, is expected after the scheme");
    }
    let port = place.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']')).map(|(_, p)| p);
    match port.map(str::parse::<u16>) {
        None | Some(Ok(1..)) => None,
        Some(_) => wrong("the port is not a number from 1 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{IceServer, IceServers, TurnSecret, check_url, credentials};

    /// RFC 2202, test case 2, holds the HMAC to what it must be; the user name is ours to choose nothing of, so it stands beside it.
    #[test]
    fn the_password_is_the_hmac_sha1_of_the_user_name() {
        use base64::Engine;
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"Jefe");
        let tag = ring::hmac::sign(&key, b"what do ya want for nothing?");
        let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        let (user, password) = credentials(&TurnSecret::new("north\n").unwrap(), "page", 1_433_895_918);
        assert_eq!(user, "1433895918:page");
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"north");
        let given = base64::engine::general_purpose::STANDARD.decode(password).unwrap();
        ring::hmac::verify(&key, user.as_bytes(), &given).unwrap();
    }

    #[test]
    fn stun_servers_have_no_credentials_and_turn_servers_share_theirs() {
        let urls = ["stun:a.example", "turn:b.example", "turns:b.example:443?transport=tcp"].map(String::from).to_vec();
        let servers = IceServers { urls, secret: TurnSecret::new("s3cret"), lasts: Duration::from_secs(60) };
        let issued = servers.issue("x", 1_000);
        assert_eq!(issued[0], IceServer { urls: vec!["stun:a.example".into()], credentials: None });
        assert_eq!(issued[1].urls.len(), 2);
        assert_eq!(issued[1].credentials.as_ref().unwrap().0, "1060:x");
        assert_ne!(servers.issue("y", 1_000)[1].credentials, issued[1].credentials);
        assert!(IceServers::default().issue("x", 0).is_empty());
        assert!(!format!("{servers:?}").contains("s3cret"));
        assert_eq!(TurnSecret::new(" \n"), None);
    }

    #[test]
    fn addresses_are_checked_and_the_message_shows_good_ones() {
        for good in [
            "stun:stun.example.net",
            "stun:192.0.2.1:3478",
            "turn:[2001:db8::1]:3478",
            "turns:t.example?transport=tcp",
            "turn:[2001:db8::1]",
        ] {
            assert_eq!(check_url(good), None, "{good}");
        }
        for bad in [
            "",
            "stun.example.net",
            "http://x",
            "stun://x",
            "stun:",
            "stun:x?transport=udp",
            "turn:x?transport=sctp",
            "turn:x y",
            "turn:x>;",
            "turn:x:0",
            "turn:x:99999",
        ] {
            assert!(check_url(bad).is_some_and(|why| why.contains("stun:stun.example.net:3478")), "{bad}");
        }
    }
}
