// The page of the link in the email: sends the proof, and waits for the account.
import { t } from "./i18n.js";
import {
  $, callRepeatedly, errorMessage, onSubmit, proofOfLink, reasonMessage, showMessage, waitForOutcome,
} from "./portal.js";

const form = $("confirm");
const status = $("status");

function showSection(section, heading) {
  form.hidden = true;
  $(section).hidden = false;
  $(heading).focus();
}

function show(answer) {
  if (answer.data.status === "created") {
    showSection("done", "ready");
  } else if (answer.data.status === "consent") {
    showSection("guardian", "asked");
  } else if (answer.data.status === "rejected" || answer.data.status === "failed") {
    showMessage(status, answer.data.reasons.map(reasonMessage).join(" "), "bad");
    status.focus();
  } else if (answer.ok) {
    showMessage(status, t("This is taking longer than usual. Press the button to check again."), "bad");
  } else {
    showMessage(status, errorMessage(answer), "bad");
  }
}

// A button sends the proof, because programs that check the links of an email open them too.
onSubmit(form, async () => {
  const body = proofOfLink();
  if (!body) return showSection("again", "invalid");
  showMessage(status, t("Creating your account…"));
  const answer = await callRepeatedly("POST", "/accounts/proofs", body, status);
  if (answer.status === 404) return showSection("again", "invalid");
  if (!answer.ok) return showMessage(status, errorMessage(answer), "bad");
  return show(await waitForOutcome(answer.data.link));
});
