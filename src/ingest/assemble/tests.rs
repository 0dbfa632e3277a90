use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::{Assembled, Assembler, AssemblerConfig, RtpPacket, Unit};
use crate::base::{Codec, LossReason, MediaTime};

const CODECS: [Codec; 5] = [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1, Codec::Opus];

/// A unit as a sender would make it: its packets' payloads, and what must come out.
struct Sample {
    payloads: Vec<Bytes>,
    whole: Bytes,
    keyframe: bool,
}

fn noise(rng: &mut StdRng, len: usize) -> Vec<u8> {
    (0..len).map(|_| rng.random()).collect()
}

fn sample(codec: Codec, key: bool, rng: &mut StdRng) -> Sample {
    let len = rng.random_range(20..400);
    let mtu = rng.random_range(10..120);
    match codec {
        Codec::Vp8 => vp8(key, len, mtu, rng),
        Codec::Vp9 => vp9(key, len, mtu, rng),
        Codec::H264 => h264(key, len, mtu, rng),
        Codec::Av1 => av1(key, len, mtu, rng),
        Codec::Opus => {
            let whole = Bytes::from(noise(rng, len));
            Sample { payloads: vec![whole.clone()], whole, keyframe: true }
        }
    }
}

fn vp8(key: bool, len: usize, mtu: usize, rng: &mut StdRng) -> Sample {
    let mut frame = noise(rng, len);
    frame[0] = frame[0] & !1 | u8::from(!key);
    if key {
        frame[3..6].copy_from_slice(&[0x9d, 1, 0x2a]);
    }
    // X, I with a 15-bit picture id, L and K: the longest descriptor.
    let head = |first: bool| vec![0x80 | u8::from(first) << 4, 0xf0, 0x80, 7, 9, 3];
    let payloads = frame.chunks(mtu).enumerate().map(|(i, c)| [head(i == 0), c.to_vec()].concat().into()).collect();
    Sample { payloads, whole: frame.into(), keyframe: key }
}

fn vp9(key: bool, len: usize, mtu: usize, rng: &mut StdRng) -> Sample {
    let mut frame = noise(rng, len);
    frame[0] = if key { 0x82 } else { 0x86 };
    let count = frame.chunks(mtu).count();
    let payloads = frame.chunks(mtu).enumerate().map(|(i, c)| {
        let (begin, end) = (i == 0, i + 1 == count);
        let mut p = vec![0xa0 | u8::from(!key) << 6 | u8::from(begin) << 3 | u8::from(end) << 2, 0x80, 5, 0, 1];
        if key && begin {
            // A scalability structure: one layer with a size, one picture with one reference.
            p[0] |= 2;
            p.extend_from_slice(&[0x18, 2, 0x80, 1, 0xe0, 1, 0x04, 1]);
        }
        p.extend_from_slice(c);
        p.into()
    });
    Sample { payloads: payloads.collect(), whole: frame.clone().into(), keyframe: key }
}

fn h264(key: bool, len: usize, mtu: usize, rng: &mut StdRng) -> Sample {
    let mut slice = noise(rng, len);
    slice[0] = if key { 0x65 } else { 0x41 };
    slice[1] |= 0x80;
    let mut whole = BytesMut::new();
    let mut payloads = Vec::new();
    if key {
        let sets = [&[0x67, 1, 2, 3][..], &[0x68, 4, 5]];
        let mut stap = vec![0x78];
        for set in sets {
            whole.put_slice(&[0, 0, 0, 1]);
            whole.put_slice(set);
            stap.put_u16(set.len() as u16);
            stap.put_slice(set);
        }
        payloads.push(stap.into());
    }
    whole.put_slice(&[0, 0, 0, 1]);
    whole.put_slice(&slice);
    let parts: Vec<_> = slice[1..].chunks(mtu).collect();
    if parts.len() == 1 {
        payloads.push(slice.clone().into());
    } else {
        for (i, part) in parts.iter().enumerate() {
            let edge = u8::from(i == 0) << 7 | u8::from(i + 1 == parts.len()) << 6;
            payloads.push([&[slice[0] & 0xe0 | 28, slice[0] & 0x1f | edge], *part].concat().into());
        }
    }
    Sample { payloads, whole: whole.freeze(), keyframe: key }
}

