// The page of the link in the email about an export: sends the proof, and opens the file.
import { t } from "./i18n.js";
import { $, callRepeatedly, errorMessage, onSubmit, showMessage } from "./portal.js";

const form = $("open");
const note = $("status");

// A link ends in "#<exportId>.<token>"; null for another one.
function proofOfExport() {
  const [exportId, token] = location.hash.slice(1).split(".");
  return /^[0-9a-f]{64}$/.test(exportId) && /^[\w-]{43}$/.test(token ?? "") ? { exportId, token } : null;
}

function refuse() {
  form.hidden = true;
  $("again").hidden = false;
  $("invalid").focus();
}

// A button sends the proof, because programs that check the links of an email open them too.
onSubmit(form, async () => {
  const body = proofOfExport();
  if (!body) return refuse();
  const answer = await callRepeatedly("POST", "/exports/proofs", body, note);
  if (answer.status === 404) return refuse();
  if (!answer.ok) return showMessage(note, errorMessage(answer), "bad");
  // The address of an attachment: the page stays.
  location.assign(answer.data.address);
  return showMessage(note, t("The download begins."), "good");
});
