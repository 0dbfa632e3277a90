//! The voice's own thread: a piece of an answer is one step of a second or more, for which tokens, words and looks must not wait.
//!
//! In: `SESSION_TO_VOICE`, pieces of answers, first come, first served; each session has one there at a time, so sessions take turns. Out: sound.
//! Loses: nothing; a piece that nobody waits for any more is not spoken.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::flow::SESSION_TO_VOICE;
use crate::model::voice::{Speech, Voice};

use super::EngineError;
use super::handle::Shared;
use super::worker::guarded;

/// A piece to be spoken.
pub(super) struct SpeakJob {
    pub(super) text: String,
    pub(super) speed: f32,
    pub(super) cancel: CancellationToken,
    pub(super) reply: oneshot::Sender<Result<Speech, EngineError>>,
}

/// Starts the thread. It ends with the last sender, or with the engine after the piece it is at; nobody waits for it.
pub(super) fn start(voice: Box<dyn Voice>, shared: Arc<Shared>) -> Result<mpsc::Sender<SpeakJob>, EngineError> {
    let (jobs, queue) = mpsc::channel(SESSION_TO_VOICE.capacity);
    let run = move || run(voice, queue, &shared);
    std::thread::Builder::new().name("voice".to_owned()).spawn(run).map_err(EngineError::Thread)?;
    Ok(jobs)
}

fn run(mut voice: Box<dyn Voice>, mut queue: mpsc::Receiver<SpeakJob>, shared: &Shared) {
    while let Some(job) = queue.blocking_recv() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        if job.cancel.is_cancelled() || job.reply.is_closed() {
            continue;
        }
        let begun = shared.clock.now();
        let spoken = guarded(shared, "voice", || voice.speak(&job.text, job.speed)).and_then(|s| Ok(s?));
        let took = shared.clock.now().since(begun).as_secs_f64();
        if let Ok(speech) = &spoken
            && !speech.samples.is_empty()
        {
            metrics::histogram!("sightline_voice_seconds").record(took);
            #[allow(clippy::cast_precision_loss, reason = "a duration in milliseconds")]
            let sound = speech.duration_ms() as f64 / 1_000.0;
            metrics::gauge!("sightline_voice_rtf").set(took / sound);
        }
        let _ = job.reply.send(spoken);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::sync::CancellationToken;

    use crate::base::{ManualClock, SessionId};
    use crate::engine::{Engine, EngineConfig, EngineError, EngineHandle, EngineParts};
    use crate::model::voice::hum::Hum;

    fn start(voice: bool) -> (Engine, EngineHandle) {
        let parts = EngineParts { voice: voice.then(|| Box::new(Hum) as _), ..EngineParts::default() };
        Engine::start(parts, EngineConfig::default(), Arc::new(ManualClock::default())).unwrap()
    }

    #[tokio::test]
    async fn pieces_are_spoken_in_turn_and_one_that_fails_harms_no_other() {
        let (_engine, handle) = start(true);
        assert!(handle.has_voice());
        let session = handle.attach(SessionId::new("s")).unwrap();
        let say = |text: &str| session.speak(text.to_owned(), 1.0, CancellationToken::new());
        let (first, failed, second) = tokio::join!(say("a red cup"), say("FAIL"), say("yes"));
        assert_eq!(first.unwrap().words.len(), 3);
        assert!(matches!(failed, Err(EngineError::Voice(_))));
        assert_eq!(second.unwrap().words.len(), 1);
        let given_up = CancellationToken::new();
        given_up.cancel();
        assert!(session.speak("no".to_owned(), 1.0, given_up).await.is_err());
    }

    #[tokio::test]
    async fn without_a_voice_and_after_the_end_it_says_so() {
        let (_engine, handle) = start(false);
        let session = handle.attach(SessionId::new("s")).unwrap();
        let say = || session.speak("a".to_owned(), 1.0, CancellationToken::new());
        assert!(matches!(say().await, Err(EngineError::NoVoice)));
        let (engine, handle) = start(true);
        engine.shutdown();
        let session = handle.attach(SessionId::new("s")).unwrap();
        assert!(matches!(
            session.speak("a".to_owned(), 1.0, CancellationToken::new()).await,
            Err(EngineError::Stopped)
        ));
    }
}
