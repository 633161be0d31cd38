// The page of the link in the email: sends the proof, and waits for the account.
import { $, callRepeatedly, errorMessage, onSubmit, showMessage, waitForOutcome } from "./portal.js";

const form = $("confirm");
const status = $("status");

// The link ends in "#<requestId>.<token>". A button sends it, because programs that check the links
// of an email open them too.
function proof() {
  const [requestId, token] = location.hash.slice(1).split(".");
  return /^[0-9a-f-]{36}$/.test(requestId) && /^[\w-]{43}$/.test(token ?? "") ? { requestId, token } : null;
}

function showSection(section, heading) {
  form.hidden = true;
  $(section).hidden = false;
  $(heading).focus();
}

function show(answer) {
  if (answer.data.status === "created") {
    showSection("done", "ready");
  } else if (answer.data.status === "rejected" || answer.data.status === "failed") {
    showMessage(status, answer.data.reasons.map((reason) => reason.message).join(" "), "bad");
    status.focus();
  } else if (answer.ok) {
    showMessage(status, "This is taking longer than usual. Press the button to check again.", "bad");
  } else {
    showMessage(status, errorMessage(answer), "bad");
  }
}

onSubmit(form, async () => {
  const body = proof();
  if (!body) return showSection("again", "invalid");
  showMessage(status, "Creating your account…");
  const answer = await callRepeatedly("POST", "/accounts/proofs", body, status);
  if (answer.status === 404) return showSection("again", "invalid");
  if (!answer.ok) return showMessage(status, errorMessage(answer), "bad");
  return show(await waitForOutcome(answer.data.link));
});
