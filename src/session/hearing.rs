//! The listening task: decoded sound, or sound from the wire, → voice activity → utterances.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::actor::Msg;
use crate::base::{MediaTime, Pcm};
use crate::decode::{Resampler, WireAudio};
use crate::engine::Lull;
use crate::flow::Rx;
use crate::listen::{Cleaner, ListenConfig, ListenEvent, Listener};
use crate::wire::{AudioFormat, WireError};

/// Sound buffers between two `audio.level` reports: 5 × 40 ms.
const LEVEL_EVERY: u32 = 5;

/// Buffers without a voice before sound is no longer in a hurry: 2 s.
const STILL: u32 = 50;

/// In so many goes a second of sound from the wire is heard: a client may send half a minute at once, and on the thread that hears it others are served, too.
const PIECES_A_SECOND: u32 = 8;

/// How long sound that comes at once lets pass, in all, what the device computes for others: some first words.
const PATIENCE: Duration = Duration::from_millis(300);

/// Whether nobody speaks and nobody waits for what is heard, so that sound may come two buffers at a time. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Calm(Arc<AtomicBool>);

impl Calm {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, calm: bool) {
        self.0.store(calm, Ordering::Relaxed);
    }
}

/// What the session asks of its listener.
#[derive(Debug)]
pub(super) enum HearCommand {
    /// Other settings.
    Configure(ListenConfig, MediaTime),
    /// Sound from the wire.
    Append { data: bytes::Bytes, format: AudioFormat, now: MediaTime },
    /// Tell what is heard, or no longer: an answer is under way.
    Attend(bool),
    /// What was said before the pause that goes on calls for this much silence.
    NeedSilence { voiced_until: MediaTime, needed: Duration },
    /// Take what is in the buffer.
    Commit(MediaTime),
    /// Throw it away.
    Clear,
}

/// The task. See [`Hearing::run`].
pub(super) struct Hearing {
    pub(super) sound: Rx<Pcm>,
    /// Our own voice, as it is played.
    pub(super) played: Rx<Pcm>,
    /// Takes it out of the sound.
    pub(super) cleaner: Cleaner,
    pub(super) commands: mpsc::Receiver<HearCommand>,
    pub(super) out: mpsc::Sender<Msg>,
    pub(super) listener: Listener,
    pub(super) wire: Option<WireSound>,
    pub(super) buffers: u32,
    /// An answer is under way: the conversation wants to know what is heard.
    pub(super) attends: bool,
    /// What it is told who decodes sound.
    pub(super) calm: Calm,
    /// Buffers since a voice was heard last.
    pub(super) still: u32,
    /// When the device computes nothing that others wait for.
    pub(super) lull: Lull,
}

/// Sound that came over the wire, on its way to 16 kHz. Its clock is its own length: capture time goes on where the last buffer ended.
pub(super) struct WireSound {
    resampler: Resampler,
    format: AudioFormat,
    next: MediaTime,
}

/// The decoder's name for a wire format.
pub(super) const fn wire_audio(format: AudioFormat) -> WireAudio {
    match format {
        AudioFormat::Pcm { rate } => WireAudio::Pcm16 { rate_hz: rate },
        AudioFormat::Pcmu => WireAudio::Pcmu,
        AudioFormat::Pcma => WireAudio::Pcma,
    }
}

