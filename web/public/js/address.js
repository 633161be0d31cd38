// The page of the links in the emails about a change of address: sends the proof, and waits for the change.
import { t } from "./i18n.js";
import { $, callRepeatedly, errorMessage, onSubmit, pause, showMessage } from "./portal.js";

const form = $("confirm");
const status = $("status");
const SECTIONS = {
  waiting: ["other", "waiting"],
  changed: ["done", "changed"],
  refused: ["stays", "refused"],
  invalid: ["again", "invalid"],
};
const POLL_MS = 1_000;
const MAX_POLLS = 60;

// A link ends in "#<accountId>.<token>"; null for another one.
function proofOfAddress() {
  const [accountId, token] = location.hash.slice(1).split(".");
  return /^[0-9a-f]{32}$/.test(accountId) && /^[\w-]{43}$/.test(token ?? "") ? { accountId, token } : null;
}

function showSection(outcome) {
  const [section, heading] = SECTIONS[outcome];
  form.hidden = true;
  $(section).hidden = false;
  $(heading).focus();
}

// A repeated proof changes nothing more, and returns how far the change is.
async function sendProof(body) {
  let answer;
  for (let polls = 0; polls < MAX_POLLS; polls += 1) {
    answer = await callRepeatedly("POST", "/address-changes/proofs", body, status);
    if (!answer.ok || answer.data.status !== "changing") return answer;
    showMessage(status, t("Changing your address…"));
    await pause(POLL_MS);
  }
  return answer;
}

// A button sends the proof, because programs that check the links of an email open them too.
onSubmit(form, async () => {
  const body = proofOfAddress();
  if (!body) return showSection("invalid");
  const answer = await sendProof(body);
  if (answer.status === 404) return showSection("invalid");
  if (!answer.ok) return showMessage(status, errorMessage(answer), "bad");
  if (answer.data.status in SECTIONS) return showSection(answer.data.status);
  return showMessage(status, t("This is taking longer than usual. Press the button to check again."), "bad");
});
