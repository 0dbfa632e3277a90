//! The check that every SDP offer passes before WebRTC sees it, and the choice of codecs.
//!
//! Floor 2, but pure. In: the text of an offer. Out: what is offered and taken, or an error that names the line and says
//! what to do. Limits are checked before anything is built from the text. Sources: RFC 8866 (SDP), RFC 9143 (BUNDLE),
//! RFC 8841 (data channels), RFC 8839 (ICE), RFC 8122 (fingerprints).

mod codecs;
mod fragment;
mod packet_time;
mod silence;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use self::codecs::ChosenCodec;
use self::codecs::Formats;
pub use self::fragment::{Fragment, IceCredentials, answer_fragment, fragment, ice_credentials, with_credentials};
pub use self::packet_time::with_packet_time;
pub use self::silence::with_silence_left_out;
use crate::base::{Codec, ErrorClass};

/// Bounds of an offer.
#[derive(Debug, Clone)]
pub struct OfferLimits {
    /// Size of the whole offer. Default 64 KiB; a browser's is 5 to 10 KiB.
    pub max_bytes: usize,
    /// Length of one line. Default 4 KiB.
    pub max_line_bytes: usize,
    /// Lines. Default 2000.
    pub max_lines: usize,
    /// Media sections. Default 8.
    pub max_media: usize,
    /// ICE candidates. Default 64.
    pub max_candidates: usize,
}

impl Default for OfferLimits {
    fn default() -> Self {
        Self { max_bytes: 64 << 10, max_line_bytes: 4 << 10, max_lines: 2_000, max_media: 8, max_candidates: 64 }
    }
}

/// Why an offer is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OfferError {
    /// Not a well-formed offer.
    #[error("SDP, line {line}: {what}")]
    Malformed {
        /// Counted from 1; 0 for the offer as a whole.
        line: usize,
        /// What is wrong and how to mend it.
        what: String,
    },
    /// Above a limit.
    #[error("SDP has {got} {what}, more than the {limit} allowed")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// How much there is.
        got: usize,
        /// How much may be.
        limit: usize,
    },
    /// Well-formed, but asks for something that this server does not do.
    #[error("SDP, line {line}: {what}")]
    Unsupported {
        /// Counted from 1.
        line: usize,
        /// What it asks for and what would work.
        what: String,
    },
    /// A media section that sends has no codec that we take.
    #[error("SDP, line {line}: no codec in common for {kind}: offered {offered}; this server takes {taken}")]
    NoCommonCodec {
        /// Counted from 1.
        line: usize,
        /// `audio` or `video`.
        kind: &'static str,
        /// Names offered, comma separated.
        offered: String,
        /// Names taken, comma separated.
        taken: String,
    },
}

impl OfferError {
    /// What sort of failure this is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Malformed { .. } => ErrorClass::Invalid,
            Self::TooLarge { .. } => ErrorClass::TooLarge,
            Self::Unsupported { .. } | Self::NoCommonCodec { .. } => ErrorClass::Unsupported,
        }
    }
}

/// What a media section carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
    /// Data channels.
    Data,
}

impl MediaKind {
    /// The word in the m-line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Data => "application",
        }
    }
}

/// One media section of a checked offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedMedia {
    /// What it carries.
    pub kind: MediaKind,
    /// Its `a=mid`, empty if it has none.
    pub mid: String,
    /// The client will send here.
    pub sends: bool,
    /// The client will receive here.
    pub receives: bool,
    /// What it will send; `None` for data and for sections that do not send.
    pub codec: Option<ChosenCodec>,
}

impl OfferedMedia {
    /// The codec in which the client takes sound here; `None` where it takes none.
    #[must_use]
    pub fn ear(&self) -> Option<&ChosenCodec> {
        self.codec.as_ref().filter(|_| self.kind == MediaKind::Audio && self.receives)
    }
}

