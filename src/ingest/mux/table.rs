//! Whose a packet is, where all calls share one port.
//!
//! Floor 2, but pure: time is an argument. In: the address a packet came from, and its bytes. Out: a call, or why it is nobody's. A call is found by the
//! user name of a STUN binding request whose sender proves to know the password; the address it came from is the call's from then on. An address that
//! one call proved stays that call's until it has not been proved for [`HOLD`]: nobody takes it over by naming himself from there.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::stun::binding_request;
use crate::base::MediaTime;
use crate::ingest::offer::IceCredentials;

/// One call.
pub(super) type Key = u64;

/// Addresses of one call, at most; the one proved longest ago goes.
pub(super) const MOST_ADDRESSES: usize = 16;
/// ICE sessions of one call whose names are known: the one that runs, and the one before it until the client has moved on.
const MOST_NAMES: usize = 2;
/// How long an address stays a call's without being proved again. Clients prove theirs every few seconds (RFC 7675: 30 s at most).
pub(super) const HOLD: Duration = Duration::from_secs(30);

/// Where a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// To this call.
    To(Key),
    /// Nobody's.
    Lost(Lost),
}

/// Why a packet is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// A user name that no call has.
    UnknownName,
    /// The sender does not know the password.
    Forged,
    /// Something other than a binding request, from an address that is no call's.
    Stranger,
}

impl Lost {
    /// For metrics.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::UnknownName => "unknown_name",
            Self::Forged => "forged",
            Self::Stranger => "stranger",
        }
    }
}

#[derive(Debug, Default)]
struct Call {
    names: Vec<IceCredentials>,
    addresses: Vec<SocketAddr>,
}

#[derive(Debug)]
struct Bound {
    key: Key,
    proved: MediaTime,
}

/// Names and addresses of all calls. Bounded: [`MOST_ADDRESSES`] a call, and calls are admitted elsewhere.
#[derive(Debug, Default)]
pub(super) struct Table {
    calls: HashMap<Key, Call>,
    names: HashMap<String, Key>,
    addresses: HashMap<SocketAddr, Bound>,
}

impl Table {
    /// Makes an ICE session of a call known. `false`: another call has this name, which chance does not do.
    pub(super) fn name(&mut self, key: Key, own: IceCredentials) -> bool {
        if self.names.get(&own.ufrag).is_some_and(|k| *k != key) {
            return false;
        }
        self.names.insert(own.ufrag.clone(), key);
        let call = self.calls.entry(key).or_default();
        call.names.retain(|n| n.ufrag != own.ufrag);
        call.names.push(own);
        if call.names.len() > MOST_NAMES {
            let oldest = call.names.remove(0);
            self.names.remove(&oldest.ufrag);
        }
        true
    }

    /// Forgets a call.
    pub(super) fn forget(&mut self, key: Key) {
        let Some(call) = self.calls.remove(&key) else { return };
        for name in call.names {
            self.names.remove(&name.ufrag);
        }
        for address in call.addresses {
            self.addresses.remove(&address);
        }
    }

    /// Whose this packet is.
    pub(super) fn route(&mut self, from: SocketAddr, datagram: &[u8], now: MediaTime) -> Route {
        let Some(named) = self.named(datagram) else {
            return self.addresses.get(&from).map_or(Route::Lost(Lost::Stranger), |b| Route::To(b.key));
        };
        if let Route::To(key) = named {
            self.prove(from, key, now);
        }
        named
    }

    /// Which call a packet names, and proves to be of; `None` if it is no binding request. The first frame of a TCP connection must be one: a
    /// connection is its call's as long as it lasts, and its address is nobody's.
    pub(super) fn named(&self, packet: &[u8]) -> Option<Route> {
        let request = binding_request(packet)?;
        let Some(&key) = self.names.get(request.ours) else { return Some(Route::Lost(Lost::UnknownName)) };
        let names = self.calls.get(&key).map(|c| c.names.as_slice()).unwrap_or_default();
        let known = names.iter().any(|n| n.ufrag == request.ours && request.knows(&n.pwd));
        Some(if known { Route::To(key) } else { Route::Lost(Lost::Forged) })
    }

