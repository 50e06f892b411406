"use strict";

// The table is the calibration file's; the server judges it after every change and draws the grid.
let table = null;
let begun = [];
let dragged = null;
let asked = 0;
let timer = null;

const find = (id) => document.getElementById(id);
const tool = () => document.querySelector("input[name=tool]:checked").value;
const lane = () => table.lane[find("lane").selectedIndex];
const rounded = (value) => Math.round(value * 10) / 10;

function element(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function place(event) {
  const box = find("drawing").getBoundingClientRect();
  const { width_px: width, height_px: height } = table.frame;
  const x = (event.clientX - box.left) / box.width * width;
  const y = (event.clientY - box.top) / box.height * height;
  return [rounded(Math.min(Math.max(x, 0), width)), rounded(Math.min(Math.max(y, 0), height))];
}

function nearestMark([x, y]) {
  const reach = table.frame.width_px / 60;
  let best = null;
  for (const point of table.point) {
    const away = Math.hypot(point.x_px - x, point.y_px - y);
    if (away < reach && (best === null || away < best.away)) best = { point, away };
  }
  return best && best.point;
}

function draw() {
  const drawing = find("drawing");
  const { width_px: width, height_px: height } = table.frame;
  const size = width / 90;
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.replaceChildren();
  const label = (x, y, text) => drawing.append(element("text", { x: x + size / 2, y: y - size / 2, "font-size": size * 1.4 }, text));
  for (const one of table.lane) {
    for (const kind of ["speed_zone", "count_line", "stop_line", "second_line"]) {
      if (!one[kind] || !one[kind].length) continue;
      drawing.append(element(kind === "speed_zone" ? "polygon" : "polyline", { points: one[kind].join(" "), class: kind }));
      label(...one[kind][0], `${one.id} ${kind.replace("_", " ")}`);
    }
  }
  const byName = Object.fromEntries(table.point.map((point) => [point.name, point]));
  for (const { from, to } of table.distance) {
    const [a, b] = [byName[from], byName[to]];
    if (a && b) drawing.append(element("line", { x1: a.x_px, y1: a.y_px, x2: b.x_px, y2: b.y_px, class: "distance" }));
  }
  for (const point of table.point) {
    drawing.append(element("circle", { cx: point.x_px, cy: point.y_px, r: size / 3 }));
    label(point.x_px, point.y_px, point.name);
  }
  if (begun.length) drawing.append(element("polyline", { points: begun.join(" "), class: "begun" }));
}

function field(row, key, type, isOptional) {
  const input = document.createElement("input");
  input.type = type;
  if (type === "number") input.step = "any";
  input.value = row[key] ?? "";
  input.addEventListener("change", () => {
    const old = row[key];
    if (input.value === "" && isOptional) delete row[key];
    else row[key] = type === "number" ? (input.value === "" ? null : Number(input.value)) : input.value;
    if (key === "name") {
      for (const one of table.distance) for (const end of ["from", "to"]) if (one[end] === old) one[end] = row.name;
    }
    changed();
  });
  return input;
}

function rowOf(parts, remove) {
  const row = document.createElement("tr");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Remove";
  button.addEventListener("click", () => { remove(); changed(); });
  for (const part of [...parts, button]) row.insertCell().append(part);
  return row;
}

function drawnPart(one) {
  const span = document.createElement("span");
  for (const kind of ["count_line", "speed_zone", "stop_line", "second_line"]) {
    if (!one[kind] || !one[kind].length) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `✕ ${kind.replace("_", " ")}`;
    button.addEventListener("click", () => { delete one[kind]; changed(); });
    span.append(button, " ");
  }
  return span;
}

function list() {
  find("points").replaceChildren(...table.point.map((point, at) => rowOf(
    [field(point, "name", "text"), field(point, "x_px", "number"), field(point, "y_px", "number"),
      field(point, "x_m", "number", true), field(point, "y_m", "number", true), field(point, "uncertainty_m", "number", true)],
    () => {
      table.point.splice(at, 1);
      table.distance = table.distance.filter((one) => one.from !== point.name && one.to !== point.name);
    })));
  find("distances").replaceChildren(...table.distance.map((one, at) => rowOf(
    [one.from, one.to, field(one, "metres", "number"), field(one, "uncertainty_m", "number")],
    () => table.distance.splice(at, 1))));
  find("lanes").replaceChildren(...table.lane.map((one, at) => rowOf(
    [field(one, "id", "text"), drawnPart(one)], () => table.lane.splice(at, 1))));
  const chosen = Math.max(0, find("lane").selectedIndex);
  find("lane").replaceChildren(...table.lane.map((one) => new Option(one.id)));
  find("lane").selectedIndex = Math.min(chosen, table.lane.length - 1);
}

function changed() {
  find("saved").textContent = "";
  list();
  draw();
  clearTimeout(timer);
  timer = setTimeout(check, 200);
}

async function post(name) {
  const answer = await fetch(name, { method: "POST", body: JSON.stringify(table) });
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return answer.json();
}

async function check() {
  const asking = ++asked;
  const { problems, report, picture } = await post("check");
  if (asking !== asked) return;
  showProblems(problems);
  find("frame").src = picture ?? "frame.jpg";
  find("report").textContent = report ? sentence(report) : "";
}

function showProblems(problems) {
  find("problems").replaceChildren(...problems.map((problem) => {
    const item = document.createElement("li");
    item.textContent = problem;
    return item;
  }));
}

function sentence(report) {
  const zones = report.lanes.filter((one) => one.speed_zone).map((one) =>
    `Zone ${one.id}: ${one.speed_zone.length_m.toFixed(2)} m ± ${one.speed_zone.uncertainty_m.toFixed(2)} m.`);
  if (!report.survey) return "No survey: this camera counts, and measures no speed.";
  const { from, to, length_m: length, uncertainty_m: sure } = report.survey.longest;
  return [`Fits. ${from} to ${to}: ${length.toFixed(2)} m ± ${sure.toFixed(2)} m (k = 2).`, ...zones].join(" ");
}

function freeName() {
  const names = new Set(table.point.map((point) => point.name));
  for (let at = 0; ; at++) {
    const name = String.fromCharCode(65 + at % 26) + (at < 26 ? "" : Math.floor(at / 26));
    if (!names.has(name)) return name;
  }
}

function clickDistance(at) {
  const mark = nearestMark(at);
  if (mark === null) {
    find("hint").textContent = "Click on a mark.";
    return;
  }
  begun.push([mark.x_px, mark.y_px]);
  begun.names = [...(begun.names ?? []), mark.name];
  if (begun.names.length === 2) {
    const [from, to] = begun.names;
    begun = [];
    if (from !== to) table.distance.push({ from, to, metres: null, uncertainty_m: 0.03 });
  }
  changed();
}

function click(event) {
  const at = place(event);
  find("hint").textContent = "";
  if (tool() === "point") {
    table.point.push({ name: freeName(), x_px: at[0], y_px: at[1] });
    changed();
  } else if (tool() === "distance") {
    clickDistance(at);
  } else if (!lane()) {
    find("hint").textContent = "Make a lane first.";
  } else {
    begun.push(at);
    if (tool() !== "speed_zone" && begun.length === 2) {
      lane()[tool()] = begun;
      begun = [];
    }
    changed();
  }
}

function finishZone() {
  if (tool() !== "speed_zone" || !lane()) return;
  begun.pop(); // the second click of the double click
  if (begun.length >= 3) lane().speed_zone = begun;
  begun = [];
  changed();
}

function listen() {
  const drawing = find("drawing");
  drawing.addEventListener("pointerdown", (event) => {
    dragged = tool() === "point" ? nearestMark(place(event)) : null;
    if (dragged === null) click(event);
  });
  drawing.addEventListener("pointermove", (event) => {
    if (dragged === null) return;
    [dragged.x_px, dragged.y_px] = place(event);
    draw();
  });
  window.addEventListener("pointerup", () => {
    if (dragged !== null) changed();
    dragged = null;
  });
  drawing.addEventListener("dblclick", finishZone);
  find("tools").addEventListener("change", () => { begun = []; draw(); });
  find("add-lane").addEventListener("click", () => {
    table.lane.push({ id: String(table.lane.length + 1) });
    list();
    find("lane").selectedIndex = table.lane.length - 1;
    changed();
  });
  find("survey_date").addEventListener("change", (event) => {
    table.survey_date = event.target.value;
    changed();
  });
  find("sigma_px").addEventListener("change", (event) => {
    table.sigma_px = Number(event.target.value);
    changed();
  });
  find("save").addEventListener("click", async () => {
    const { problems, sha256 } = await post("save");
    showProblems(problems);
    find("saved").textContent = sha256 ? `Saved; SHA-256 ${sha256}` : "Not saved.";
  });
}

async function start() {
  table = { point: [], distance: [], lane: [], sigma_px: 1.0, ...await (await fetch("table.json")).json() };
  find("survey_date").value = table.survey_date ?? "";
  find("sigma_px").value = table.sigma_px;
  listen();
  changed();
}

start();
