//! `sightline ask`: the same path on a recorded file. The file is watched from its start, then the question is asked.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{AppError, Parts, ReplayClock, SystemClock, build};
use crate::base::{Clock, ErrorClass, MediaTime};
use crate::config::Config;
use crate::decode::{DecodeConfig, DecodeError, FileItem, FileReader, Wanted};
use crate::flow::Pushed;
use crate::session::{OpenOptions, Outgoing, Recorded};
use crate::watch::Picture;

/// Decoded pieces of the file that may wait: GStreamer waits with the rest.
const READ_AHEAD: usize = 8;
/// Most looks at one second of a recording. Nobody waits for the next picture, so a look every second, which is what memory tells
/// apart, is worth more than watching an hour at the pace it was filmed.
const LOOKS_PER_SECOND: f32 = 1.0;

/// What `sightline ask` was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct AskArgs {
    /// A recorded file with picture, and perhaps sound.
    pub file: PathBuf,
    /// The question.
    pub question: String,
    /// Print events and timings as JSON lines instead of the answer.
    pub json: bool,
    /// Ask after this much of the file; at its end when `None`.
    pub at: Option<Duration>,
}

/// Answers one question about a recorded file, on standard output.
///
/// # Errors
/// [`AppError`] when the file or something needed is missing or wrong, or on a defect.
pub fn ask(config: &Config, args: &AskArgs) -> Result<(), AppError> {
    // The file before the models: a wrong name is told at once.
    let decode = DecodeConfig::default();
    let reader = FileReader::open(&args.file, Wanted { video: true, audio: false }, &decode).map_err(file_error)?;
    let clock = Arc::new(ReplayClock::paused());
    let mut config = config.clone();
    config.watch.max_fps = config.watch.max_fps.min(LOOKS_PER_SECOND);
    let Parts { engine, sessions, .. } = build(&config, Arc::clone(&clock) as Arc<dyn Clock>)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| AppError::new(ErrorClass::Internal, format!("cannot start the runtime: {e}")))?;
    let outcome = runtime.block_on(async {
        let extensions = ["latency", "scene", "memory"].map(String::from).to_vec();
        let options = OpenOptions { extensions, ..OpenOptions::default() };
        let recorded = sessions.open_recorded(options).await.map_err(|e| AppError::new(e.class(), e.to_string()))?;
        let outcome = Asker { recorded, clock, watching: SystemClock::start(), args, unheard: 0 }.run(reader).await;
        sessions.close_all().await;
        outcome
    });
    engine.shutdown();
    outcome
}

fn file_error(e: DecodeError) -> AppError {
    AppError::new(e.class(), e.to_string())
}

struct Asker<'a> {
    recorded: Recorded,
    clock: Arc<ReplayClock>,
    /// Runs since the watching began.
    watching: SystemClock,
    args: &'a AskArgs,
    /// Utterances of the recording whose words are not known yet.
    unheard: usize,
}

