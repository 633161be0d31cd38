// The page of the link in a guardian's email: shows which student asks, and sends the decision.
import { t } from "./i18n.js";
import {
  $, callRepeatedly, errorMessage, onSubmit, proofOfLink, reasonMessage, showMessage, waitForOutcome,
} from "./portal.js";

const SECTIONS = ["start", "decide", "agreed", "refused", "again"];

// The version of the text that the page shows.
let consentText = "";

function showSection(section, heading) {
  for (const it of SECTIONS) $(it).hidden = it !== section;
  $(heading).focus();
}

function showOutcome(answer, status) {
  const { ok, data } = answer;
  const reasons = data.reasons ?? [];
  if (data.status === "created") {
    showSection("agreed", "thanks");
  } else if (reasons.some((reason) => reason.code === "refused")) {
    showSection("refused", "none");
  } else if (data.status === "rejected" || data.status === "failed") {
    showMessage(status, reasons.map(reasonMessage).join(" "), "bad");
  } else if (ok) {
    showMessage(status, t("This is taking longer than usual. Press the button to check again."), "bad");
  } else {
    showMessage(status, errorMessage(answer), "bad");
  }
}

// Without a decision the API names the student; after one, it returns the link to the outcome.
async function send(decision, status) {
  const proof = proofOfLink();
  if (!proof) return showSection("again", "invalid");
  showMessage(status, t("One moment…"));
  const answer = await callRepeatedly("POST", "/accounts/proofs", { ...proof, ...decision }, status);
  if (answer.status === 404) return showSection("again", "invalid");
  if (!answer.ok) return showMessage(status, errorMessage(answer), "bad");
  if (answer.status === 202) return showOutcome(await waitForOutcome(answer.data.link), status);
  showMessage(status, "");
  $("student").textContent = answer.data.studentEmail;
  return showSection("decide", "question");
}

async function loadText() {
  const answer = await fetch("/vocabularies.json").catch(() => null);
  if (!answer?.ok) return false;
  const { consentTexts } = await answer.json();
  consentText = String(Math.max(...Object.keys(consentTexts).map(Number)));
  $("text").textContent = t(consentTexts[consentText]);
  return true;
}

// A button sends the proof, because programs that check the links of an email open them too.
$("show").addEventListener("click", async () => {
  $("show").disabled = true;
  if (await loadText()) await send({}, $("status"));
  else showMessage($("status"), t("The text couldn’t be loaded. Try again in a moment."), "bad");
  $("show").disabled = false;
});

onSubmit($("decide"), () => send({ decision: "consent", consentText }, $("decide-status")));

$("refuse").addEventListener("click", async () => {
  $("refuse").disabled = true;
  await send({ decision: "refuse" }, $("decide-status"));
  $("refuse").disabled = false;
});
