// Shows the path of an event, from the edge to its row in the data lake, by the ID of its request.
import { counted } from "./counted.js";
import { $, showMessage } from "./portal.js";
import { run } from "./queries.js";

const ID = /^[A-Za-z0-9_=-]{1,128}$/;
const LATEST_MS = 86_400_000;
const EARLIEST_MS = 600_000;
const number = new Intl.NumberFormat();

const dayOf = (time) => new Date(time).toISOString().slice(0, 10);
// Athena's times are in UTC and have no zone.
const timeOf = (text) => Date.parse(`${text.replace(" UTC", "").replace(" ", "T")}Z`);

// The folder is the day of the record's arrival in the stream, which is near that at the edge.
function statement(requestId, receivedAt) {
  const time = Date.parse(receivedAt);
  return `SELECT verdict, reason_code, edge_region, stream_region, failover, shard_id, sequence_number,
  record_index, received_at, "$path" AS object, "$file_modified_time" AS stored_at
FROM events
WHERE date BETWEEN '${dayOf(time - EARLIEST_MS)}' AND '${dayOf(time + LATEST_MS)}'
  AND request_id = '${requestId}'
ORDER BY record_index, stored_at`;
}

function step(title, when, texts) {
  const item = document.createElement("li");
  const head = document.createElement("p");
  head.textContent = title;
  const time = document.createElement("span");
  time.className = "quiet";
  time.textContent = ` ${when}`;
  head.append(time);
  const lines = texts.map((text) => {
    const line = document.createElement("p");
    line.className = "quiet";
    line.textContent = text;
    return line;
  });
  const about = document.createElement("div");
  about.append(head, ...lines);
  item.append(about);
  return item;
}

function stepsOf(row, requestId) {
  const received = timeOf(row.received_at);
  const stored = timeOf(row.stored_at);
  const failover = row.failover === "true" ? ", after a failover" : "";
  return [
    step("Edge", new Date(received).toISOString(), [`${row.edge_region || "unknown Region"}, request ${requestId}`]),
    step("Stream", `in ${row.stream_region}${failover}`, [`${row.shard_id} ${row.sequence_number}`]),
    step("Data lake", `${new Date(stored).toISOString()}, ${number.format(stored - received)} ms after the edge`,
      [`row ${row.record_index}, ${row.verdict} ${row.reason_code}`.trim(), row.object]),
  ];
}

/** Reads the row of an event by its request and its position, and shows its steps. */
export async function showPath({ requestId, index, receivedAt, place, regionName }) {
  $("path").hidden = false;
  $("path-steps").replaceChildren();
  if (!ID.test(requestId)) return showMessage($("path-status"), "This event has no request ID.", "bad");
  showMessage($("path-status"), `Looking for request ${requestId}…`);
  $("path").scrollIntoView({ block: "nearest" });
  const result = await run(statement(requestId, receivedAt), place);
  if (!result.ok) return showMessage($("path-status"), result.text, "bad");
  const rows = result.rows.map((values) => Object.fromEntries(result.columns.map(({ name }, at) => [name, values[at]])));
  const found = rows.filter((row) => Number(row.record_index) === index);
  if (!found.length) return showMessage($("path-status"), `The event isn’t in the lake of ${regionName} yet. Its batch may still be on the way.`, "bad");
  $("path-steps").replaceChildren(...stepsOf(found[0], requestId));
  const copies = found.length > 1 ? ` There are ${found.length} rows of it; this is the first.` : "";
  return showMessage($("path-status"), `Event ${index} of the request, with ${counted(rows.length, "row")}.${copies}`, "good");
}
