// Draws a state machine from its definition, with the states that an execution has entered.
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 156;
const HEIGHT = 32;
const GAP_X = 16;
const GAP_Y = 40;

function shape(name, attributes, text = "") {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.textContent = text;
  return element;
}

/** Returns the names of the states that can follow a state. */
function following({ Next, Default, Choices = [], Catch = [] }) {
  const names = [Next, Default, ...Choices.map((choice) => choice.Next), ...Catch.map((caught) => caught.Next)];
  return new Set(names.filter(Boolean));
}

// Each state is one row below the first state that leads to it.
function rowsOf({ StartAt, States }) {
  const depths = new Map([[StartAt, 0]]);
  const pending = [StartAt];
  while (pending.length) {
    const name = pending.shift();
    for (const next of following(States[name])) {
      if (depths.has(next)) continue;
      depths.set(next, depths.get(name) + 1);
      pending.push(next);
    }
  }
  const rows = [];
  for (const [name, depth] of depths) (rows[depth] ??= []).push(name);
  return rows;
}

/** Returns a drawing; `entered` has the states in their order, and `outcome` is "good", "bad" or "". */
export function drawMachine(definition, entered, outcome) {
  const rows = rowsOf(definition);
  const widest = Math.max(...rows.map((row) => row.length));
  const width = widest * (WIDTH + GAP_X) + GAP_X;
  const height = rows.length * (HEIGHT + GAP_Y);
  const places = new Map();
  rows.forEach((row, depth) => row.forEach((name, index) => {
    const left = (width - row.length * (WIDTH + GAP_X) + GAP_X) / 2;
    places.set(name, { x: left + index * (WIDTH + GAP_X), y: depth * (HEIGHT + GAP_Y) + GAP_Y / 2 });
  }));
  const last = entered.at(-1);
  const passed = new Set(entered.slice(1).map((name, index) => `${entered[index]} ${name}`));
  const drawing = shape("svg", {
    class: "machine", viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
    "aria-label": entered.length ? `States entered: ${entered.join(", ")}.` : "No state has been entered.",
  });
  for (const [name, from] of places) {
    for (const next of following(definition.States[name])) {
      const to = places.get(next);
      const down = to.y > from.y;
      const [x1, y1] = [from.x + WIDTH / 2, down ? from.y + HEIGHT : from.y];
      const [x2, y2] = [to.x + WIDTH / 2, down ? to.y : to.y + HEIGHT];
      const bend = down ? (y2 - y1) / 2 : -GAP_Y / 2;
      const kind = passed.has(`${name} ${next}`) ? "way passed" : "way";
      drawing.append(shape("path", { class: kind, d: `M${x1} ${y1} C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}` }));
    }
  }
  for (const [name, { x, y }] of places) {
    const mark = name === last ? `last ${outcome}` : "";
    const group = shape("g", { class: `state ${entered.includes(name) ? "entered" : ""} ${mark}`.trim().replace(/\s+/g, " ") });
    group.append(
      shape("rect", { x, y, width: WIDTH, height: HEIGHT, rx: 8 }),
      shape("text", { x: x + WIDTH / 2, y: y + 21 }, name),
    );
    drawing.append(group);
  }
  return drawing;
}
