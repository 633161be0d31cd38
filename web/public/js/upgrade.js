// Sends a student who has just paid back to the page that was asked for. The gate checks the path
// again: it takes one of this site and nothing else.
import { $ } from "./portal.js";

const wanted = new URLSearchParams(location.search).get("return_to");
if (wanted !== null) $("again").href = `/auth/refresh?return_to=${encodeURIComponent(wanted)}`;
