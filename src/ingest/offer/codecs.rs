//! Payload types of one media section: names, parameters, retransmission, and which of them we can take.

use super::{OfferError, malformed, short};
use crate::base::Codec;

/// A payload type that we take, as offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenCodec {
    /// What it is.
    pub codec: Codec,
    /// RTP payload type, 0–127.
    pub payload_type: u8,
    /// Format parameters as offered, empty if none.
    pub fmtp: String,
    /// Payload type of its retransmissions (RFC 4588), if offered.
    pub rtx: Option<u8>,
}

/// What we say we take.
pub(super) const fn describe(codec: Codec) -> &'static str {
    match codec {
        Codec::Vp8 => "VP8",
        Codec::Vp9 => "VP9 profile 0",
        Codec::H264 => "H264 baseline or main with packetization-mode=1",
        Codec::Av1 => "AV1 profile 0",
        Codec::Opus => "opus",
    }
}

#[derive(Debug, Default)]
pub(super) struct Formats {
    formats: Vec<Format>,
}

#[derive(Debug)]
struct Format {
    payload_type: u8,
    name: String,
    rate: u32,
    fmtp: String,
}

impl Formats {
    /// Takes a format of the m-line.
    pub(super) fn list(&mut self, word: &str, line: usize) -> Result<(), OfferError> {
        let payload_type = payload_type(word, line)?;
        if self.formats.iter().any(|f| f.payload_type == payload_type) {
            return Err(malformed(line, &format!("payload type {payload_type} is listed twice")));
        }
        self.formats.push(Format { payload_type, name: String::new(), rate: 0, fmtp: String::new() });
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.formats.is_empty()
    }

    /// Takes an attribute if it is `rtpmap` or `fmtp`; attributes of payload types that the m-line does not list are ignored.
    pub(super) fn read(&mut self, attribute: &str, line: usize) -> Result<(), OfferError> {
        let (Some((name @ ("rtpmap" | "fmtp"), value)), false) = (attribute.split_once(':'), self.is_empty()) else {
            return Ok(());
        };
        let (number, rest) = value
            .split_once(' ')
            .ok_or_else(|| malformed(line, &format!("`a={name}` needs a payload type, a space and a value")))?;
        let payload_type = payload_type(number, line)?;
        let Some(format) = self.formats.iter_mut().find(|f| f.payload_type == payload_type) else { return Ok(()) };
        if name == "fmtp" {
            rest.trim().clone_into(&mut format.fmtp);
            return Ok(());
        }
        let mut parts = rest.trim().split('/');
        let (Some(codec), Some(rate)) = (parts.next().filter(|c| !c.is_empty()), parts.next()) else {
            return Err(malformed(line, "`a=rtpmap` needs a codec name, `/` and a clock rate"));
        };
        format.name = codec.to_owned();
        format.rate = rate.parse().map_err(|_| malformed(line, "the clock rate in `a=rtpmap` is not a number"))?;
        Ok(())
    }

    /// The first payload type that carries `codec` in a form that we take.
    pub(super) fn choose(&self, codec: Codec) -> Option<ChosenCodec> {
        let format = self.formats.iter().find(|f| f.carries(codec))?;
        let apt = format.payload_type.to_string();
        let rtx = self
            .formats
            .iter()
            .find(|f| f.name.eq_ignore_ascii_case("rtx") && f.parameter("apt") == Some(apt.as_str()))
            .map(|f| f.payload_type);
        Some(ChosenCodec { codec, payload_type: format.payload_type, fmtp: format.fmtp.clone(), rtx })
    }

    /// Names offered, each once.
    pub(super) fn names(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        for f in &self.formats {
            let name = if f.name.is_empty() { format!("payload type {}", f.payload_type) } else { short(&f.name) };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.truncate(16);
        names.join(", ")
    }
}

impl Format {
    fn carries(&self, codec: Codec) -> bool {
        let (name, fits) = match codec {
            Codec::Opus => ("opus", true),
            Codec::Vp8 => ("VP8", true),
            Codec::Vp9 => ("VP9", self.parameter("profile-id").unwrap_or("0") == "0"),
            Codec::Av1 => ("AV1", self.parameter("profile").unwrap_or("0") == "0"),
            Codec::H264 => ("H264", self.is_plain_h264()),
        };
        fits && self.name.eq_ignore_ascii_case(name) && self.rate == codec.clock_rate_hz()
    }

    /// Baseline (0x42) or main (0x4d) profile in packetization mode 1. Without a profile, RFC 6184 §8.1 means baseline.
    fn is_plain_h264(&self) -> bool {
        let profile = self.parameter("profile-level-id").unwrap_or("420010");
        let known = profile.get(..2).is_some_and(|p| p == "42" || p.eq_ignore_ascii_case("4d"));
        self.parameter("packetization-mode") == Some("1") && profile.len() == 6 && known
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.fmtp.split(';').find_map(|p| {
            let (key, value) = p.trim().split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

fn payload_type(word: &str, line: usize) -> Result<u8, OfferError> {
    match word.parse::<u8>() {
        Ok(n) if n < 128 => Ok(n),
        _ => Err(malformed(line, &format!("`{}` is not a payload type from 0 to 127", short(word)))),
    }
}
