// The page of the link in the email about an erasure: sends the proof, and waits for the report.
import {
  $, callRepeatedly, erasureLines, errorMessage, onSubmit, pause, showMessage,
} from "./portal.js";

const form = $("confirm");
const status = $("status");
const POLL_MS = 3_000;

// A link ends in "#<erasureId>.<token>"; null for another one.
function proofOfErasure() {
  const [erasureId, token] = location.hash.slice(1).split(".");
  return /^[0-9a-f]{64}$/.test(erasureId) && /^[\w-]{43}$/.test(token ?? "") ? { erasureId, token } : null;
}

function showSection(section, heading) {
  if (!$(section).hidden) return;
  for (const it of ["confirm", "begun", "done", "again"]) $(it).hidden = it !== section;
  $(heading).focus();
}

// A repeated proof changes nothing more, and returns how far the erasure is.
async function follow(body, note) {
  for (;;) {
    const answer = await callRepeatedly("POST", "/erasures/proofs", body, note);
    if (answer.status === 404) return showSection("again", "invalid");
    if (!answer.ok) return showMessage(note, errorMessage(answer), "bad");
    if (answer.data.status === "erased") {
      $("report").replaceChildren(...erasureLines(answer.data));
      return showSection("done", "erased");
    }
    showSection("begun", "running");
    await pause(POLL_MS);
  }
}

// A button sends the proof, because programs that check the links of an email open them too.
onSubmit(form, async () => {
  const body = proofOfErasure();
  if (!body) return showSection("again", "invalid");
  return follow(body, form.hidden ? $("progress") : status);
});
