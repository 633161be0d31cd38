// The Regions of the stage, as the paths of the operators' operations name them.
import { call } from "./portal.js";

// A Region may be added or removed while the page is open.
const AGE_MS = 15_000;
let settings = null;
let listed = null;
let listedAt = 0;

/** Returns what the stage says about itself; nothing without an answer. */
export function stage() {
  settings ??= fetch("/portal.json").then((answer) => answer.json()).catch(() => ({}));
  return settings;
}

/** Returns the place and the name of each Region, the home first. */
export function places() {
  if (Date.now() - listedAt > AGE_MS) {
    listedAt = Date.now();
    listed = call("GET", "/operator/regions").then((answer) => answer.data.places ?? known());
  }
  return listed;
}

// The pages name the Regions, too: those of the last deployment.
async function known() {
  const { regions = ["Home Region"] } = await stage();
  return regions.map((regionName, number) => ({ place: number ? `further-${number}` : "home", regionName }));
}
