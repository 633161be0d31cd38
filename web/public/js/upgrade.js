// Refreshes the session of a student who has just paid and returns to the requested page. Without
// this script, the link leads to a page of edge_auth that asks for confirmation.
import { $ } from "./portal.js";

const returnTo = new URLSearchParams(location.search).get("return_to");
const query = `?return_to=${encodeURIComponent(returnTo ?? "/premium/")}`;

async function refreshAccess(event) {
  event.preventDefault();
  const answer = await fetch("/auth/refresh", { method: "POST", cache: "no-store" });
  const page = new URL(returnTo ?? "/premium/", location.origin);
  if (answer.ok && page.origin === location.origin) location.assign(page);
  // edge_auth accepts only paths of this site in return_to.
  else location.assign(`/auth/sign-in${query}`);
}

$("refresh").href = `/auth/refresh${query}`;
$("refresh").addEventListener("click", (event) => {
  refreshAccess(event).catch(() => location.assign($("refresh").href));
});
