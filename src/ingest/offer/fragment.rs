//! `application/trickle-ice-sdpfrag`: what a client tells of its ICE session after the offer, and what it is told back.
//!
//! Floor 2, but pure. Source: RFC 8840 §9 (the format), RFC 9725 §4.3 (how WHIP uses it). Candidates are counted and passed over: the server dials none.

use super::{Attributes, OfferError, OfferLimits, malformed, split_line, unsupported, within};

/// One side's ICE credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// User name fragment, 4 to 256 characters.
    pub ufrag: String,
    /// Password, 22 to 256 characters.
    pub pwd: String,
}

/// A fragment that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fragment {
    /// The ICE session it speaks of, where it says.
    pub credentials: Option<IceCredentials>,
    /// Candidates in it.
    pub candidates: usize,
    /// No more will come.
    pub complete: bool,
}

/// Reads a fragment.
///
/// # Errors
/// [`OfferError`], naming the line; a fragment that says nothing about ICE is malformed.
pub fn fragment(text: &str, limits: &OfferLimits) -> Result<Fragment, OfferError> {
    within("bytes", text.len(), limits.max_bytes)?;
    within("lines", text.lines().count(), limits.max_lines)?;
    let mut found = Fragment::default();
    let (mut ufrag, mut pwd, mut sections) = (None, None, 0);
    for (index, line) in text.lines().enumerate().filter(|(_, l)| !l.is_empty()) {
        let number = index + 1;
        let (kind, value) = split_line(line, number, limits)?;
        if kind == 'm' {
            sections += 1;
            within("media sections", sections, limits.max_media)?;
        }
        if kind != 'a' {
            continue;
        }
        let (name, rest) = value.split_once(':').unwrap_or((value, ""));
        match name {
            "candidate" => {
                found.candidates += 1;
                within("ICE candidates", found.candidates, limits.max_candidates)?;
                candidate(rest, number)?;
            }
            "end-of-candidates" => found.complete = true,
            "ice-ufrag" => one(&mut ufrag, value, rest, number)?,
            "ice-pwd" => one(&mut pwd, value, rest, number)?,
            _ => {}
        }
    }
    found.credentials = match (ufrag, pwd) {
        (Some(ufrag), Some(pwd)) => Some(IceCredentials { ufrag, pwd }),
        (None, None) => None,
        _ => return Err(malformed(0, "`a=ice-ufrag` and `a=ice-pwd` come together")),
    };
    if found == Fragment::default() {
        return Err(malformed(0, "this fragment has neither candidates nor ICE credentials"));
    }
    Ok(found)
}

/// Takes a credential; all sections share one transport, so every section must say the same.
fn one(slot: &mut Option<String>, attribute: &str, value: &str, line: usize) -> Result<(), OfferError> {
    // The offer's own rule for what a credential may be.
    Attributes::default().read(attribute, line)?;
    match slot {
        Some(before) if before != value => Err(unsupported(
            line,
            "sections with ICE credentials of their own: everything must share one transport".into(),
        )),
        _ => {
            *slot = Some(value.to_owned());
            Ok(())
        }
    }
}

/// RFC 8839 §5.1: foundation, component, transport, priority, address, port, `typ` and a type.
fn candidate(value: &str, line: usize) -> Result<(), OfferError> {
    let words: Vec<_> = value.split_ascii_whitespace().take(8).collect();
    let shaped = words.len() == 8
        && words[1].parse::<u16>().is_ok()
        && words[3].parse::<u32>().is_ok()
        && words[5].parse::<u16>().is_ok()
        && words[6] == "typ";
    if shaped {
        return Ok(());
    }
    Err(malformed(line, "a candidate is foundation, component, transport, priority, address, port, `typ` and a type"))
}

/// The ICE credentials of a session description: the first of the session or its sections, which share one transport.
#[must_use]
pub fn ice_credentials(sdp: &str) -> Option<IceCredentials> {
    let first = |prefix: &str| sdp.lines().find_map(|l| l.strip_prefix(prefix)).map(|v| v.trim().to_owned());
    Some(IceCredentials { ufrag: first("a=ice-ufrag:")?, pwd: first("a=ice-pwd:")? })
}

/// What of an answer a client needs after an ICE restart: the bundle, and the first section's credentials and candidates.
#[must_use]
pub fn answer_fragment(answer: &str) -> String {
    let mut out = String::new();
    let mut sections = 0;
    let mut complete = false;
    for line in answer.lines() {
        sections += usize::from(line.starts_with("m="));
        let name = line.split(':').next().unwrap_or_default();
        let wanted = match sections {
            0 => matches!(name, "a=group" | "a=ice-options" | "a=ice-ufrag" | "a=ice-pwd"),
            1 => {
                line.starts_with("m=")
                    || matches!(name, "a=mid" | "a=ice-ufrag" | "a=ice-pwd" | "a=candidate" | "a=end-of-candidates")
            }
            _ => break,
        };
        complete |= wanted && name == "a=end-of-candidates";
        if wanted {
            out.push_str(line);
            out.push_str("\r\n");
        }
    }
    if !complete {
        out.push_str("a=end-of-candidates\r\n");
    }
    out
}

