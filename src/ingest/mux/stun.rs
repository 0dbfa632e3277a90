//! The one STUN message that says which call a stranger's packets belong to: a binding request with its user name.
//!
//! Floor 2, but pure. Source: RFC 8489 §5 (header), §14.3 (`USERNAME`), §14.5 (`MESSAGE-INTEGRITY`), RFC 8445 §7.1 (the user name is `OURS:THEIRS`).

use ring::hmac;

const HEADER_BYTES: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const TAG_BYTES: usize = 20;

/// A binding request, before anybody believes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BindingRequest<'a> {
    /// Our user name fragment, as the sender writes it.
    pub(super) ours: &'a str,
    message: &'a [u8],
    /// Where `MESSAGE-INTEGRITY` begins.
    integrity_at: usize,
}

/// Reads a binding request; `None` for anything else, and for one without user name or integrity, which nobody answers.
pub(super) fn binding_request(datagram: &[u8]) -> Option<BindingRequest<'_>> {
    if datagram.get(..2)? != BINDING_REQUEST || datagram.get(4..8)? != COOKIE {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([datagram[2], datagram[3]]));
    let message = datagram.get(..HEADER_BYTES + length)?;
    let (mut at, mut user) = (HEADER_BYTES, None);
    while let Some(head) = message.get(at..at + 4) {
        let (kind, size) =
            (u16::from_be_bytes([head[0], head[1]]), usize::from(u16::from_be_bytes([head[2], head[3]])));
        let value = message.get(at + 4..at + 4 + size)?;
        match kind {
            USERNAME => user = Some(std::str::from_utf8(value).ok()?),
            // What follows the integrity is not covered by it and is not read.
            MESSAGE_INTEGRITY if size == TAG_BYTES => {
                let ours = user?.split(':').next().filter(|u| !u.is_empty())?;
                return Some(BindingRequest { ours, message, integrity_at: at });
            }
            _ => {}
        }
        at += 4 + size.next_multiple_of(4);
    }
    None
}

impl BindingRequest<'_> {
    /// Whether its sender knows our password.
    pub(super) fn knows(&self, pwd: &str) -> bool {
        let end = self.integrity_at + 4 + TAG_BYTES;
        let Some(tag) = self.message.get(self.integrity_at + 4..end) else { return false };
        // Covered as if the message ended with this attribute.
        let Ok(length) = u16::try_from(end - HEADER_BYTES) else { return false };
        let mut covered = self.message[..self.integrity_at].to_vec();
        covered[2..4].copy_from_slice(&length.to_be_bytes());
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, pwd.as_bytes()), &covered, tag).is_ok()
    }
}

/// A binding request, for tests.
#[cfg(test)]
pub(super) fn request(user: &str, pwd: &str) -> Vec<u8> {
    let mut message = [&BINDING_REQUEST[..], &[0, 0], &COOKIE, &[7; 12]].concat();
    message.extend_from_slice(&USERNAME.to_be_bytes());
    message.extend_from_slice(&u16::try_from(user.len()).unwrap().to_be_bytes());
    message.extend_from_slice(user.as_bytes());
    message.resize(message.len().next_multiple_of(4), 0);
    let length = u16::try_from(message.len() - HEADER_BYTES + 4 + TAG_BYTES).unwrap();
    message[2..4].copy_from_slice(&length.to_be_bytes());
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, pwd.as_bytes()), &message);
    message.extend_from_slice(&MESSAGE_INTEGRITY.to_be_bytes());
    message.extend_from_slice(&20_u16.to_be_bytes());
    message.extend_from_slice(tag.as_ref());
    message
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{binding_request, request};

    /// RFC 5769 §2.1: software, priority, controlled, user name, integrity, fingerprint.
    const RFC_5769: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36\
        000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";

    fn bytes(hex: &str) -> Vec<u8> {
        let hex: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
        hex.chunks(2).map(|p| u8::from_str_radix(&p.iter().collect::<String>(), 16).unwrap()).collect()
    }

    #[test]
    fn the_vector_of_the_rfc_is_read_and_believed_with_its_password_only() {
        let message = bytes(RFC_5769);
        let read = binding_request(&message).unwrap();
        assert_eq!(read.ours, "evtj");
        assert!(read.knows("VOkJxbRl1RmTxUk/WvJxBt") && !read.knows("VOkJxbRl1RmTxUk/WvJxBT"));
    }

    #[test]
    fn what_is_no_binding_request_with_name_and_integrity_is_none() {
        let good = request("ours:theirs", "a-password-of-22-chars");
        assert!(binding_request(&good).unwrap().knows("a-password-of-22-chars"));
        for cut in 0..good.len() {
            assert_eq!(binding_request(&good[..cut]), None, "{cut} bytes");
        }
        let mut response = good.clone();
        response[0] = 1;
        assert_eq!(binding_request(&response), None);
        assert_eq!(binding_request(&request(":theirs", "p")), None);
        assert_eq!(binding_request(&[22, 254, 253, 0, 0, 0, 0, 0]), None, "DTLS");
    }

    proptest! {
        #[test]
        fn damaged_requests_neither_panic_nor_pass(at in 0_usize..200, to in any::<u8>(), tail in proptest::collection::vec(any::<u8>(), 0..64)) {
            let good = request("ours:theirs", "a-password-of-22-chars");
            let mut bad = good.clone();
            let at = at % bad.len();
            let changed = bad[at] != to;
            bad[at] = to;
            let believed = binding_request(&bad).is_some_and(|r| r.knows("a-password-of-22-chars"));
            prop_assert!(believed != changed, "byte {at}");
            bad.extend(&tail);
            let _ = binding_request(&bad);
            let _ = binding_request(&tail);
        }
    }
}
