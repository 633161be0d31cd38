// Plays a lesson's video. CloudFront opens /media/ to cookies that the API signs for some minutes;
// this script renews them while the page is open.
import { language, t } from "./i18n.js";
import { $, call, pause, showError, showMessage } from "./portal.js";

const BUFFER_S = 12;
const RETRY_MS = 5_000;
const video = $("lesson-video");
const note = $("video-status");

// --- cookies -----------------------------------------------------------------------------------

let opening = null;
let timer = 0;

// Concurrent requests share one call. Returns false, and shows a message, if the API refuses.
function openMedia() {
  opening ??= call("POST", "/media-cookies").then(renewLater).finally(() => { opening = null; });
  return opening;
}

function renewLater(answer) {
  clearTimeout(timer);
  const isTemporary = answer.status === 0 || answer.status === 429 || answer.status >= 500;
  if (answer.ok || isTemporary) {
    timer = setTimeout(openMedia, answer.ok ? 1000 * answer.data.renewIn : RETRY_MS);
  }
  if (answer.ok) showMessage(note, "");
  else if (!isTemporary) showError(note, answer);
  return answer.ok;
}

// Browsers delay timers of hidden pages and sleeping computers, so cookies can have expired.
async function fetchMedia(address) {
  const answer = await fetch(address);
  return answer.status === 403 && (await openMedia()) ? fetch(address) : answer;
}

// Waits until the file is there: a video continues after an outage.
async function load(address) {
  for (;;) {
    const answer = await fetchMedia(address).catch(() => null);
    if (answer?.ok) return answer;
    if (answer && answer.status < 500 && answer.status !== 429) throw new Error(address);
    await pause(RETRY_MS);
  }
}

// --- HLS (RFC 8216) with Media Source Extensions -----------------------------------------------

async function lines(address) {
  const text = await (await load(address)).text();
  return text.split(/\r?\n/).filter((line) => line);
}

const attribute = (line, name) => line?.match(new RegExp(`${name}="([^"]*)"`))?.[1];

async function readPlaylist(address) {
  const master = await lines(address);
  const index = master.findIndex((line) => line.startsWith("#EXT-X-STREAM-INF:"));
  const stream = new URL(master[index + 1], address);
  const playlist = await lines(stream);
  const map = attribute(playlist.find((line) => line.startsWith("#EXT-X-MAP:")), "URI");
  const files = [map, ...playlist.filter((line) => !line.startsWith("#"))];
  return {
    type: `video/mp4; codecs="${attribute(master[index], "CODECS")}"`,
    duration: playlist
      .filter((line) => line.startsWith("#EXTINF:"))
      .reduce((sum, line) => sum + parseFloat(line.slice("#EXTINF:".length)), 0),
    files: files.map((file) => new URL(file, stream)),
  };
}

const once = (target, name) => new Promise((done) => target.addEventListener(name, done, { once: true }));

function bufferedSeconds() {
  const { buffered, currentTime } = video;
  return buffered.length ? buffered.end(buffered.length - 1) - currentTime : 0;
}

async function play(address) {
  const { type, duration, files } = await readPlaylist(address);
  const source = new MediaSource();
  video.src = URL.createObjectURL(source);
  await once(source, "sourceopen");
  source.duration = duration;
  const buffer = source.addSourceBuffer(type);
  for (const file of files) {
    // A few segments ahead, as a long video doesn't fit into the browser's memory.
    while (bufferedSeconds() > BUFFER_S) await pause(500);
    const appended = once(buffer, "updateend");
    buffer.appendBuffer(await (await load(file)).arrayBuffer());
    await appended;
  }
  source.endOfStream();
}

// Safari plays HLS itself, and continues after an error with renewed cookies.
function playNatively(address) {
  video.src = address;
  video.addEventListener("error", async () => {
    const { currentTime } = video;
    if (!(await openMedia())) return;
    await pause(RETRY_MS);
    video.src = address;
    video.currentTime = currentTime;
    video.play();
  });
}

async function start() {
  const address = new URL(video.dataset.hls, location.href);
  if (!(await openMedia())) return;
  // Captions are media, too: without the cookies, a browser would give them up.
  for (const track of video.querySelectorAll("track")) {
    track.src = track.dataset.src;
    if (language !== "en" && track.srclang === language) track.track.mode = "showing";
  }
  if ("MediaSource" in window) {
    await play(address).catch(() => showMessage(note, t("The video can’t be played. Reload the page."), "bad"));
  } else {
    playNatively(address);
  }
}

start();
