//! Names of things that live longer than one message.

use std::fmt;
use std::net::IpAddr;

/// One conversation. On the wire it is written `sess_` plus 20 letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(String);

impl SessionId {
    /// Wraps an id made by the session registry or given by a client.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose a session is, as far as can be told: by the name of the key and by the network address. Whoever leaves and comes back is the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ClientId {
    holder: String,
    address: Option<IpAddr>,
}

impl ClientId {
    /// The holder of a key, empty where nobody needs one, at an address. Of IPv6 the first 64 bits count: the others are the client's own to choose (RFC 8981).
    #[must_use]
    pub fn new(holder: &str, address: Option<IpAddr>) -> Self {
        let network = |address: IpAddr| match address.to_canonical() {
            IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & !u128::from(u64::MAX)).into()),
            ip => ip,
        };
        Self { holder: holder.to_owned(), address: address.map(network) }
    }
}

/// The running number of a decoded frame within its session, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FrameId(pub u64);

#[cfg(test)]
mod tests {
    use super::ClientId;

    #[test]
    fn a_client_is_a_key_at_an_address_and_of_ipv6_at_a_network() {
        let at = |holder, address: &str| ClientId::new(holder, Some(address.parse().unwrap()));
        assert_eq!(at("a", "2001:db8::1"), at("a", "2001:db8::ffff:1"));
        assert_eq!(at("a", "192.0.2.7"), at("a", "::ffff:192.0.2.7"), "a socket that takes both tells IPv4 as IPv6");
        assert_ne!(at("a", "2001:db8:0:1::1"), at("a", "2001:db8::1"));
        assert_ne!(at("a", "192.0.2.7"), at("b", "192.0.2.7"));
        assert_ne!(at("a", "192.0.2.7"), at("a", "192.0.2.8"));
    }
}
