//! HTTPS downloads (ureq).

use std::io::Read;
use std::time::Duration;

/// A host that does not answer within this is not reachable: a closed network must fail at once, not after minutes.
const CONNECT: Duration = Duration::from_secs(5);
const RESPONSE: Duration = Duration::from_secs(30);

/// Why a download did not start.
pub(super) enum HubFailure {
    /// The host cannot be reached; asking it again in this run is useless.
    Unreachable(String),
    /// This address does not serve the file.
    Refused(String),
}

/// The host of an address: what is remembered as unreachable.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, r)| r);
    rest.split(['/', ':', '?']).next().unwrap_or(rest)
}

/// Starts a download. The reader fails by itself when the sender stalls.
pub(super) fn open(url: &str) -> Result<Box<dyn Read>, HubFailure> {
    let agent = ureq::Agent::config_builder()
        .https_only(true)
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(RESPONSE))
        .timeout_per_read(Some(RESPONSE))
        .build()
        .new_agent();
    match agent.get(url).call() {
        Ok(response) => Ok(Box::new(response.into_body().into_reader())),
        Err(ureq::Error::StatusCode(code)) => Err(HubFailure::Refused(format!("answers HTTP {code}"))),
        Err(
            e @ (ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::ConnectProxyFailed(_)
            | ureq::Error::Timeout(_)
            | ureq::Error::Io(_)
            | ureq::Error::Tls(_)
            | ureq::Error::Rustls(_)),
        ) => Err(HubFailure::Unreachable(format!("cannot be reached ({e})"))),
        Err(e) => Err(HubFailure::Refused(e.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::{HubFailure, host, open};

    #[test]
    fn the_host_is_what_stands_between_scheme_and_path() {
        assert_eq!(host("https://hub.example/a/b?c"), "hub.example");
        assert_eq!(host("https://hub.example:8443/a"), "hub.example");
    }

    #[test]
    fn a_host_that_does_not_exist_is_unreachable_at_once() {
        // `.invalid` never resolves (RFC 2606), with or without a network.
        assert!(matches!(open("https://hub.invalid/f"), Err(HubFailure::Unreachable(_) | HubFailure::Refused(_))));
    }
}
