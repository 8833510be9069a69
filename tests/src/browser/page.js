// The other end of a call, in a browser. A test calls these functions and hears by `tell`, a binding of its own.
"use strict";

let connection, control, camera, wanted;
/** What waits for the description that it belongs to. */
let early = [];
/** What was read off the pictures: their own number, or null; and when, in ms since 1970. */
let shown = [];
let taken = [];
/** What came over the data channel. */
let messages = [];

const theirs = document.getElementById("theirs");
const epoch = (moment) => performance.timeOrigin + moment;

/** Opens camera, microphone and connection. With a codec the pictures have that one and no other. */
async function open(settings) {
  const { width = 640, height = 360, codec = null, bitrate = null } = settings;
  camera = await navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    video: { width, height, frameRate: 30 },
  });
  connection = new RTCPeerConnection();
  connection.onicecandidate = ({ candidate }) =>
    candidate?.candidate && tell(JSON.stringify({ candidate: candidate.candidate }));
  connection.ontrack = ({ track }) => {
    // One element for both, so that they are played in sync.
    const stream = theirs.srcObject ?? new MediaStream();
    stream.addTrack(track);
    theirs.srcObject = stream;
  };
  // The number is `CHANNEL` of carillon-transport.
  control = connection.createDataChannel("control", { negotiated: true, id: 0 });
  control.onmessage = ({ data }) => messages.push(data);
  theirs.requestVideoFrameCallback((now) => tell(JSON.stringify({ first: epoch(now) })));
  wanted = { codec, bitrate };
}

const pictures = () => connection.getTransceivers().find(({ sender }) => sender.track?.kind === "video");

/** Puts the tracks on. As the callee the sections are there by the offer. */
function film({ codec }) {
  for (const track of camera.getTracks()) connection.addTrack(track, camera);
  if (codec) {
    const names = [`video/${codec}`.toLowerCase(), "video/rtx"];
    const { codecs } = RTCRtpReceiver.getCapabilities("video");
    pictures().setCodecPreferences(codecs.filter(({ mimeType }) => names.includes(mimeType.toLowerCase())));
  }
}

/** What is agreed, it sends. The preferences are for what it receives: it might send anything that is in the offer. */
async function send({ codec, bitrate }) {
  const { sender } = pictures();
  const parameters = sender.getParameters();
  const [encoding] = parameters.encodings;
  if (codec) encoding.codec = parameters.codecs.find(({ mimeType }) => mimeType === `video/${codec}`);
  if (bitrate) encoding.maxBitrate = bitrate;
  await sender.setParameters(parameters);
}

async function apply(description) {
  await connection.setRemoteDescription(description);
  const waiting = early;
  early = null;
  for (const line of waiting) await addCandidate(line);
}

/** Calls: gives the offer. */
async function offer(settings) {
  await open(settings);
  film(wanted);
  await connection.setLocalDescription();
  return connection.localDescription.sdp;
}

/** Is called: gives the answer. */
async function answer(sdp, settings) {
  await open(settings);
  await apply({ type: "offer", sdp });
  film(wanted);
  await connection.setLocalDescription();
  await send(wanted);
  return connection.localDescription.sdp;
}

async function answered(sdp) {
  await apply({ type: "answer", sdp });
  await send(wanted);
}

async function addCandidate(candidate) {
  if (early) early.push(candidate);
  else await connection.addIceCandidate({ candidate, sdpMid: "0" });
}

/** Blocks in a row of the bar code, and pixels of a block here. */
const COLUMNS = 38;
const BLOCK = 8;

/** As `picture::bar_code` draws it: two rows in the top eighth. Gives the number, or null. */
function number(pixels) {
  let bits = 0n;
  for (let row = 0; row < 2; row++) {
    for (let column = 0; column < COLUMNS; column++) {
      const [x, y] = [(column + 0.5) * BLOCK, (row + 0.5) * BLOCK];
      const green = pixels[(y * COLUMNS * BLOCK + x) * 4 + 1];
      bits = (bits << 1n) | (green > 126 ? 1n : 0n);
    }
  }
  const body = (bits >> 8n) & 0xffffffffffffffffn;
  let sum = 0;
  for (let byte = 7n; byte >= 0n; byte--) {
    sum ^= Number((body >> (byte * 8n)) & 0xffn);
    for (let bit = 0; bit < 8; bit++) sum = sum & 0x80 ? ((sum << 1) ^ 0x07) & 0xff : sum << 1;
  }
  if (bits >> 72n !== 0b1010n || BigInt(sum) !== (bits & 0xffn)) return null;
  return Number(body >> 40n);
}

/** Reads the bar code of each picture that a video shows. */
function read(video, into) {
  const canvas = new OffscreenCanvas(COLUMNS * BLOCK, 2 * BLOCK);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const look = (now, { width, height, presentationTime, captureTime }) => {
    context.drawImage(video, 0, 0, width, height / 8, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    into.push({
      number: number(data),
      at: epoch(presentationTime),
      captured: captureTime === undefined ? null : epoch(captureTime),
    });
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
}

const watch = () => read(theirs, shown);

/** The same for the own camera, so that a picture's age can be told from its number. */
function watchCamera() {
  const mine = document.createElement("video");
  mine.muted = mine.autoplay = true;
  mine.style.width = "160px";
  mine.srcObject = new MediaStream(camera.getVideoTracks());
  document.body.append(mine);
  read(mine, taken);
}

const sights = () => ({ shown, taken });

/** How things stand. */
async function state() {
  const entries = [...(await connection.getStats()).values()];
  const of = (type, kind) => entries.find((entry) => entry.type === type && entry.kind === kind) ?? {};
  const codec = ({ codecId }) => entries.find(({ id }) => id === codecId)?.mimeType ?? null;
  const [pictures, sound] = [of("inbound-rtp", "video"), of("inbound-rtp", "audio")];
  const numbers = shown.map(({ number }) => number).filter((number) => number !== null);
  return {
    connection: connection.connectionState,
    control: control.readyState,
    received_codec: codec(pictures),
    sent_codec: codec(of("outbound-rtp", "video")),
    sound_codec: codec(sound),
    frames_decoded: pictures.framesDecoded ?? 0,
    bytes_received: pictures.bytesReceived ?? 0,
    frames_shown: shown.length,
    pictures_read: new Set(numbers).size,
    width: pictures.frameWidth ?? 0,
    height: pictures.frameHeight ?? 0,
    repaired: pictures.retransmittedPacketsReceived ?? 0,
    keyframes_asked: pictures.pliCount ?? 0,
    audio_energy: sound.totalAudioEnergy ?? 0,
    messages: messages.length,
  };
}

/** Says something over the data channel, once that is open. */
async function say(payload) {
  if (control.readyState === "connecting") {
    await new Promise((resolve) => control.addEventListener("open", resolve, { once: true }));
  }
  control.send(JSON.stringify(payload));
}