fn leb128(out: &mut Vec<u8>, mut n: usize) {
    while n >= 128 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn av1(key: bool, len: usize, mtu: usize, rng: &mut StdRng) -> Sample {
    let mut frame = noise(rng, len);
    frame[0] = if key { 0x10 } else { 0x30 };
    let mut whole = vec![0x12, 0];
    let sequence = [10_u8, 20, 30];
    if key {
        whole.extend_from_slice(&[0x0a, 3]);
        whole.extend_from_slice(&sequence);
    }
    whole.push(0x32);
    leb128(&mut whole, frame.len());
    whole.extend_from_slice(&frame);
    let obu = [&[0x30], &frame[..]].concat();
    let parts: Vec<_> = obu.chunks(mtu).collect();
    let payloads = parts.iter().enumerate().map(|(i, part)| {
        let (first, last) = (i == 0, i + 1 == parts.len());
        let flags = u8::from(!first) << 7 | u8::from(!last) << 6 | u8::from(key && first) << 3;
        let mut p = Vec::new();
        if key && first {
            // Two elements, the last without a length: W = 2.
            p.push(flags | 0x20);
            p.extend_from_slice(&[4, 0x08]);
            p.extend_from_slice(&sequence);
            p.extend_from_slice(part);
        } else {
            // W = 0: every element has a length.
            p.push(flags);
            leb128(&mut p, part.len());
            p.extend_from_slice(part);
        }
        p.into()
    });
    Sample { payloads: payloads.collect(), whole: whole.into(), keyframe: key }
}

struct Stream {
    packets: Vec<RtpPacket>,
    units: Vec<(Bytes, bool)>,
}

/// `n` units with a keyframe every `gop`, from a sequence number and timestamp that wrap on the way.
fn stream(codec: Codec, n: usize, gop: usize, seed: u64) -> Stream {
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut seq, mut timestamp) = (u16::MAX - 20, u32::MAX - 30_000);
    let (mut packets, mut units) = (Vec::new(), Vec::new());
    for i in 0..n {
        let s = sample(codec, i % gop == 0, &mut rng);
        let last = s.payloads.len() - 1;
        for (k, payload) in s.payloads.into_iter().enumerate() {
            packets.push(RtpPacket { seq, timestamp, marker: k == last, payload });
            seq = seq.wrapping_add(1);
            if rng.random_range(0..8) == 0 {
                packets.push(RtpPacket { seq, timestamp, marker: false, payload: Bytes::new() });
                seq = seq.wrapping_add(1);
            }
        }
        units.push((s.whole, s.keyframe));
        timestamp = timestamp.wrapping_add(3_000);
    }
    Stream { packets, units }
}

fn ms(n: u64) -> MediaTime {
    MediaTime::from_millis(n)
}

/// Feeds one packet per millisecond, then lets all deadlines pass.
fn feed(codec: Codec, packets: &[RtpPacket]) -> (Vec<Assembled>, Assembler) {
    let mut a = Assembler::new(codec, AssemblerConfig::for_codec(codec));
    let mut out = Vec::new();
    let mut now = 1_000;
    for p in packets {
        now += 1;
        a.push(p.clone(), ms(now), &mut out);
    }
    while let Some(at) = a.deadline() {
        a.tick(at, &mut out);
    }
    (out, a)
}

fn units(out: &[Assembled]) -> Vec<Unit> {
    out.iter().filter_map(|a| if let Assembled::Unit(u) = a { Some(u.clone()) } else { None }).collect()
}

#[test]
fn every_codec_comes_out_as_it_went_in_across_wraps() {
    for codec in CODECS {
        let s = stream(codec, 60, 10, 1);
        let (out, a) = feed(codec, &s.packets);
        let got: Vec<_> = units(&out).into_iter().map(|u| (u.data, u.keyframe)).collect();
        assert_eq!(got, s.units, "{codec:?}");
        assert!(units(&out).iter().all(|u| u.contiguous) && !a.wants_keyframe());
        assert_eq!(out.len(), 60);
    }
}

#[test]
fn in_order_units_leave_with_their_last_packet() {
    for codec in CODECS {
        let s = stream(codec, 20, 5, 2);
        let mut a = Assembler::new(codec, AssemblerConfig::for_codec(codec));
        let mut out = Vec::new();
        for p in &s.packets {
            let before = out.len();
            a.push(p.clone(), ms(1), &mut out);
            let ends = !p.payload.is_empty() && (p.marker || codec == Codec::Opus);
            assert_eq!(out.len() - before, usize::from(ends), "{codec:?}: nothing waits without a hole");
            assert_eq!(a.deadline(), None);
        }
    }
}