/// A checked offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Media sections in order.
    pub media: Vec<OfferedMedia>,
    /// Largest message the client takes on a data channel, in bytes.
    pub max_message_size: usize,
    /// The client insists on being the DTLS server (`a=setup:passive`).
    pub dtls_server: bool,
    /// The offer with line ends made uniform and, if asked, without its candidates.
    pub sdp: String,
}

/// How to check an offer.
#[derive(Debug, Clone)]
pub struct OfferRules<'a> {
    /// Bounds.
    pub limits: &'a OfferLimits,
    /// Codecs that we take, best first, sound and picture in one list.
    pub codecs: &'a [Codec],
    /// Remove candidates, so that the server never dials an address only because an offer names it.
    pub strip_candidates: bool,
}

/// One media section while it is read.
#[derive(Debug)]
struct Section {
    line: usize,
    kind: MediaKind,
    port_zero: bool,
    attributes: Attributes,
    formats: Formats,
}

/// The attributes that decide, of the session or of one section.
#[derive(Debug, Default)]
struct Attributes {
    mid: String,
    fingerprint: bool,
    ufrag: bool,
    pwd: bool,
    rtcp_mux: bool,
    bundle_only: bool,
    silent: bool,
    deaf: bool,
    sctp_port: bool,
    passive: bool,
    max_message_size: Option<usize>,
    bundle: Vec<String>,
}

/// Checks an offer against `rules`.
///
/// # Errors
/// [`OfferError`], naming the line.
pub fn check(text: &str, rules: &OfferRules<'_>) -> Result<Offer, OfferError> {
    let limits = rules.limits;
    within("bytes", text.len(), limits.max_bytes)?;
    within("lines", text.lines().count(), limits.max_lines)?;
    let mut session = Attributes::default();
    let mut sections: Vec<Section> = Vec::new();
    let (mut candidates, mut sdp) = (0, String::with_capacity(text.len() + 64));
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.is_empty() {
            continue;
        }
        let (kind, value) = split_line(line, number, limits)?;
        if sdp.is_empty() && (kind, value) != ('v', "0") {
            return Err(malformed(
                number,
                "an offer begins with `v=0`: send the text of the local description as it is",
            ));
        }
        let name = value.split_once(':').map_or(value, |(name, _)| name);
        let is_candidate = kind == 'a' && matches!(name, "candidate" | "end-of-candidates");
        if is_candidate {
            candidates += 1;
            within("ICE candidates", candidates, limits.max_candidates)?;
        } else if kind == 'm' {
            within("media sections", sections.len() + 1, limits.max_media)?;
            sections.push(media_line(value, number)?);
        } else if kind == 'a' {
            match sections.last_mut() {
                Some(s) => {
                    s.attributes.read(value, number)?;
                    s.formats.read(value, number)?;
                }
                None => session.read(value, number)?,
            }
        }
        if !(is_candidate && rules.strip_candidates) {
            sdp.push_str(line);
            sdp.push_str("\r\n");
        }
    }
    let media = judge(&session, &sections, rules)?;
    let max_message_size = sections.iter().find_map(|s| s.attributes.max_message_size).unwrap_or(64 << 10);
    let max_message_size = if max_message_size == 0 { usize::MAX } else { max_message_size };
    let dtls_server = session.passive || sections.iter().any(|s| s.attributes.passive);
    Ok(Offer { media, max_message_size, dtls_server, sdp })
}

fn split_line<'t>(line: &'t str, number: usize, limits: &OfferLimits) -> Result<(char, &'t str), OfferError> {
    within("bytes in one line", line.len(), limits.max_line_bytes)?;
    let mut chars = line.chars();
    match (chars.next(), chars.next()) {
        (Some(kind), Some('=')) if kind.is_ascii_lowercase() => {
            let value = chars.as_str();
            if value.chars().any(|c| c.is_control() && c != '\t') {
                return Err(malformed(number, "there is a control character in this line"));
            }
            Ok((kind, value))
        }
        _ => Err(malformed(number, "a line of SDP is one letter, `=` and a value")),
    }
}

