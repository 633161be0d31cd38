// The account page: preferences, change of address, export, erasure, feedback. appointments.js has the appointments.
import { saveLanguage, t } from "./i18n.js";
import { saveName } from "./member.js";
import { $, call, callRepeatedly, onSubmit, setFieldError, showError, showMessage } from "./portal.js";

// --- preferences ---------------------------------------------------------------------------------

const profile = $("profile");
const profileStatus = $("profile-status");
const ZONE = /^[A-Za-z_]+(\/[A-Za-z0-9_+-]+){0,2}$/;

function showPreferences(preferences) {
  $("displayName").value = preferences.displayName ?? "";
  $("locale").value = preferences.locale;
  $("timeZone").value = preferences.timeZone;
  $("emailReminders").checked = preferences.emailReminders ?? false;
  for (const box of profile.querySelectorAll("[name=interests]")) {
    box.checked = preferences.interests?.includes(box.value) ?? false;
  }
}

function formPreferences() {
  const boxes = [...profile.querySelectorAll("[name=interests]:checked")];
  const name = $("displayName").value.trim();
  return {
    ...(name && { displayName: name }),
    locale: $("locale").value,
    timeZone: $("timeZone").value.trim(),
    emailReminders: $("emailReminders").checked,
    interests: boxes.map((box) => box.value),
  };
}

// The appointments are shown in this time zone.
function tellTimeZone(timeZone) {
  document.dispatchEvent(new CustomEvent("time-zone", { detail: timeZone }));
}

async function loadProfile() {
  const zones = Intl.supportedValuesOf?.("timeZone") ?? [];
  $("zones").append(...zones.map((zone) => new Option(zone, zone)));
  const answer = await call("GET", "/profile");
  if (answer.ok) {
    tellTimeZone(answer.data.timeZone);
    return showPreferences(answer.data);
  }
  if (answer.status !== 404) return showError(profileStatus, answer);
  $("timeZone").value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return showMessage(profileStatus, t("You haven’t saved any preferences yet."));
}

onSubmit(profile, async () => {
  const preferences = formPreferences();
  const valid = ZONE.test(preferences.timeZone);
  setFieldError($("timeZone"), valid ? "" : t("Enter a valid time zone, such as Asia/Kolkata."));
  if (!valid) return $("timeZone").focus();
  const answer = await call("PUT", "/profile", preferences);
  if (!answer.ok) return showError(profileStatus, answer);
  tellTimeZone(preferences.timeZone);
  // The next page has this language and this name.
  saveLanguage(preferences.locale);
  saveName(preferences.displayName ?? "");
  return showMessage(profileStatus, t("Saved."), "good");
});

// --- change of address ---------------------------------------------------------------------------

// The same id for a repeated request, so that a lost response sends no second emails.
const asked = { email: "", requestId: "" };

onSubmit($("address-form"), async () => {
  const note = $("address-status");
  const field = $("new-address");
  const email = field.value.trim();
  setFieldError(field, email.includes("@") ? "" : t("Enter an email address."));
  if (!email.includes("@")) return field.focus();
  if (asked.email !== email) Object.assign(asked, { email, requestId: crypto.randomUUID() });
  const answer = await callRepeatedly("POST", "/address-changes", { ...asked }, note);
  if (!answer.ok) return showError(note, answer);
  Object.assign(asked, { email: "", requestId: "" });
  field.value = "";
  return showMessage(note, t("We’ve sent a link to each address. Open both within 24 hours; your address stays until then."), "good");
});

// --- export --------------------------------------------------------------------------------------

onSubmit($("export-form"), async () => {
  const note = $("export-status");
  const answer = await callRepeatedly("POST", "/exports", { requestId: crypto.randomUUID() }, note);
  if (!answer.ok) return showError(note, answer);
  const text = answer.data.status === "ready"
    ? t("We’ve sent you the link within the last hour. Look into your mailbox.")
    : t("We’re making the file. You get a link by email in some minutes.");
  return showMessage(note, text, "good");
});

// --- erasure -------------------------------------------------------------------------------------

// The same id for a repeated request, so that a lost response sends no second email.
const erasureId = crypto.randomUUID();
const ASKED = {
  student: () => t("We’ve sent you a link. Open it within 24 hours to erase your account; until then, everything stays."),
  guardian: () => t("We’ve sent a link to your parent or guardian, who can erase your account within 24 hours. Until then, everything stays."),
};

onSubmit($("erase-form"), async () => {
  const note = $("erase-status");
  const answer = await callRepeatedly("POST", "/erasures", { requestId: erasureId }, note);
  if (!answer.ok) return showError(note, answer);
  const { status, confirmedBy } = answer.data;
  const asked = status === "waiting" && ASKED[confirmedBy];
  return showMessage(note, asked ? asked() : t("Your account is being erased."), "good");
});

// --- feedback ------------------------------------------------------------------------------------

onSubmit($("feedback-form"), async () => {
  const note = $("feedback-status");
  const message = $("message").value.trim();
  setFieldError($("message"), message ? "" : t("Enter a message."));
  if (!message) return $("message").focus();
  const answer = await call("POST", "/feedback", { message, topic: $("topic").value });
  if (!answer.ok) return showError(note, answer);
  $("message").value = "";
  return showMessage(note, t("Thank you for your feedback."), "good");
});

loadProfile();
