//! RTP payloads in any order to access units: first byte the codec, then packets with a length byte before each.
#![no_main]

use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sightline_fuzz::base::{Codec, MediaTime};
use sightline_fuzz::ingest::assemble::{Assembler, AssemblerConfig, RtpPacket};

const CODECS: [Codec; 5] = [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1, Codec::Opus];

fuzz_target!(|data: &[u8]| {
    let Some((codec, mut rest)) = data.split_first() else { return };
    let codec = CODECS[usize::from(*codec) % CODECS.len()];
    let config = AssemblerConfig { max_unit_bytes: 4_096, max_packets: 16, ..AssemblerConfig::for_codec(codec) };
    let (mut assembler, mut out, mut now) = (Assembler::new(codec, config), Vec::new(), MediaTime::ZERO);
    while let [seq, stamp, size, tail @ ..] = rest {
        let payload = &tail[..usize::from(*size).min(tail.len())];
        rest = &tail[payload.len()..];
        let (seq, timestamp) = (u16::from(seq & 0x3f).wrapping_sub(16), u32::from(stamp & 0x0f) * 3_000);
        let packet = RtpPacket { seq, timestamp, marker: stamp & 0x80 != 0, payload: Bytes::copy_from_slice(payload) };
        assembler.push(packet, now, &mut out);
        now = now + Duration::from_millis(u64::from(stamp & 0x70));
    }
    assembler.tick(now + Duration::from_secs(10), &mut out);
    assert!(assembler.deadline().is_none(), "nothing is waited for after ten seconds");
});
