// Refreshes the session of a student who has just paid and returns to the requested page. edge_auth
// accepts only paths of this site in return_to.
import { $ } from "./portal.js";

const returnTo = new URLSearchParams(location.search).get("return_to");
if (returnTo !== null) $("refresh").href = `/auth/refresh?return_to=${encodeURIComponent(returnTo)}`;