fn media_line(value: &str, line: usize) -> Result<Section, OfferError> {
    let mut words = value.split_ascii_whitespace();
    let (Some(kind), Some(port), Some(proto)) = (words.next(), words.next(), words.next()) else {
        return Err(malformed(line, "an m-line needs kind, port, protocol and formats"));
    };
    let port: u16 = port.parse().map_err(|_| malformed(line, "the port of this m-line is not a number up to 65535"))?;
    let kind = match kind {
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        "application" => MediaKind::Data,
        other => {
            return Err(unsupported(
                line,
                format!("media of kind `{}`: offer audio, video or data only", short(other)),
            ));
        }
    };
    let wanted = if kind == MediaKind::Data { "DTLS/SCTP" } else { "RTP/SAVPF" };
    if !proto.ends_with(wanted) {
        return Err(unsupported(
            line,
            format!("protocol `{}`: WebRTC {} uses `UDP/TLS/RTP/SAVPF` or `UDP/DTLS/SCTP`", short(proto), kind.name()),
        ));
    }
    let mut formats = Formats::default();
    if kind == MediaKind::Data {
        if words.next() != Some("webrtc-datachannel") {
            return Err(unsupported(line, "an application section must carry `webrtc-datachannel`".to_owned()));
        }
    } else {
        for word in words {
            formats.list(word, line)?;
        }
        if formats.is_empty() {
            return Err(malformed(line, "this m-line lists no payload type"));
        }
    }
    Ok(Section { line, kind, port_zero: port == 0, attributes: Attributes::default(), formats })
}

