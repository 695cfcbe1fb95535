// A tile for each member: what they do now, and the last five minutes.

import { fitCanvas, traceLine } from "./drawing.js";
import { indexSince, isFresh } from "./recording.js";
import { lengthOf, percentOf, put } from "./words.js";

const LINE_MS = 300_000;
const LEAST_SPAN_BPM = 40; // of a line's height, so that a resting heart is no mountain range
const LEAST_WIDTH = 140;
const LEAST_HEIGHT = 80;
const SILENT_MS = 60_000; // after which the last reading is no longer shown as the member's heart rate
const ZONE_MEANING = "Zone 1 to 5: from 50, 60, 70, 80, 90 % of the highest heart rate; 0 is below";

export class Tile {
  #line;
  #canvas;
  #drawnAt = null;

  constructor(onChoose, onPoint) {
    this.node = element("li", "tile");
    this.name = element("button", "name");
    this.name.type = "button";
    this.age = element("span", "age");
    this.bpm = element("b", "bpm");
    this.zone = element("span", "zone");
    this.zone.title = ZONE_MEANING;
    this.range = element("span", "range");
    this.coverage = element("span", "coverage");
    this.#canvas = element("canvas", "");
    this.#canvas.setAttribute("aria-hidden", "true");
    this.#line = element("div", "line");
    this.#line.append(this.#canvas);
    const facts = element("div", "facts");
    facts.append(this.range, this.age, this.coverage);
    this.node.append(this.name, this.bpm, this.zone, this.#line, facts);
    this.node.addEventListener("click", onChoose);
    for (const event of ["pointerenter", "focusin"]) this.node.addEventListener(event, () => onPoint(true));
    for (const event of ["pointerleave", "focusout"]) this.node.addEventListener(event, () => onPoint(false));
  }

  /** Show a member as they are at `now`; `swatch` is the class of their line in the chart, `lost` that nothing is heard. */
  show(member, now, { chosen, swatch, lost }) {
    const age = now - (member.at ?? member.times.at(-1)); // the reading may be one of the recorder's last run
    const fresh = !lost && isFresh(member, now);
    const silent = member.bpm === null || age > SILENT_MS;
    this.node.className = `tile ${fresh ? "" : "stale"} ${silent ? "silent" : ""}`;
    this.node.dataset.zone = member.zone === null || silent ? "none" : member.zone;
    put(this.name, member.name);
    this.name.title = member.name;
    this.name.setAttribute("aria-pressed", String(chosen));
    this.name.className = `name ${swatch}`;
    put(this.bpm, silent ? "–" : String(member.bpm));
    put(this.zone, member.zone === null || silent ? "" : String(member.zone));
    put(this.age, fresh || lost ? agoText(age) : `no reading for ${lengthOf(age)}`);
    put(this.range, member.lowest === null ? "" : `${member.lowest} to ${member.highest}`);
    this.range.title = "Lowest and highest bpm";
    put(this.coverage, (member.coverage === null ? "" : percentOf(member.coverage)) + (member.left_out ? " *" : ""));
    this.coverage.title = coverageTitle(member.left_out);
    this.#draw(member, now);
  }

  /** Draw the line again, also if no pixel moved: after a change of size or colours. */
  forget() {
    this.#drawnAt = null;
  }

  #draw(member, now) {
    const { width, height } = this.#line.getBoundingClientRect();
    if (width < 2 || height < 2) return;
    const step = LINE_MS / width; // the line moves by whole pixels, and is drawn when it does
    const end = Math.floor(now / step) * step;
    if (end === this.#drawnAt) return;
    this.#drawnAt = end;
    const context = fitCanvas(this.#canvas, width, height);
    const begin = indexSince(member.times, end - LINE_MS);
    if (begin === member.times.length) return;
    const shown = member.bpms.slice(begin);
    const lowest = shown.reduce((a, b) => Math.min(a, b));
    const highest = shown.reduce((a, b) => Math.max(a, b));
    const span = Math.max(highest - lowest, LEAST_SPAN_BPM);
    const bottom = (lowest + highest - span) / 2;
    const x = (at) => width - (end - at) / step;
    const y = (bpm) => height - 2 - ((bpm - bottom) / span) * (height - 4);
    context.strokeStyle = getComputedStyle(this.name).getPropertyValue("--line") || getComputedStyle(this.#line).color;
    context.lineWidth = Math.max(1.75, height / 28);
    traceLine(context, member, end - LINE_MS, x, y);
    context.stroke();
  }
}

const agoText = (age) => (age < 1000 ? "now" : `${lengthOf(age)} ago`);

function element(name, className) {
  const node = document.createElement(name);
  node.className = className;
  return node;
}

/** How many columns let the tiles be largest in a given space; null if they would be too small for it. */
export function columnsFor(count, width, height, gap) {
  let best = { columns: null, size: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const across = (width - gap * (columns - 1)) / columns;
    const down = (height - gap * (rows - 1)) / rows;
    const size = Math.min(across / 1.7, down);
    if (size > best.size && across >= LEAST_WIDTH && down >= LEAST_HEIGHT) best = { columns, size };
  }
  return best.columns;
}

function coverageTitle(leftOut) {
  const coverage = "How much of the time since their first reading is covered by readings, each for at most 5 s";
  return leftOut ? `${coverage}. * In no figure: ${leftOut} readings that are implausible, twice, or of another day.` : coverage;
}