impl Hearing {
    /// Runs until the session goes.
    pub(super) async fn run(mut self) {
        let mut track_open = true;
        loop {
            tokio::select! {
                pcm = self.sound.recv(), if track_open => match pcm {
                    Some(pcm) => self.hear(pcm).await,
                    None => track_open = false,
                },
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command).await,
                    None => return,
                },
            }
        }
    }

    async fn hear(&mut self, pcm: Pcm) {
        while let Some(played) = self.played.try_recv() {
            self.cleaner.played(&played);
        }
        self.listener.cleaned(self.cleaner.is_at_work(pcm.start));
        let millis = pcm.samples.len() as u64 * 1_000 / u64::from(Pcm::RATE_HZ);
        let heard = self.listener.push(&self.cleaner.clean(pcm));
        let sounds = self.listener.is_speaking() || self.listener.evidence().is_some();
        self.still = if sounds { 0 } else { self.still.saturating_add(1) };
        self.settle();
        for lost in heard.lost {
            metrics::counter!("sightline_audio_lost_total", "reason" => lost.reason.label()).increment(1);
        }
        if !self.listener.is_speaking() {
            metrics::counter!("sightline_silence_milliseconds_total").increment(millis);
        }
        for event in heard.events {
            let _ = self.out.send(Msg::Listen(event)).await;
        }
        if self.attends && sounds {
            let sound = self.listener.early();
            let voice = Msg::Voice { evidence: self.listener.evidence(), at: self.listener.heard_until(), sound };
            // What comes late is worth nothing: the next buffer says it again.
            let _ = self.out.try_send(voice);
        }
        if let Some(so_far) = self.listener.so_far() {
            // Without it there are only no words before the end: a busy session does without.
            let _ = self.out.try_send(Msg::SoFar(so_far));
        }
        self.buffers += 1;
        if self.buffers.is_multiple_of(LEVEL_EVERY) {
            let level = Msg::Level { dbfs: self.listener.level_dbfs(), speaking: self.listener.is_speaking() };
            // A level that comes late is worth nothing, so a busy session does without.
            let _ = self.out.try_send(level);
        }
    }

    fn settle(&self) {
        self.calm.set(!self.attends && self.listener.is_quiet() && self.still >= STILL);
    }

    async fn on_command(&mut self, command: HearCommand) {
        match command {
            HearCommand::Configure(config, now) => self.configure(config, now).await,
            HearCommand::Append { data, format, now } => self.append(&data, format, now).await,
            HearCommand::Attend(on) => {
                self.attends = on;
                self.listener.guard(on);
                self.settle();
            }
            HearCommand::NeedSilence { voiced_until, needed } => {
                if let Some(event) = self.listener.need_silence(voiced_until, needed) {
                    let _ = self.out.send(Msg::Listen(event)).await;
                }
            }
            HearCommand::Commit(now) => {
                let utterance = match self.listener.commit(now) {
                    Ok(ListenEvent::SpeechStopped { utterance, .. }) => Some(utterance),
                    Ok(ListenEvent::SpeechStarted { .. }) | Err(_) => None,
                };
                let _ = self.out.send(Msg::Committed { utterance }).await;
            }
            HearCommand::Clear => {
                self.listener.clear();
                self.wire = None;
            }
        }
    }

    async fn configure(&mut self, config: ListenConfig, now: MediaTime) {
        let outcome = self.listener.set_config(config, now);
        self.settle();
        match outcome {
            Ok(None) => {}
            Ok(Some(event)) => {
                let _ = self.out.send(Msg::Listen(event)).await;
            }
            Err(e) => {
                let error = WireError::invalid(
                    "invalid_value",
                    format!("turn_detection: {e}; the settings before stay in force"),
                );
                let _ = self.out.send(Msg::Complaint(error)).await;
            }
        }
    }

    async fn append(&mut self, data: &[u8], format: AudioFormat, now: MediaTime) {
        if self.wire.as_ref().is_none_or(|w| w.format != format) {
            match Resampler::new(wire_audio(format)) {
                Ok(resampler) => self.wire = Some(WireSound { resampler, format, next: now }),
                Err(e) => {
                    tracing::warn!(error = %e, "sound from the wire cannot be resampled");
                    return;
                }
            }
        }
        let bytes = format.sample_bytes() * (format.rate_hz() / PIECES_A_SECOND) as usize;
        let mut patience = pin!(sleep(PATIENCE));
        for (i, piece) in data.chunks(bytes).enumerate() {
            if i > 0 {
                yield_now().await;
            }
            if i > 0 && !patience.is_elapsed() {
                tokio::select! {
                    biased;
                    () = self.lull.comes() => {}
                    () = &mut patience => {}
                }
            }
            self.append_piece(piece, now).await;
        }
    }

    async fn append_piece(&mut self, data: &[u8], now: MediaTime) {
        let Some(wire) = &mut self.wire else { return };
        let samples = wire.resampler.push(data).unwrap_or_else(|e| {
            tracing::warn!(error = %e, "sound from the wire cannot be resampled");
            Vec::new()
        });
        if samples.is_empty() {
            return;
        }
        // A client may send faster than real time: time follows the sound, and catches up after a pause.
        let pcm = Pcm { start: wire.next, samples: samples.into() };
        let length = Duration::from_micros(pcm.samples.len() as u64 * 1_000_000 / u64::from(Pcm::RATE_HZ));
        wire.next = (wire.next + length).max(now.saturating_sub(Duration::from_millis(500)));
        self.hear(pcm).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{DECODE_TO_LISTEN, PLAYED_TO_LISTEN, WhenFull, queue};
    use crate::listen::TurnDetection;
    use crate::listen::tests::Written;

    async fn hear(hearing: &mut Hearing, buffers: u32, level: f32) {
        for _ in 0..buffers {
            let start = MediaTime::from_millis(u64::from(hearing.buffers) * 40);
            hearing.hear(Pcm { start, samples: vec![level; Pcm::BUFFER_SAMPLES].into() }).await;
        }
    }

    /// A listener to whom nothing comes by itself, and what it tells.
    fn hearing() -> (Hearing, mpsc::Receiver<Msg>) {
        let (_, sound) = queue(DECODE_TO_LISTEN, WhenFull::Refuse);
        let (_, played) = queue(PLAYED_TO_LISTEN, WhenFull::DropOldest);
        let (_, commands) = mpsc::channel(1);
        let (out, told) = mpsc::channel(1_000);
        let listener = Listener::new(Box::new(Written), ListenConfig::default()).unwrap();
        let (cleaner, calm) = (Cleaner::new(|| unreachable!("nothing is played")), Calm::default());
        let (wire, buffers, attends, still) = (None, 0, false, 0);
        let (_, lull) = Lull::told();
        (Hearing { sound, played, cleaner, commands, out, listener, wire, buffers, attends, calm, still, lull }, told)
    }

    #[tokio::test]
    async fn who_sends_half_a_minute_at_once_keeps_nobody_from_being_served() {
        let format = AudioFormat::Pcm { rate: 24_000 };
        let loud = |samples: usize| vec![i16::MAX / 10 * 9; samples];
        let sound = [vec![0; 24_000], loud(24_000 * 26), vec![0; 24_000]].concat();
        let bytes: Vec<u8> = sound.iter().flat_map(|s: &i16| s.to_le_bytes()).collect();
        let served = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let counted = Arc::clone(&served);
        let other = tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        });
        let (mut hearing, mut told) = hearing();
        hearing.append(&bytes, format, MediaTime::from_millis(40_000)).await;
        other.abort();
        let turns = served.load(Ordering::Relaxed);
        assert!(turns >= 200, "somebody else had {turns} turns within 28 s of sound");
        let mut utterances = Vec::new();
        while let Ok(told) = told.try_recv() {
            if let Msg::Listen(ListenEvent::SpeechStopped { utterance, .. }) = told {
                utterances.push(utterance);
            }
        }
        let [one] = &utterances[..] else { panic!("{} utterances", utterances.len()) };
        let (start, length) = (one.start.as_millis(), one.end.since(one.start).as_millis());
        assert!((40_600..=41_000).contains(&start) && (26_000..=26_400).contains(&length), "{start} {length}");
    }

    #[tokio::test]
    async fn sound_that_comes_at_once_waits_for_the_first_words_of_others_but_not_for_long() {
        let format = AudioFormat::Pcm { rate: 16_000 };
        let sound = vec![0; 10 * 32_000];
        let now = MediaTime::from_millis(40_000);
        let (mut hearing, _told) = hearing();
        let (press, lull) = Lull::told();
        hearing.lull = lull;
        for (pressing, bytes, waits) in [
            (None, sound.len(), false),
            (Some(0), sound.len(), false),
            // A microphone's sound.
            (Some(1), 1_280, false),
            (Some(1), sound.len(), true),
        ] {
            press(pressing);
            let patience = sleep(PATIENCE);
            let heard_first = tokio::select! {
                biased;
                () = hearing.append(&sound[..bytes], format, now) => true,
                () = patience => false,
            };
            assert_eq!(heard_first, !waits, "{pressing:?} {bytes}");
        }
        let ended = AtomicBool::new(false);
        let (release, heard) = (sleep(PATIENCE / 10), hearing.append(&sound, format, now));
        let first_word = async {
            release.await;
            ended.store(true, Ordering::Relaxed);
            press(None);
        };
        let told_by_then = async {
            heard.await;
            ended.load(Ordering::Relaxed)
        };
        let (told_by_then, ()) = tokio::join!(told_by_then, first_word);
        assert!(told_by_then, "it goes on when the first word is there");
        // And though no lull comes.
        press(Some(1));
        hearing.append(&sound, format, now).await;
    }

    #[tokio::test]
    async fn sound_is_in_no_hurry_while_nobody_speaks_and_nothing_is_answered() {
        let (mut hearing, _told) = hearing();
        let calm = hearing.calm.clone();
        hear(&mut hearing, STILL - 1, 0.0).await;
        assert!(!calm.is_set(), "somebody may just have spoken");
        hear(&mut hearing, 1, 0.0).await;
        assert!(calm.is_set());
        hearing.on_command(HearCommand::Attend(true)).await;
        assert!(!calm.is_set(), "an answer may be interrupted");
        hearing.on_command(HearCommand::Attend(false)).await;
        assert!(calm.is_set());
        hear(&mut hearing, 10, 0.9).await;
        assert!(!calm.is_set(), "somebody speaks");
        hear(&mut hearing, 2 * STILL, 0.0).await;
        assert!(calm.is_set());
        let manual = ListenConfig { turn_detection: TurnDetection::Manual, ..ListenConfig::default() };
        hearing.on_command(HearCommand::Configure(manual, MediaTime::from_millis(10_000))).await;
        hear(&mut hearing, 2 * STILL, 0.0).await;
        assert!(!calm.is_set(), "what is committed is what was said until then");
    }
}