impl Attributes {
    fn read(&mut self, attribute: &str, line: usize) -> Result<(), OfferError> {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        match name {
            "mid" => self.mid = value.trim().to_owned(),
            "fingerprint" => self.fingerprint = fingerprint(value, line)?,
            "ice-ufrag" => self.ufrag = credential(value, 4, line)?,
            "ice-pwd" => self.pwd = credential(value, 22, line)?,
            "setup" => self.passive = value.trim() == "passive",
            "rtcp-mux" | "rtcp-mux-only" => self.rtcp_mux = true,
            "bundle-only" => self.bundle_only = true,
            "recvonly" => self.silent = true,
            "sendonly" => self.deaf = true,
            "inactive" => (self.silent, self.deaf) = (true, true),
            "sctp-port" => self.sctp_port = true,
            "max-message-size" => {
                let size = value.trim().parse().map_err(|_| malformed(line, "max-message-size is not a number"))?;
                self.max_message_size = Some(size);
            }
            "group" => {
                let mut words = value.split_ascii_whitespace();
                if words.next() == Some("BUNDLE") {
                    self.bundle = words.map(str::to_owned).collect();
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// RFC 8839 §5.4: at least `least` and at most 256 of the ICE characters.
fn credential(value: &str, least: usize, line: usize) -> Result<bool, OfferError> {
    let plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_' | b'='));
    if plain && (least..=256).contains(&value.len()) {
        return Ok(true);
    }
    Err(malformed(line, &format!("ICE credentials are {least} to 256 letters, digits, `+` or `/`")))
}

/// RFC 8122 §5: a hash function's name, and as many hexadecimal bytes, between colons, as it gives.
fn fingerprint(value: &str, line: usize) -> Result<bool, OfferError> {
    const HASHES: [(&str, usize); 5] =
        [("sha-1", 20), ("sha-224", 28), ("sha-256", 32), ("sha-384", 48), ("sha-512", 64)];
    let mut words = value.split_whitespace();
    let bytes =
        words.next().and_then(|name| HASHES.iter().find(|(h, _)| name.eq_ignore_ascii_case(h))).map(|(_, n)| *n);
    let pairs: Vec<_> = words.next().unwrap_or_default().split(':').collect();
    let hex = pairs.iter().all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()));
    if hex && bytes == Some(pairs.len()) && words.next().is_none() {
        return Ok(true);
    }
    Err(malformed(
        line,
        "`a=fingerprint` is not the name of a hash and its bytes in hexadecimal, such as `sha-256 AB:CD:…`",
    ))
}

fn judge(session: &Attributes, sections: &[Section], rules: &OfferRules<'_>) -> Result<Vec<OfferedMedia>, OfferError> {
    let live = |s: &&Section| !s.port_zero || s.attributes.bundle_only;
    let Some(first) = sections.iter().find(live) else {
        return Err(malformed(0, "it offers nothing: add a track or a data channel before making the offer"));
    };
    let a = &first.attributes;
    for (there, name) in [
        (session.fingerprint || a.fingerprint, "fingerprint"),
        (session.ufrag || a.ufrag, "ice-ufrag"),
        (session.pwd || a.pwd, "ice-pwd"),
    ] {
        if !there {
            return Err(malformed(first.line, &format!("this section has no `a={name}`: is this a WebRTC offer?")));
        }
    }
    let many = sections.iter().filter(live).count() > 1;
    if sections.iter().filter(|s| s.kind == MediaKind::Data && live(s)).count() > 1 {
        return Err(unsupported(first.line, "more than one application section: data channels share one".to_owned()));
    }
    for s in sections.iter().filter(live) {
        if many && (s.attributes.mid.is_empty() || !session.bundle.contains(&s.attributes.mid)) {
            return Err(unsupported(
                s.line,
                "this section is not in `a=group:BUNDLE`: everything must share one transport (bundlePolicy max-bundle)"
                    .to_owned(),
            ));
        }
        if s.kind != MediaKind::Data && !(s.attributes.rtcp_mux || session.rtcp_mux) {
            return Err(unsupported(
                s.line,
                "this section has no `a=rtcp-mux`: RTCP must share the RTP port".to_owned(),
            ));
        }
        if s.kind == MediaKind::Data && !s.attributes.sctp_port {
            return Err(unsupported(s.line, "this section has no `a=sctp-port` (RFC 8841)".to_owned()));
        }
    }
    sections.iter().map(|s| s.taken(session, rules, live(&s))).collect()
}

impl Section {
    fn taken(&self, session: &Attributes, rules: &OfferRules<'_>, live: bool) -> Result<OfferedMedia, OfferError> {
        let is_media = self.kind != MediaKind::Data;
        let sends = is_media && live && !(self.attributes.silent || session.silent);
        let receives = is_media && live && !(self.attributes.deaf || session.deaf);
        let of_kind = |c: &Codec| c.is_video() == (self.kind == MediaKind::Video);
        let codec = if is_media {
            rules.codecs.iter().filter(|c| of_kind(c)).find_map(|&c| self.formats.choose(c))
        } else {
            None
        };
        if sends && codec.is_none() {
            let taken: Vec<_> = rules.codecs.iter().filter(|c| of_kind(c)).map(|&c| codecs::describe(c)).collect();
            return Err(OfferError::NoCommonCodec {
                line: self.line,
                kind: self.kind.name(),
                offered: self.formats.names(),
                taken: if taken.is_empty() { "none".to_owned() } else { taken.join(", ") },
            });
        }
        Ok(OfferedMedia { kind: self.kind, mid: self.attributes.mid.clone(), sends, receives, codec })
    }
}

fn within(what: &'static str, got: usize, limit: usize) -> Result<(), OfferError> {
    if got > limit { Err(OfferError::TooLarge { what, got, limit }) } else { Ok(()) }
}

fn malformed(line: usize, what: &str) -> OfferError {
    OfferError::Malformed { line, what: what.to_owned() }
}

const fn unsupported(line: usize, what: String) -> OfferError {
    OfferError::Unsupported { line, what }
}

/// At most 32 characters of something a stranger wrote.
fn short(text: &str) -> String {
    text.chars().take(32).collect()
}
