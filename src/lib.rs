//! Sightline: a self-hosted server for real-time video dialogue.
//!
//! ```text
//! browser/headset ═ WebRTC ═▶ ingest ── AccessUnit ──▶ decode ──┬─ Picture ──▶ watch ── SceneFacts ─┐
//!                                                               └─ Pcm ──────▶ listen ─ utterance ──┤
//! ◀═ WebSocket / data channel ═ wire ◀── tokens ── engine (one thread owns the device) ◀─ prompt ─ dialogue
//! ```
//!
//! Modules stand in floor order; imports go down only (`tests/tidy.rs` checks it).

// ── floor 0: vocabulary ──
/// Ids, time, media types, boxes, loss reasons.
pub mod base;

// ── floor 1: decisions, pure ──
/// Deadlines per stage, overruns, the degradation ladder.
pub mod budget;
/// Turns, the question, the prompt: what to say next.
pub mod dialogue;
/// Bounded queues, each with a name and a policy when full.
pub mod flow;
/// Voice activity, utterances.
pub mod listen;
/// Hours of what was seen and said, in bounded memory.
pub mod memory;
/// The contract as files: schemas and types for clients.
pub mod schemas;
/// Which frames to look at, and what they add up to.
pub mod watch;
/// The events that clients see.
pub mod wire;

// ── floor 2: one foreign library each ──
/// Access units to RGB and PCM (gstreamer).
pub mod decode;
/// WebRTC in: SDP, ICE, RTP to access units (webrtc).
pub mod ingest;
/// The models themselves (candle; rten for ONNX graphs; earshot for voice activity).
pub mod model;
/// Memories on disk.
pub mod store;
/// Which weights, from where, verified and converted.
pub mod weights;

// ── floor 3: the device ──
/// One thread owns the device and serves every session in turn.
pub mod engine;

// ── floor 4: one conversation ──
/// Wiring of one conversation, and the registry of all.
pub mod session;

// ── floor 5: edges ──
/// Start-up, shutdown, the one clock.
pub mod app;
/// The command line.
pub mod cli;
/// Flags, environment, TOML, defaults.
pub mod config;
/// HTTP and WebSocket.
pub mod server;
/// Logs, spans and metric names.
pub mod telemetry;
