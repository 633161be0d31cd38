// Who is signed in: the header's links, the member's name, and sign-out.
import { t } from "./i18n.js";

const KEY = "display-name";
const account = document.getElementById("account");

/** Remembers the member's name for the next pages of this tab; null forgets it. */
export function saveName(name) {
  try {
    if (name === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, name);
  } catch {
    // Each page asks the API.
  }
}

function savedName() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

// The name of the preferences: one call for each tab. Members without preferences have none.
async function readName(call) {
  const answer = await call("GET", "/profile");
  if (!answer.ok && answer.status !== 404) return null;
  const name = answer.data.displayName ?? "";
  saveName(name);
  return name;
}

async function showName(call) {
  const name = savedName() ?? (await readName(call));
  if (name === null) return;
  const who = document.createElement("span");
  who.className = "who";
  who.textContent = name ? t("Signed in as {0}", name) : t("Signed in");
  account.before(who);
  // On a phone, the account page shows it.
  const line = document.getElementById("signed-in");
  if (line) line.textContent = who.textContent;
}

/** Shows the parts of the page for members, if the visitor is one. `call` calls the API. */
export async function showAccount(call) {
  try {
    const answer = await fetch("/auth/session", { cache: "no-store" });
    const session = await answer.json();
    if (!session.signed_in && !session.renewable) {
      saveName(null);
      return;
    }
  } catch {
    return;
  }
  // Offers to visitors aren't for members.
  document.getElementById("join").hidden = true;
  for (const offer of document.querySelectorAll(".guest")) offer.hidden = true;
  for (const part of document.querySelectorAll(".member")) part.hidden = false;
  account.textContent = t("Sign out");
  account.href = "/auth/sign-out";
  account.addEventListener("click", signOut);
  await showName(call);
}

// The link's own page asks for confirmation: GET requests don't sign out. `replace` removes this
// page from the history, so that the back button can't show it.
async function signOut(event) {
  event.preventDefault();
  saveName(null);
  try {
    const answer = await fetch("/auth/sign-out", { method: "POST", cache: "no-store" });
    location.replace((await answer.json()).sign_out_at);
  } catch {
    location.replace("/auth/sign-out");
  }
}