#[test]
fn a_hole_is_waited_for_and_no_longer() {
    let s = stream(Codec::Opus, 10, 1, 3);
    let packets: Vec<_> = s.packets.iter().filter(|p| !p.payload.is_empty()).cloned().collect();
    let mut a = Assembler::new(Codec::Opus, AssemblerConfig::for_codec(Codec::Opus));
    let mut out = Vec::new();
    a.push(RtpPacket { seq: 5, ..packets[0].clone() }, ms(0), &mut out);
    a.push(RtpPacket { seq: 7, ..packets[2].clone() }, ms(40), &mut out);
    assert_eq!(out.len(), 1);
    assert_eq!(a.deadline(), Some(ms(100)));
    a.tick(ms(99), &mut out);
    assert_eq!(out.len(), 1);
    a.tick(ms(100), &mut out);
    assert_eq!(out[1], Assembled::Lost(LossReason::Incomplete));
    let Assembled::Unit(unit) = &out[2] else { panic!("{out:?}") };
    assert!(!unit.contiguous && unit.arrival == ms(40));
    a.push(RtpPacket { seq: 6, ..packets[1].clone() }, ms(101), &mut out);
    assert_eq!((out.len(), a.stats().late), (3, 1), "what comes after its place was given up is late");
}

#[test]
fn after_a_loss_video_waits_for_a_keyframe_and_asks_for_one() {
    for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
        let mut s = stream(codec, 30, 10, 4);
        let lost = s.packets.iter().position(|p| p.timestamp == u32::MAX - 30_000 + 3 * 3_000).unwrap();
        s.packets.remove(lost);
        let mut a = Assembler::new(codec, AssemblerConfig::for_codec(codec));
        let (mut out, mut asked) = (Vec::new(), false);
        for (i, p) in s.packets.iter().enumerate() {
            // Ten packets per 200 ms: the hole is given up long before the next keyframe.
            a.push(p.clone(), ms(20 * i as u64), &mut out);
            asked |= a.wants_keyframe();
        }
        let got = units(&out);
        let resumed = got.iter().position(|u| !u.contiguous).unwrap();
        assert!(asked && !a.wants_keyframe(), "{codec:?}");
        assert_eq!(resumed, 3, "{codec:?}: three units came before the hole");
        assert!(got[resumed].keyframe && got[resumed].data == s.units[10].0, "{codec:?}");
        assert_eq!(got.len(), 3 + 20, "{codec:?}");
        assert!(out.contains(&Assembled::Lost(LossReason::NoKeyframe)), "{codec:?}");
    }
}

#[test]
fn a_sender_that_starts_a_new_sequence_is_followed() {
    let s = stream(Codec::Vp8, 40, 8, 5);
    let (first, second) = s.packets.split_at(s.packets.len() / 2);
    let second: Vec<_> = second.iter().map(|p| RtpPacket { seq: p.seq.wrapping_add(20_000), ..p.clone() }).collect();
    let (out, _) = feed(Codec::Vp8, &[first, &second].concat());
    assert_eq!(units(&out).last().unwrap().data, s.units[39].0);
    assert!(units(&out).iter().filter(|u| !u.contiguous).all(|u| u.keyframe));
}

#[test]
fn vp9_layers_of_one_picture_become_a_superframe() {
    let mut a = Assembler::new(Codec::Vp9, AssemblerConfig::for_codec(Codec::Vp9));
    let mut out = Vec::new();
    let packet =
        |seq, marker, payload: &[u8]| RtpPacket { seq, timestamp: 1, marker, payload: payload.to_vec().into() };
    // L, B, E; layer 0 then layer 1, each with TL0PICIDX.
    a.push(packet(0, false, &[0x2c, 0x00, 1, 0x82, 7]), ms(0), &mut out);
    a.push(packet(1, true, &[0x2c, 0x03, 1, 0x86, 8, 9]), ms(0), &mut out);
    let got = units(&out);
    assert_eq!(got[0].data[..], [0x82, 7, 0x86, 8, 9, 0xd9, 2, 0, 0, 0, 3, 0, 0, 0, 0xd9]);
    assert!(got[0].keyframe);
}