    /// `key` was proved from `from`: the address is its own, unless it is another's who proved it lately.
    fn prove(&mut self, from: SocketAddr, key: Key, now: MediaTime) {
        if let Some(bound) = self.addresses.get_mut(&from) {
            if bound.key == key {
                bound.proved = now;
                return;
            }
            if now.since(bound.proved) < HOLD {
                return;
            }
            let before = bound.key;
            if let Some(call) = self.calls.get_mut(&before) {
                call.addresses.retain(|a| *a != from);
            }
        }
        self.addresses.insert(from, Bound { key, proved: now });
        let call = self.calls.entry(key).or_default();
        call.addresses.push(from);
        if call.addresses.len() > MOST_ADDRESSES {
            let proved = |a: &SocketAddr| self.addresses.get(a).map_or(MediaTime::ZERO, |b| b.proved);
            let oldest = (0..call.addresses.len() - 1).min_by_key(|&i| proved(&call.addresses[i]));
            if let Some(index) = oldest {
                let gone = call.addresses.remove(index);
                self.addresses.remove(&gone);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::SocketAddr;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Key, Lost, MOST_ADDRESSES, Route, Table};
    use crate::base::MediaTime;
    use crate::ingest::mux::stun::request;
    use crate::ingest::offer::IceCredentials;

    const MEDIA: [u8; 12] = [0x80; 12];

    fn address(n: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], 1_000 + n))
    }

    fn own(key: Key) -> IceCredentials {
        IceCredentials { ufrag: format!("name{key}"), pwd: format!("password-{key}-of-22-chars") }
    }

    fn check(key: Key) -> Vec<u8> {
        request(&format!("name{key}:theirs"), &own(key).pwd)
    }

    fn at(seconds: u64) -> MediaTime {
        MediaTime::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_call_is_found_by_name_and_then_by_address() {
        let mut table = Table::default();
        assert!(table.name(1, own(1)) && table.name(2, own(2)));
        assert!(!table.name(2, own(1)), "a name is one call's");
        assert_eq!(table.route(address(1), &MEDIA, at(0)), Route::Lost(Lost::Stranger));
        assert_eq!(table.route(address(1), &check(9), at(0)), Route::Lost(Lost::UnknownName));
        assert_eq!(table.route(address(1), &request("name1:x", "wrong"), at(0)), Route::Lost(Lost::Forged));
        assert_eq!(table.route(address(1), &MEDIA, at(0)), Route::Lost(Lost::Stranger), "neither proved anything");
        assert_eq!(table.route(address(1), &check(1), at(0)), Route::To(1));
        assert_eq!(table.route(address(1), &MEDIA, at(1)), Route::To(1));
        table.forget(1);
        assert_eq!(table.route(address(1), &MEDIA, at(1)), Route::Lost(Lost::Stranger));
        assert_eq!(table.route(address(1), &check(1), at(1)), Route::Lost(Lost::UnknownName));
    }

    #[test]
    fn an_address_changes_hands_only_after_it_was_not_proved_for_long() {
        let mut table = Table::default();
        assert!(table.name(1, own(1)) && table.name(2, own(2)));
        table.route(address(1), &check(1), at(0));
        assert_eq!(table.route(address(1), &check(2), at(29)), Route::To(2), "what names a call is that call's");
        assert_eq!(table.route(address(1), &MEDIA, at(29)), Route::To(1));
        table.route(address(1), &check(2), at(30));
        assert_eq!(table.route(address(1), &MEDIA, at(30)), Route::To(2));
        table.forget(1);
        assert_eq!(table.route(address(1), &MEDIA, at(31)), Route::To(2), "it was not the first call's any more");
    }

    #[test]
    fn after_a_restart_both_names_lead_there_and_a_third_drops_the_first() {
        let mut table = Table::default();
        let second = IceCredentials { ufrag: "second".into(), ..own(1) };
        assert!(table.name(1, own(1)) && table.name(1, second.clone()));
        assert_eq!(table.route(address(1), &check(1), at(0)), Route::To(1));
        assert_eq!(table.route(address(2), &request("second:x", &second.pwd), at(0)), Route::To(1));
        assert!(table.name(1, IceCredentials { ufrag: "third".into(), ..own(1) }));
        assert_eq!(table.route(address(1), &check(1), at(0)), Route::Lost(Lost::UnknownName));
    }

    proptest! {
        /// Whatever is sent from wherever: packets of an address reach only a call that proved it, and a call
        /// has a bounded number of addresses.
        #[test]
        fn no_call_gets_anothers_packets(
            steps in proptest::collection::vec((0_u8..5, 1_u64..4, 0_u16..24, 0_u64..20), 1..120),
        ) {
            let mut table = Table::default();
            let mut proofs: HashMap<(SocketAddr, Key), MediaTime> = HashMap::new();
            let mut now = MediaTime::ZERO;
            for (what, key, from, pause) in steps {
                now = now + Duration::from_secs(pause);
                let from = address(from);
                match what {
                    0 => prop_assert!(table.name(key, own(key))),
                    1 => {
                        table.forget(key);
                        proofs.retain(|(_, k), _| *k != key);
                    }
                    2 => {
                        let forged = request(&format!("name{key}:x"), "not-the-password-at-all");
                        prop_assert!(matches!(table.route(from, &forged, now), Route::Lost(_)));
                    }
                    3 => if let Route::To(k) = table.route(from, &check(key), now) {
                        prop_assert_eq!(k, key);
                        proofs.insert((from, key), now);
                    },
                    _ => if let Route::To(k) = table.route(from, &MEDIA, now) {
                        prop_assert!(proofs.contains_key(&(from, k)), "call {} never proved {}", k, from);
                    },
                }
                prop_assert!(table.calls.values().all(|c| c.addresses.len() <= MOST_ADDRESSES));
                let listed: usize = table.calls.values().map(|c| c.addresses.len()).sum();
                prop_assert_eq!(listed, table.addresses.len());
            }
        }

        /// As long as a call goes on proving an address, nobody else's naming takes it.
        #[test]
        fn an_address_that_is_kept_proved_is_never_taken(pauses in proptest::collection::vec(0_u64..29, 1..40)) {
            let mut table = Table::default();
            table.name(1, own(1));
            table.name(2, own(2));
            let mut now = MediaTime::ZERO;
            for pause in pauses {
                table.route(address(1), &check(1), now);
                now = now + Duration::from_secs(pause);
                table.route(address(1), &check(2), now);
                prop_assert_eq!(table.route(address(1), &MEDIA, now), Route::To(1));
            }
        }
    }
}
