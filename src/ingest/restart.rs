//! ICE restart: a client whose network changed comes back with new credentials, on the same call.
//!
//! The client sends its new credentials alone (RFC 9725 §4.3.3), while the library takes whole offers: the first offer, with the new ones in it, is
//! what the client would have offered. Sockets, ports and keys of the media stay; only the checks begin anew.

use super::negotiate::answer;
use super::offer::{self, IceCredentials, answer_fragment, ice_credentials};
use super::peer::Peer;
use super::{IngestConfig, IngestError};

/// What the client is told back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceAnswer {
    /// Our new user name fragment: it names the new ICE session.
    pub ufrag: String,
    /// Our credentials and candidates, as `application/trickle-ice-sdpfrag`.
    pub fragment: String,
}

/// The ICE session of a peer.
#[derive(Debug, Clone)]
pub(super) struct IceSession {
    /// The offer in force, checked, without candidates.
    pub(super) offer: String,
    /// Our user name fragment.
    pub(super) ufrag: String,
}

impl Peer {
    /// Our user name fragment: it names the ICE session, and changes with each restart.
    #[must_use]
    pub fn ice_ufrag(&self) -> String {
        self.ice().ufrag.clone()
    }

    /// The credentials that the client came with last.
    #[must_use]
    pub fn remote_credentials(&self) -> Option<IceCredentials> {
        ice_credentials(&self.ice().offer)
    }

    /// Begins a new ICE session with the client's new credentials. Media goes on over the old path until the new one is found.
    ///
    /// # Errors
    /// [`IngestError::Refused`] if the library does not take them, [`IngestError::Closed`].
    pub async fn restart_ice(&self, new: &IceCredentials, config: &IngestConfig) -> Result<IceAnswer, IngestError> {
        let (connection, gathered) = self.renegotiable().ok_or(IngestError::Closed)?;
        let mut gathered = gathered.lock().await;
        // Not before: another restart may just have put its own offer in force.
        let offer = offer::with_credentials(&self.ice().offer, new);
        // What was announced before was of the session that ends now.
        while gathered.try_recv().is_ok() {}
        let sdp = answer(&offer, connection.as_ref(), &mut gathered, None).await?;
        let sdp = self.announce(&sdp, &config.public_ips)?;
        let ours = ice_credentials(&sdp).ok_or_else(|| IngestError::Transport {
            what: "restart ICE",
            reason: "the answer has no credentials".to_owned(),
        })?;
        let mut ice = self.ice();
        ice.offer = offer;
        ice.ufrag.clone_from(&ours.ufrag);
        Ok(IceAnswer { ufrag: ours.ufrag, fragment: answer_fragment(&sdp) })
    }
}
