// The places whose figures the API has: the home, and further Regions with operations.
const FURTHER = ["ap-south-1"];
let settings = null;

/** Returns what the stage says about itself; nothing without an answer. */
export function stage() {
  settings ??= fetch("/portal.json").then((answer) => answer.json()).catch(() => ({}));
  return settings;
}

/** Returns the places of the stage's Regions. */
export async function places() {
  return ["home", ...((await stage()).regions ?? []).slice(1).filter((region) => FURTHER.includes(region))];
}

/** Returns the Regions of the stage that no operation reads. */
export async function unread() {
  return ((await stage()).regions ?? []).slice(1).filter((region) => !FURTHER.includes(region));
}
