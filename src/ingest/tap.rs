//! An interceptor next to the wire that shows sender reports to the timeline.
//!
//! The library ends inbound RTCP inside its chain, and delivers what is marked for the application only once a track
//! exists; reading reports here loses none and gives their true arrival time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::sender_report::SenderReport as RtcpSenderReport;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use super::timing::{SenderReport, Timeline};
use crate::base::Clock;

pub(super) struct ReportTap {
    pub(super) timeline: Arc<Mutex<Timeline>>,
    pub(super) clock: Arc<dyn Clock>,
    /// Packets on their way through; the driver takes each out right after it put it in.
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

impl ReportTap {
    /// Nearer to the wire than every other interceptor.
    pub(super) const SLOT: usize = 500;

    pub(super) fn new(timeline: Arc<Mutex<Timeline>>, clock: Arc<dyn Clock>) -> Self {
        Self { timeline, clock, inbound: VecDeque::new(), outbound: VecDeque::new() }
    }

    fn read_reports(&self, packets: &[Box<dyn rtc::rtcp::Packet>]) {
        for report in packets.iter().filter_map(|p| p.as_any().downcast_ref::<RtcpSenderReport>()) {
            let report = SenderReport { ssrc: report.ssrc, ntp: report.ntp_time, rtp: report.rtp_time };
            let now = self.clock.now();
            self.timeline.lock().unwrap_or_else(PoisonError::into_inner).report(report, now);
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for ReportTap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            self.read_reports(packets);
        }
        self.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.outbound.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }
}

impl Interceptor for ReportTap {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
