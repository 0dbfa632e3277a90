//! The `oai-events` data channel: text messages in, events out.

use std::sync::{Arc, PoisonError};

use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::error::Error;

use super::peer::Shared;
use super::stack::{MAX_BUFFERED_BYTES, MAX_MESSAGE_BYTES};
use super::{IngestError, PeerEvent};

/// The channel on which events travel; the client creates it.
pub(super) const EVENT_CHANNEL: &str = "oai-events";

/// Takes an opened channel: reads it until it ends if it is the event channel, closes it otherwise.
pub(super) async fn run(shared: Arc<Shared>, channel: Arc<dyn DataChannel>) {
    let Ok(label) = channel.label().await else { return };
    if label != EVENT_CHANNEL || !adopt(&shared, &channel) {
        tracing::debug!(%label, "closing a data channel that nobody reads");
        let _ = channel.close().await;
        return;
    }
    if shared.events.message(PeerEvent::DataOpen { label: label.clone() }).await {
        read(&shared, channel.as_ref()).await;
    }
    shared.channel.lock().unwrap_or_else(PoisonError::into_inner).take();
    shared.events.message(PeerEvent::DataClosed { label }).await;
}

/// Makes `channel` the event channel, unless there is one.
fn adopt(shared: &Shared, channel: &Arc<dyn DataChannel>) -> bool {
    let mut slot = shared.channel.lock().unwrap_or_else(PoisonError::into_inner);
    if slot.is_some() || shared.is_closing() {
        return false;
    }
    *slot = Some(Arc::clone(channel));
    true
}

async fn read(shared: &Shared, channel: &dyn DataChannel) {
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnMessage(message) => {
                // Some clients send JSON as binary; it is text all the same.
                let Ok(text) = String::from_utf8(message.data.to_vec()) else {
                    metrics::counter!("sightline_ingest_data_refused_total", "reason" => "not_utf8").increment(1);
                    continue;
                };
                // Waiting here is the back-pressure: SCTP stops the client when nobody reads.
                if !shared.events.message(PeerEvent::DataMessage(text)).await {
                    return;
                }
            }
            DataChannelEvent::OnClose | DataChannelEvent::OnError => return,
            _ => {}
        }
    }
    shared.transport_stopped();
}

/// Sends one event, without waiting for the client to read.
pub(super) async fn send(shared: &Shared, text: &str) -> Result<(), IngestError> {
    if shared.is_closing() {
        return Err(IngestError::Closed);
    }
    let limit = shared.max_message_size.min(MAX_MESSAGE_BYTES);
    if text.len() > limit {
        return Err(IngestError::EventTooLarge { got: text.len(), limit });
    }
    let channel = shared.channel.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let channel = channel.ok_or(IngestError::NoChannel { label: EVENT_CHANNEL })?;
    channel.try_send_text(text).await.map_err(|error| match error {
        Error::ErrSendBufferFull => IngestError::ChannelFull { limit: MAX_BUFFERED_BYTES },
        Error::ErrDataChannelClosed => IngestError::NoChannel { label: EVENT_CHANNEL },
        other => super::stack::failed("send an event", &other),
    })
}
