//! How long RTP assembly and capture times take. `cargo bench --bench assemble`.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use sightline::base::{Codec, MediaTime};
use sightline::ingest::assemble::{Assembler, AssemblerConfig, RtpPacket};
use sightline::ingest::timing::{SenderReport, Timeline};

/// One second at 1.5 Mbit/s: 30 frames of 6 packets of 1040 bytes, the first a keyframe.
fn second(codec: Codec) -> Vec<RtpPacket> {
    let mut packets = Vec::new();
    if codec == Codec::H264 {
        let sets = Bytes::from_static(&[0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 2]);
        packets.push(RtpPacket { seq: 0, timestamp: 0, marker: false, payload: sets });
    }
    for frame in 0..30_u32 {
        for part in 0..6_u32 {
            let key = frame == 0;
            let nal = if key { 5 } else { 1 };
            let mut payload = match (codec, part) {
                (Codec::H264, 0) => vec![0x7c, 0x80 | nal, 0x80],
                (Codec::H264, 5) => vec![0x7c, 0x40 | nal],
                (Codec::H264, _) => vec![0x7c, nal],
                (_, 0) => vec![0x90, 0x80, 0x80, 1, u8::from(!key), 0, 0, 0x9d, 1, 0x2a],
                _ => vec![0x80, 0x80, 0x80, 1],
            };
            payload.resize(1040, 7);
            let seq = u16::try_from(packets.len()).unwrap_or(0);
            packets.push(RtpPacket { seq, timestamp: frame * 3_000, marker: part == 5, payload: Bytes::from(payload) });
        }
    }
    packets
}

/// Units that come out when a packet arrives every 5 ms.
fn assemble(codec: Codec, packets: Vec<RtpPacket>) -> usize {
    let mut assembler = Assembler::new(codec, AssemblerConfig::for_codec(codec));
    let mut out = Vec::with_capacity(64);
    for (i, packet) in (0_u64..).zip(packets) {
        assembler.push(packet, MediaTime::from_millis(5 * i), &mut out);
    }
    out.len()
}

fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("assemble one second of video");
    group.throughput(Throughput::Elements(180));
    for codec in [Codec::Vp8, Codec::H264] {
        let packets = second(codec);
        assert_eq!(assemble(codec, packets.clone()), 30, "every frame comes out");
        let mut mixed = packets.clone();
        mixed[1..].chunks_mut(4).for_each(<[_]>::reverse);
        assert_eq!(assemble(codec, mixed.clone()), 30, "every frame comes out of disorder");
        for (name, packets) in [("in order", packets), ("out of order", mixed)] {
            group.bench_function(format!("{} {name}", codec.name()), |b| {
                b.iter_batched(|| packets.clone(), |p| black_box(assemble(codec, p)), BatchSize::SmallInput);
            });
        }
    }
    group.finish();
    c.bench_function("capture time of one unit", |b| {
        let mut line = Timeline::default();
        line.open(1, 90_000);
        line.report(SenderReport { ssrc: 1, ntp: 1 << 40, rtp: 0 }, MediaTime::from_millis(1));
        let mut n = 0_u32;
        b.iter(|| {
            n = n.wrapping_add(3_000);
            black_box(line.capture(1, n, MediaTime::from_micros(u64::from(n) * 11)))
        });
    });
}

criterion_group!(all, benches);
criterion_main!(all);