/// An offer with other credentials and the next version: what a client that restarts ICE would have offered.
#[must_use]
pub fn with_credentials(offer: &str, new: &IceCredentials) -> String {
    let mut out = String::with_capacity(offer.len() + 64);
    for line in offer.lines() {
        if line.starts_with("a=ice-ufrag:") {
            out.push_str(&format!("a=ice-ufrag:{}", new.ufrag));
        } else if line.starts_with("a=ice-pwd:") {
            out.push_str(&format!("a=ice-pwd:{}", new.pwd));
        } else if let Some(origin) = line.strip_prefix("o=") {
            out.push_str(&next_version(origin).map_or_else(|| line.to_owned(), |next| format!("o={next}")));
        } else {
            out.push_str(line);
        }
        out.push_str("\r\n");
    }
    out
}

/// RFC 8866 §5.2: user, session, version, then the address; a changed description has a greater version.
fn next_version(origin: &str) -> Option<String> {
    let mut words: Vec<String> = origin.split(' ').map(str::to_owned).collect();
    let version: u64 = words.get(2)?.parse().ok()?;
    words[2] = version.wrapping_add(1).to_string();
    Some(words.join(" "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Fragment, IceCredentials, answer_fragment, fragment, ice_credentials, with_credentials};
    use crate::base::ErrorClass;
    use crate::ingest::offer::OfferLimits;

    const TRICKLE: &str = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n\
        a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n\
        a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host generation 0 ufrag EsAw network-id 2\r\n\
        a=end-of-candidates\r\n";

    fn read(text: &str) -> Result<Fragment, ErrorClass> {
        fragment(text, &OfferLimits::default()).map_err(|e| e.class())
    }

    fn credentials() -> IceCredentials {
        IceCredentials { ufrag: "EsAw".into(), pwd: "P2uYro0UCOQ4zxjKXaWCBui1".into() }
    }

    /// The examples of RFC 9725, figures 4 and 5: candidates, and new credentials alone.
    #[test]
    fn the_fragments_of_the_rfc_are_read() {
        assert_eq!(read(TRICKLE), Ok(Fragment { credentials: Some(credentials()), candidates: 2, complete: true }));
        let restart = "a=ice-options:trickle ice2\na=group:BUNDLE 0 1\nm=audio 9 UDP/TLS/RTP/SAVPF 111\na=mid:0\n\
            a=ice-ufrag:EsAw\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\n";
        assert_eq!(read(restart), Ok(Fragment { credentials: Some(credentials()), candidates: 0, complete: false }));
        assert_eq!(read("a=end-of-candidates\r\n"), Ok(Fragment { complete: true, ..Fragment::default() }));
    }

    #[test]
    fn what_is_wrong_is_refused_by_its_kind() {
        for bad in [
            "",
            "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n",
            "a=ice-ufrag:EsAw\r\n",
            "a=ice-ufrag:E w\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n",
            "a=candidate:1 1 udp x 192.0.2.1 5 typ host\r\n",
            "candidate:1 1 udp 1 192.0.2.1 5 typ host\r\n",
        ] {
            assert_eq!(read(bad), Err(ErrorClass::Invalid), "{bad}");
        }
        assert_eq!(
            read(&format!("{TRICKLE}m=video 9 RTP/AVP 0\r\na=ice-ufrag:other\r\n")),
            Err(ErrorClass::Unsupported)
        );
        let many = "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n".repeat(65);
        assert_eq!(read(&many), Err(ErrorClass::TooLarge));
        assert_eq!(read(&"m=audio 9 RTP/AVP 0\r\n".repeat(9)), Err(ErrorClass::TooLarge));
        assert_eq!(read(&format!("a={}\r\n", "x".repeat(5_000))), Err(ErrorClass::TooLarge));
    }

    #[test]
    fn a_restart_changes_credentials_and_version_and_nothing_else() {
        let offer = "v=0\r\no=- 7 2 IN IP4 127.0.0.1\r\na=ice-ufrag:old1\r\na=ice-pwd:0123456789012345678901\r\na=setup:actpass\r\n";
        let restarted = with_credentials(offer, &credentials());
        assert_eq!(ice_credentials(&restarted), Some(credentials()));
        assert!(
            restarted.starts_with("v=0\r\no=- 7 3 IN IP4 127.0.0.1\r\n") && restarted.ends_with("a=setup:actpass\r\n")
        );
        assert_eq!(ice_credentials("v=0\r\n"), None);
    }

    #[test]
    fn the_answer_to_a_restart_has_the_first_sections_transport() {
        let answer = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\na=group:BUNDLE 0 1\r\na=fingerprint:x\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
            a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=rtpmap:111 opus/48000\r\na=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n";
        let text = answer_fragment(answer);
        let read = fragment(&text, &OfferLimits::default()).unwrap();
        assert_eq!((read.candidates, read.complete), (1, true));
        assert_eq!(read.credentials.unwrap().ufrag, "abcd");
        assert!(
            text.starts_with("a=group:BUNDLE 0 1\r\nm=audio") && !text.contains("rtpmap") && !text.contains("mid:1")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(text in "(a=(candidate|ice-ufrag|ice-pwd|mid|end-of-candidates):?[ -~]{0,40}\r?\n|\\PC{0,40}){0,8}") {
            if let Ok(read) = fragment(&text, &OfferLimits::default()) {
                prop_assert!(read.candidates <= 64);
            }
            let _ = answer_fragment(&text);
            let _ = with_credentials(&text, &credentials());
        }
    }
}
