// Sends a student who has just paid back to the page that was asked for. The gate checks the path
// again: it takes one of this site and nothing else.
const wanted = new URLSearchParams(location.search).get("return_to");
if (wanted !== null) {
  const again = new URL("/auth/refresh", location.origin);
  again.searchParams.set("return_to", wanted);
  document.getElementById("again").href = again.pathname + again.search;
}
