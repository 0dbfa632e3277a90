#!/usr/bin/env node
// SPDX-License-Identifier: MIT OR Apache-2.0
// A browser that only sends, for benches/peers/ingest.py: node sender.mjs CLIP.mjpeg. Writes its offer to standard output, as JSON, and reads the answer from
// standard input. It sends what the page sends: VP8 in three temporal layers, 640×480, 30 frames a second, and Opus, of silence.
import { createInterface } from "node:readline";
import { launch, openPage } from "./lib/browser.mjs";

const browser = await launch({ clip: process.argv[2] });
const page = await openPage(browser);
await page.route("http://localhost/", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><title>sender</title>" }));
await page.goto("http://localhost/");
const offer = await page.evaluate(async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, frameRate: 30 } });
  // The fake microphone beeps, which is taken for speech and recognised: nobody speaks here.
  const sound = new AudioContext({ sampleRate: 48_000 });
  const [source, silence] = [sound.createConstantSource(), sound.createMediaStreamDestination()];
  source.offset.value = 0;
  source.connect(silence);
  source.start();
  await sound.resume();
  const pc = new RTCPeerConnection();
  window.__pc = pc;
  pc.createDataChannel("oai-events");
  pc.addTransceiver(silence.stream.getAudioTracks()[0], { direction: "sendonly" });
  const video = pc.addTransceiver(stream.getVideoTracks()[0], { direction: "sendonly", sendEncodings: [{ scalabilityMode: "L1T3", maxBitrate: 1_000_000 }] });
  const codecs = RTCRtpReceiver.getCapabilities("video").codecs;
  video.setCodecPreferences(codecs.filter((c) => ["video/VP8", "video/rtx"].includes(c.mimeType)));
  await pc.setLocalDescription();
  await new Promise((done) => {
    if (pc.iceGatheringState === "complete") done();
    pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && done();
  });
  return pc.localDescription.sdp;
});
console.log(JSON.stringify(offer));
for await (const line of createInterface({ input: process.stdin })) {
  await page.evaluate((sdp) => window.__pc.setRemoteDescription({ type: "answer", sdp }), JSON.parse(line));
}
await browser.close();