#[test]
fn h264_keyframes_without_parameter_sets_get_the_last_ones() {
    let mut a = Assembler::new(Codec::H264, AssemblerConfig::for_codec(Codec::H264));
    let mut out = Vec::new();
    let packet =
        |seq, timestamp, marker, payload: &[u8]| RtpPacket { seq, timestamp, marker, payload: payload.to_vec().into() };
    a.push(packet(0, 1, false, &[0x67, 1]), ms(0), &mut out);
    a.push(packet(1, 1, false, &[0x68, 2]), ms(0), &mut out);
    a.push(packet(2, 1, true, &[0x65, 0x80]), ms(0), &mut out);
    a.push(packet(3, 2, true, &[0x65, 0x81]), ms(0), &mut out);
    let got = units(&out);
    assert_eq!(got[1].data[..], [0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 0x81]);
}

#[test]
fn units_above_the_limit_are_dropped_before_they_are_built() {
    for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
        let s = stream(codec, 4, 2, 6);
        let config = AssemblerConfig { max_unit_bytes: 12, ..AssemblerConfig::for_codec(codec) };
        let mut a = Assembler::new(codec, config);
        let mut out = Vec::new();
        for p in &s.packets {
            a.push(p.clone(), ms(0), &mut out);
        }
        assert!(units(&out).is_empty() && a.stats().corrupt > 0, "{codec:?}: {:?}", a.stats());
    }
}

/// Loss, duplication and reordering at random: what comes out is always a whole unit that was sent, in order, and picks up
/// after a loss at a keyframe that says so.
#[test]
fn whatever_the_network_does_only_whole_units_leave_and_in_order() {
    for seed in 0..300 {
        let mut rng = StdRng::seed_from_u64(seed);
        let codec = CODECS[rng.random_range(0..CODECS.len())];
        let s = stream(codec, 40, 8, seed);
        let mut packets = Vec::new();
        for p in &s.packets {
            if rng.random_range(0..20) != 0 {
                packets.push(p.clone());
            }
            if rng.random_range(0..20) == 0 {
                packets.push(p.clone());
            }
        }
        for window in packets.chunks_mut(rng.random_range(1..8)) {
            window.shuffle(&mut rng);
        }
        let (out, a) = feed(codec, &packets);
        let mut next = 0;
        for unit in units(&out) {
            let skipped = s.units[next..].iter().position(|(data, _)| *data == unit.data);
            let skipped = skipped.unwrap_or_else(|| panic!("seed {seed}, {codec:?}: a unit that was never sent"));
            // What was lost before the first unit cannot be known.
            assert!(skipped == 0 || next == 0 || !unit.contiguous, "seed {seed}, {codec:?}: a hole not marked");
            assert!(unit.contiguous || unit.keyframe, "seed {seed}, {codec:?}: resumed without a keyframe");
            next += skipped + 1;
        }
        let stats = a.stats();
        assert_eq!(stats.units as usize, units(&out).len());
        assert_eq!((stats.incomplete + stats.no_keyframe + stats.corrupt) as usize, out.len() - units(&out).len());
    }
}

/// Bits flipped in real streams get further into the parsers than noise does.
#[test]
fn damaged_packets_never_panic() {
    for seed in 0..2_000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let codec = CODECS[rng.random_range(0..CODECS.len())];
        let mut s = stream(codec, 6, 3, seed);
        for p in &mut s.packets {
            let mut bytes = p.payload.to_vec();
            for _ in 0..rng.random_range(0..3) {
                match rng.random_range(0..3) {
                    0 if !bytes.is_empty() => {
                        let at = rng.random_range(0..bytes.len().min(12));
                        bytes[at] ^= 1 << rng.random_range(0..8);
                    }
                    1 => bytes.truncate(rng.random_range(0..12)),
                    _ => p.marker ^= true,
                }
            }
            p.payload = bytes.into();
        }
        feed(codec, &s.packets);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn noise_never_panics_and_stays_bounded(
        which in 0_usize..5,
        packets in proptest::collection::vec(
            (any::<u16>(), 0_u32..4, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..24)), 0..80),
        near in any::<bool>(),
    ) {
        let codec = CODECS[which];
        let config = AssemblerConfig { max_packets: 16, reorder_window: Duration::from_secs(9), ..AssemblerConfig::for_codec(codec) };
        let mut a = Assembler::new(codec, config);
        let mut out = Vec::new();
        for (i, (seq, timestamp, marker, payload)) in packets.into_iter().enumerate() {
            let seq = if near { i as u16 + (seq & 3) } else { seq };
            a.push(RtpPacket { seq, timestamp, marker, payload: payload.into() }, ms(i as u64), &mut out);
            prop_assert!(a.reorder.waiting() <= 17);
        }
    }
}
