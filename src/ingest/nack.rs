//! Requests for lost packets, without a timer where none is lost.
//!
//! The library's generator wakes its connection every interval for as long as packets come; with an interval short enough to be of use that is a third of all wake-ups of a
//! call. This one lets it have its timer only for a while after a packet that did not follow the one before.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rtc::interceptor::{Interceptor, NackGeneratorBuilder, NackGeneratorInterceptor, Packet, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

/// Between two requests for a packet, and up to the first: packets that overtake each other are not lost.
const INTERVAL: Duration = Duration::from_millis(20);
/// Requests for one packet. With the library's own settings one that is recovered over RTX is asked for again and again: the generator does not see recovered packets. Four requests 20 ms
/// apart lose nothing and cost 5 % instead of 45 % of the bandwidth at 3 % loss.
const REQUESTS: u16 = 4;
/// How long after a hole something is asked for: all requests, and once more so that the generator sees that nothing is missing.
const ALERT: Duration = INTERVAL.saturating_mul(REQUESTS as u32 + 2);

pub(super) struct Nack {
    generator: NackGeneratorInterceptor,
    /// The number that comes next, of every stream of which packets are asked for again; nothing before its first.
    next: HashMap<u32, Option<u16>>,
    /// Until when something may be missing.
    alert: Option<Instant>,
}

impl Nack {
    pub(super) fn new() -> Self {
        let generator = NackGeneratorBuilder::new().with_interval(INTERVAL).with_max_nacks_per_packet(REQUESTS).build();
        Self { generator, next: HashMap::new(), alert: None }
    }

    /// Whether packets before this one have not come; a late one leaves no hole.
    fn leaves_hole(&mut self, ssrc: u32, sequence: u16) -> bool {
        let Some(next) = self.next.get_mut(&ssrc) else { return false };
        let ahead = next.map_or(0, |next| sequence.wrapping_sub(next));
        if ahead < 1 << 15 {
            *next = Some(sequence.wrapping_add(1));
        }
        (1..1 << 15).contains(&ahead)
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Nack {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(rtp) = &packet.message.packet {
            let (header, now) = (&rtp.header, packet.now);
            if self.leaves_hole(header.ssrc, header.sequence_number) {
                if self.alert.is_none() {
                    // The generator's timer has run out long ago: from now on it counts anew.
                    self.generator.handle_timeout(now)?;
                }
                self.alert = Some(now + ALERT);
            }
        }
        self.generator.handle_read(packet)
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.generator.poll_read()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.generator.handle_write(packet)
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.generator.poll_write()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.alert.is_none() {
            return Ok(());
        }
        self.alert = self.alert.filter(|until| now < *until);
        self.generator.handle_timeout(now)
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.alert.and_then(|_| self.generator.poll_timeout())
    }
}

impl Interceptor for Nack {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        self.generator.bind_local_stream(info);
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.generator.unbind_local_stream(info);
    }

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        if info.rtcp_feedback.iter().any(|f| f.typ == "nack" && f.parameter.is_empty()) {
            self.next.insert(info.ssrc, None);
        }
        self.generator.bind_remote_stream(info);
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.next.remove(&info.ssrc);
        self.generator.unbind_remote_stream(info);
    }
}

#[cfg(test)]
mod tests {
    use rtc::interceptor::{AttributedPacket, RTCPFeedback};
    use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
    use rtc::rtp;
    use rtc::shared::TransportContext;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    struct Call {
        nack: Nack,
        now: Instant,
        timers: usize,
        /// Numbers asked for, and after how many milliseconds.
        asked: Vec<(u16, u128)>,
        began: Instant,
    }

    impl Call {
        #[expect(clippy::disallowed_methods, reason = "any moment will do: time is passed by hand from there")]
        fn new() -> Self {
            let mut nack = Nack::new();
            let feedback = RTCPFeedback { typ: "nack".to_owned(), parameter: String::new() };
            nack.bind_remote_stream(&StreamInfo { ssrc: 7, rtcp_feedback: vec![feedback], ..StreamInfo::default() });
            let now = Instant::now();
            Self { nack, now, timers: 0, asked: Vec::new(), began: now }
        }

        fn come(&mut self, ssrc: u32, sequence_number: u16) {
            let header = rtp::Header { ssrc, sequence_number, ..rtp::Header::default() };
            let message = AttributedPacket::new(Packet::Rtp(rtp::Packet { header, ..rtp::Packet::default() }));
            let packet = TaggedPacket { now: self.now, transport: TransportContext::default(), message };
            self.nack.handle_read(packet).unwrap();
            assert!(self.nack.poll_read().is_some());
        }

        /// Lets time pass, with what the driver does meanwhile.
        fn pass(&mut self, by: Duration) {
            let end = self.now + by;
            while let Some(due) = self.nack.poll_timeout().filter(|due| *due <= end) {
                self.now = self.now.max(due);
                self.timers += 1;
                self.nack.handle_timeout(self.now).unwrap();
                while let Some(packet) = self.nack.poll_write() {
                    let Packet::Rtcp(packets) = packet.message.packet else { panic!("not RTCP") };
                    for nack in packets.iter().filter_map(|p| p.as_any().downcast_ref::<TransportLayerNack>()) {
                        let at = self.now.duration_since(self.began).as_millis();
                        self.asked.extend(nack.nacks.iter().map(|pair| (pair.packet_id, at)));
                    }
                }
            }
            self.now = end;
        }
    }

    #[test]
    fn where_nothing_is_lost_no_timer_runs() {
        let mut call = Call::new();
        for i in 0..2_000_u32 {
            call.come(7, (65_000 + i) as u16);
            // Sound is not asked for again.
            call.come(8, (i * 3) as u16);
            call.pass(10 * MS);
        }
        assert_eq!((call.timers, call.asked.len()), (0, 0));
    }

    #[test]
    fn a_lost_packet_is_asked_for_four_times_and_then_the_timer_ends() {
        let mut call = Call::new();
        for i in 0..500 {
            if i != 100 {
                call.come(7, i);
            }
            call.pass(10 * MS);
        }
        let asked: Vec<_> = call.asked.iter().map(|(n, at)| (*n, at - 1_010)).collect();
        assert_eq!(asked, [(100, 20), (100, 40), (100, 60), (100, 80)]);
        assert!(call.timers <= 7, "{}", call.timers);
        call.come(7, 501);
        call.pass(200 * MS);
        assert_eq!(call.asked.len(), 8, "the next hole is asked for as well: {:?}", call.asked);
        assert!(call.asked[4..].iter().all(|(n, _)| *n == 500), "and the old one no more");
    }

    #[test]
    fn packets_that_overtake_each_other_are_not_lost() {
        let mut call = Call::new();
        for i in (0..500).step_by(2) {
            call.come(7, i + 1);
            call.pass(5 * MS);
            call.come(7, i);
            call.pass(5 * MS);
        }
        assert_eq!(call.asked, []);
    }
}
