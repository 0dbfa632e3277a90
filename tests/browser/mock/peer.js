// SPDX-License-Identifier: MIT OR Apache-2.0
// Runs in the page before its own code: a peer connection without a network, whose other end the test plays.
// `mock.emit(event)` is the server speaking; `mock.state("failed")` is the network.
(() => {
  class Channel extends EventTarget {
    readyState = "connecting";
    onopen = null;
    onclose = null;
    #onmessage = null;
    set onmessage(listener) {
      if (this.#onmessage) this.removeEventListener("message", this.#onmessage);
      this.#onmessage = listener;
      if (listener) this.addEventListener("message", listener);
    }
    send(text) {
      mock.sent.push(JSON.parse(text));
      mock.onsend?.(JSON.parse(text));
    }
    close() {
      this.readyState = "closed";
    }
  }

  class Peer extends EventTarget {
    connectionState = "new";
    iceGatheringState = "complete";
    localDescription = null;
    onconnectionstatechange = null;
    constructor() {
      super();
      mock.peers.push(this);
    }
    createDataChannel(label) {
      this.channel = new Channel();
      this.channel.label = label;
      return this.channel;
    }
    addTransceiver(track, init) {
      const sender = { track, getParameters: () => ({ encodings: [{}] }), setParameters: async () => {}, replaceTrack: async (next) => (sender.track = next) };
      mock.transceivers.push({ kind: track.kind, direction: init.direction, sender });
      return { sender, setCodecPreferences: (codecs) => (mock.codecs = codecs.map((c) => c.mimeType)) };
    }
    async createOffer() {
      return { type: "offer", sdp: "v=0\r\no=mock 0 0 IN IP4 127.0.0.1\r\n" };
    }
    async setLocalDescription(description) {
      this.localDescription = description;
    }
    async setRemoteDescription() {
      if (mock.mute) return;
      setTimeout(() => {
        this.connectionState = "connected";
        this.channel.readyState = "open";
        this.channel.onopen?.();
        mock.emit({ type: "session.created", session: { id: "sess_mock", model: "mock" } });
      }, mock.delay);
    }
    close() {
      this.connectionState = "closed";
    }
  }

  const mock = {
    peers: [],
    sent: [],
    transceivers: [],
    codecs: [],
    delay: 20,
    /** True: the connection never opens. */
    mute: false,
    onsend: null,
    get peer() {
      return mock.peers.at(-1);
    },
    emit(event) {
      mock.peer.channel.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(event) }));
    },
    raw(text) {
      mock.peer.channel.dispatchEvent(new MessageEvent("message", { data: text }));
    },
    state(state) {
      mock.peer.connectionState = state;
      mock.peer.dispatchEvent(new Event("connectionstatechange"));
      mock.peer.onconnectionstatechange?.();
    },
    /** The answers begin to sound: a tone. */
    sound() {
      const context = new AudioContext();
      const tone = context.createOscillator();
      const out = context.createMediaStreamDestination();
      tone.connect(out);
      tone.start();
      mock.peer.ontrack?.({ track: out.stream.getAudioTracks()[0], streams: [out.stream] });
    },
    closeChannel() {
      mock.peer.channel.readyState = "closed";
      mock.peer.channel.onclose?.();
    },
  };
  window.mock = mock;
  window.RTCPeerConnection = Peer;
})();