impl Asker<'_> {
    async fn run(mut self, reader: FileReader) -> Result<(), AppError> {
        // Speech in the recording is written down but not answered: the question comes from the command line.
        self.say(
            &json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection":
            {"type": "server_vad", "create_response": false, "interrupt_response": false}}}}}),
        );
        self.watch(reader).await?;
        self.clock.run();
        // What is said in the recording belongs to what is remembered of it.
        while self.unheard > 0 {
            let outgoing = self.recorded.port.next().await;
            self.on_outgoing(outgoing)?;
        }
        // Out of band: the question stands for itself, and is not joined to what was said in the recording.
        let content = json!([{"type": "input_text", "text": self.args.question}]);
        let item = json!({"type": "message", "role": "user", "content": content});
        self.say(&json!({"type": "response.create", "response": {"conversation": "none", "input": [item]}}));
        self.answer().await
    }

    fn say(&mut self, event: &Value) {
        self.recorded.port.send(&event.to_string());
    }

    /// Pushes the file through the path, picture by picture: the next comes when the one before is dealt with.
    async fn watch(&mut self, reader: FileReader) -> Result<(), AppError> {
        let (items, mut next) = mpsc::channel(READ_AHEAD);
        let until = self.args.at.map(|at| MediaTime::ZERO + at);
        let reading = tokio::task::spawn_blocking(move || read(reader, until, &items));
        let (mut pictures, mut last) = (0u64, MediaTime::ZERO);
        loop {
            let item = tokio::select! {
                item = next.recv() => item,
                outgoing = self.recorded.port.next() => {
                    self.on_outgoing(outgoing)?;
                    continue;
                }
            };
            match item {
                None => break,
                Some(FileItem::Frame(frame)) => {
                    pictures += 1;
                    self.clock.advance_to(frame.capture);
                    let capture = frame.capture;
                    let _ = self.recorded.media.frames.push(Picture::of(frame));
                    self.until_dealt_with(capture).await?;
                    self.show_progress(capture);
                    last = capture;
                }
                Some(FileItem::Pcm(pcm)) => {
                    if let Pushed::Refused(_) = self.recorded.media.sound.push(pcm) {
                        tracing::warn!("the listener is behind: 40 ms of sound are lost");
                    }
                }
            }
        }
        self.end_progress(last);
        reading.await.map_err(|e| AppError::new(ErrorClass::Internal, e.to_string()))?.map_err(file_error)?;
        if pictures == 0 {
            let text = format!("{}: no picture before the moment asked about", self.args.file.display());
            return Err(AppError::new(ErrorClass::Invalid, text));
        }
        Ok(())
    }

    async fn until_dealt_with(&mut self, capture: MediaTime) -> Result<(), AppError> {
        loop {
            let Recorded { port, media } = &mut self.recorded;
            let outgoing = tokio::select! {
                seen = media.progress.wait_for(|p| p.is_some_and(|p| p >= capture)) => {
                    return seen.map(|_| ()).map_err(|_| AppError::new(ErrorClass::Internal, "the watcher stopped"));
                }
                outgoing = port.next() => outgoing,
            };
            self.on_outgoing(outgoing)?;
        }
    }

    fn show_progress(&self, at: MediaTime) {
        if !self.args.json && on_terminal() {
            let until = self.args.at.map(|at| format!(" of {}", MediaTime::ZERO + at)).unwrap_or_default();
            eprint!("\rwatching {at}{until}, {:.1} times as fast as it was filmed ", self.pace(at));
        }
    }

    /// How many seconds of the recording are watched in one.
    fn pace(&self, at: MediaTime) -> f64 {
        at.since(MediaTime::ZERO).as_secs_f64() / self.watching.now().since(MediaTime::ZERO).as_secs_f64().max(0.001)
    }

    fn end_progress(&self, at: MediaTime) {
        let took = self.watching.now().since(MediaTime::ZERO).as_secs_f64();
        tracing::info!(until = %at, took_s = took, pace = self.pace(at), "the recording was watched");
        if !self.args.json {
            let end = if on_terminal() { "\r" } else { "" };
            eprintln!("{end}watched {at} in {took:.1} s, {:.1} times as fast as it was filmed", self.pace(at));
        }
    }

    /// Prints an event when asked to, and counts the utterances under way.
    fn on_outgoing(&mut self, outgoing: Outgoing) -> Result<(), AppError> {
        let event = self.event(outgoing)?;
        match event["type"].as_str().unwrap_or_default() {
            "input_audio_buffer.committed" => self.unheard += 1,
            "conversation.item.input_audio_transcription.completed"
            | "conversation.item.input_audio_transcription.failed" => self.unheard = self.unheard.saturating_sub(1),
            _ => {}
        }
        Ok(())
    }

    /// Prints an event when asked to; gives it back as JSON.
    fn event(&self, outgoing: Outgoing) -> Result<Value, AppError> {
        match outgoing {
            Outgoing::Event(text) => {
                if self.args.json {
                    println!("{text}");
                }
                serde_json::from_str(&text).map_err(|e| AppError::new(ErrorClass::Internal, format!("own event: {e}")))
            }
            Outgoing::TooSlow(full) => Err(AppError::new(ErrorClass::Internal, full.to_string())),
            Outgoing::Ended(reason) => Err(AppError::new(ErrorClass::Internal, reason)),
        }
    }

    async fn answer(&mut self) -> Result<(), AppError> {
        loop {
            let outgoing = self.recorded.port.next().await;
            let event = self.event(outgoing)?;
            match event["type"].as_str().unwrap_or_default() {
                "response.output_text.delta" if !self.args.json => {
                    print!("{}", event["delta"].as_str().unwrap_or_default());
                    let _ = std::io::stdout().flush();
                }
                "error" => {
                    let message = event["error"]["message"].as_str().unwrap_or("refused");
                    return Err(AppError::new(ErrorClass::Invalid, message));
                }
                "response.done" => return self.finish(&event["response"]),
                _ => {}
            }
        }
    }

    fn finish(&self, response: &Value) -> Result<(), AppError> {
        if !self.args.json {
            println!();
        }
        match response["status"].as_str() {
            Some("completed" | "incomplete") => Ok(()),
            _ => {
                let why = response["status_details"]["error"]["message"].as_str().unwrap_or("no reason given");
                Err(AppError::new(ErrorClass::Internal, format!("the answer failed: {why}")))
            }
        }
    }
}

fn on_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}

/// Reads the file until `until`, on a thread that may block.
fn read(mut reader: FileReader, until: Option<MediaTime>, items: &mpsc::Sender<FileItem>) -> Result<(), DecodeError> {
    while let Some(item) = reader.next()? {
        let at = match &item {
            FileItem::Frame(frame) => frame.capture,
            FileItem::Pcm(pcm) => pcm.start,
        };
        if until.is_some_and(|until| at > until) || items.blocking_send(item).is_err() {
            break;
        }
    }
    Ok(())
}
