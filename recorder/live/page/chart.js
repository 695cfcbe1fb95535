// The room: all lines of the last minutes, their mean, marks and phases, and where the recorder heard nothing.

import { fitCanvas, traceLine } from "./drawing.js";
import { HOLD_MS, indexSince, isFresh } from "./recording.js";
import { timeOf } from "./words.js";

const COLOURS = 6;
const DASHES = [[], [6, 5]];
/** With more members than these no line has a colour of its own; the mean and who is chosen stand out. */
const MOST_COLOURED = COLOURS * DASHES.length;
const LINE_HEIGHT = 1.35; // of text, as a factor on its size

/** The class of a member's line, which gives it its colour: `line1` to `line6`, with `dashed`, or nothing. */
export function lineClass(place, count) {
  if (count > MOST_COLOURED) return "";
  return `line${(place % COLOURS) + 1} ${place < COLOURS ? "" : "dashed"}`;
}

export class Chart {
  #canvas;
  #place;
  #drawn = "";
  #colours = null;

  constructor(place) {
    this.#place = place;
    this.#canvas = place.querySelector("canvas");
  }

  /** Draw again even if no pixel moved: after a change of size, colours, or what is chosen. */
  forget() {
    this.#drawn = "";
    this.#colours = null;
  }

  /** Draw the last `minutes`; members come in the order of their colours. */
  draw({ members, chosen, marks, gaps, now, minutes }) {
    const { width, height } = this.#place.getBoundingClientRect();
    const { fontFamily, fontSize } = getComputedStyle(this.#place);
    const size = parseFloat(fontSize) * 0.8;
    const row = size * LINE_HEIGHT;
    const right = Math.min(size * 12, Math.max(64, width * 0.12));
    const [left, top, bottom] = [size * 2.8, row * 2.4, height - row * 1.4]; // above: a row for phases, one for marks
    if (width < 100 || bottom - top < 30) return;
    const step = (minutes * 60_000) / (width - left - right); // ms for a pixel
    const end = Math.floor(now / step) * step; // all moves by whole pixels, and is drawn when it does
    const drawn = [end, step, height, marks.length].join();
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#colours ??= readColours(this.#place);
    const context = fitCanvas(this.#canvas, width, height);
    context.font = `${size}px ${fontFamily}`;
    const x = (at) => width - right - (end - at) / step;
    const begin = end - minutes * 60_000;
    const scale = scaleOf(members, begin);
    const y = (bpm) => bottom - ((bpm - scale.from) / (scale.to - scale.from)) * (bottom - top);
    const frame = {
      context, colours: this.#colours, x, y, row, left, right: width - right, top, bottom, begin, end, minutes, labels: right,
    };
    drawPhases(frame, marks.filter((mark) => mark.kind === "phase"));
    drawAxes(frame, scale);
    context.save();
    context.beginPath();
    context.rect(left, top - 2, width - right - left + 2, bottom - top + 4);
    context.clip();
    const labels = drawLines(frame, members, chosen);
    if (members.length > 1) labels.push(drawMean(frame, members));
    drawGaps(frame, gaps);
    context.restore();
    drawMarks(frame, marks.filter((mark) => mark.kind === "mark"));
    drawLabels(frame, labels.filter((label) => label !== null));
    this.#canvas.setAttribute("aria-label", `Heart rates of the last ${minutes} minutes, ${scale.from} to ${scale.to} bpm`);
  }
}

function readColours(place) {
  const style = getComputedStyle(place);
  const names = ["ink", "muted", "rule", "quiet", "accent", "paper", "band"];
  for (let number = 1; number <= COLOURS; number += 1) names.push(`member${number}`);
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

function scaleOf(members, begin) {
  let [low, high] = [Infinity, -Infinity];
  for (const { times, bpms } of members) {
    for (let i = indexSince(times, begin); i < times.length; i += 1) {
      if (bpms[i] < low) low = bpms[i];
      if (bpms[i] > high) high = bpms[i];
    }
  }
  if (low > high) return { from: 60, to: 180 };
  const from = Math.floor(low / 20) * 20;
  return { from, to: Math.max(Math.ceil((high + 1) / 20) * 20, from + 40) };
}

function drawAxes({ context, colours, x, y, row, left, right, top, bottom, begin, end, minutes }, scale) {
  context.fillStyle = colours.muted;
  context.strokeStyle = colours.rule;
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  const every = bottom - top < ((scale.to - scale.from) / 20) * row ? 40 : 20;
  for (let bpm = scale.from; bpm <= scale.to; bpm += every) {
    strokeLine(context, left, y(bpm), right, y(bpm));
    context.fillText(String(bpm), left - 6, y(bpm));
  }
  context.textAlign = "center";
  context.textBaseline = "bottom";
  const wide = (right - left) / (row * 4.5);
  const tick = [1, 2, 5, 10, 20, 30].find((length) => minutes / length <= wide) * 60_000;
  for (let at = Math.ceil(begin / tick) * tick; at <= end; at += tick) {
    context.fillText(timeOf(at), x(at), bottom + row * 1.35);
    strokeLine(context, x(at), bottom, x(at), bottom + 4);
  }
}

function drawLines({ context, colours, x, y, begin, end }, members, chosen) {
  const coloured = members.length <= MOST_COLOURED;
  const turns = [...chosen]; // of many members those chosen have a colour, each another
  const lastChosen = [...members.entries()].sort(([, a], [, b]) => chosen.has(a.member) - chosen.has(b.member));
  return lastChosen.map(([place, member]) => {
    const isChosen = chosen.has(member.member);
    const colour = colours[`member${((coloured ? place : turns.indexOf(member.member)) % COLOURS) + 1}`];
    context.strokeStyle = coloured || isChosen ? colour : colours.quiet;
    context.globalAlpha = chosen.size && !isChosen ? 0.25 : coloured || isChosen ? 1 : 0.5;
    context.lineWidth = isChosen ? 3 : coloured ? 1.75 : 1;
    context.setLineDash(coloured ? DASHES[Math.floor(place / COLOURS)] : []);
    traceLine(context, member, begin, x, y);
    context.stroke();
    context.globalAlpha = 1;
    context.setLineDash([]);
    const last = member.times.length - 1;
    if (last < 0 || !isFresh(member, end) || !(coloured || isChosen)) return null;
    return { y: y(member.bpms[last]), text: member.name, colour: context.strokeStyle, strong: isChosen };
  });
}

/** The mean of those whose reading holds, at the end of each column of pixels. */
function drawMean({ context, colours, x, y, left, right, begin, end }, members) {
  const columns = Math.round(right - left);
  const sum = new Float64Array(columns + 1);
  const count = new Uint16Array(columns + 1);
  const step = (end - begin) / columns;
  for (const { times, bpms } of members) {
    for (let i = indexSince(times, begin - HOLD_MS); i < times.length; i += 1) {
      const until = Math.min(times[i + 1] ?? Infinity, times[i] + HOLD_MS, end + 1);
      for (let column = Math.max(0, Math.ceil((times[i] - begin) / step)); begin + column * step < until; column += 1) {
        sum[column] += bpms[i];
        count[column] += 1;
      }
    }
  }
  context.strokeStyle = colours.ink;
  context.lineWidth = 3;
  context.beginPath();
  for (let column = 0; column <= columns; column += 1) {
    if (count[column] === 0) continue;
    const at = [x(begin + column * step), y(sum[column] / count[column])];
    if (column > 0 && count[column - 1]) context.lineTo(...at);
    else context.moveTo(...at);
  }
  context.stroke();
  if (count[columns] === 0) return null;
  return { y: y(sum[columns] / count[columns]), text: "mean", colour: colours.ink, strong: true };
}

/** Labels at the lines' ends, moved apart; where they are too many, those that matter most. */
function drawLabels({ context, colours, row, right, top, bottom, labels: room }, labels) {
  const most = Math.floor((bottom - top) / row) + 1;
  const shown = labels.sort((a, b) => b.strong - a.strong).slice(0, most).sort((a, b) => a.y - b.y);
  for (const [i, label] of shown.entries()) label.at = Math.max(label.y, i ? shown[i - 1].at + row : top);
  for (let i = shown.length - 1; i >= 0; i -= 1) {
    shown[i].at = Math.min(shown[i].at, i + 1 < shown.length ? shown[i + 1].at - row : bottom);
  }
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const { y, at, text, colour, strong } of shown) {
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    strokeLine(context, right + 3, y, right + 12, at);
    context.fillStyle = colours.ink;
    context.font = context.font.replace(/^(bold )?/, strong ? "bold " : "");
    context.fillText(cut(context, text, room - 18), right + 16, at);
  }
  context.font = context.font.replace(/^bold /, "");
}

function drawPhases({ context, colours, x, row, left, right, bottom, begin, end }, phases) {
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const [i, phase] of phases.entries()) {
    const next = phases.slice(i + 1).find((other) => other.room === phase.room || other.room === null);
    const from = Math.max(left, x(Math.max(phase.at, begin)));
    const to = Math.min(right, next ? x(next.at) : x(end));
    if (to <= left || from >= right) continue;
    context.fillStyle = colours.band;
    if (i % 2 === 0) context.fillRect(from, 0, to - from, bottom);
    context.strokeStyle = colours.quiet;
    context.lineWidth = 1;
    if (phase.at >= begin) strokeLine(context, from, 0, from, bottom);
    context.fillStyle = colours.ink;
    context.fillText(cut(context, phase.label, to - from - 10), from + 5, row * 0.6);
  }
}

function drawMarks({ context, colours, x, row, left, right, bottom }, marks) {
  context.textAlign = "left";
  context.textBaseline = "middle";
  const shown = marks.filter((mark) => x(mark.at) >= left && x(mark.at) <= right);
  for (const [i, mark] of shown.entries()) {
    const here = x(mark.at);
    const next = i + 1 < shown.length ? x(shown[i + 1].at) : right + 60;
    context.strokeStyle = colours.accent;
    context.lineWidth = 1.5;
    strokeLine(context, here, row * 1.2, here, bottom);
    context.fillStyle = colours.accent;
    context.fillText(cut(context, mark.text ?? mark.label, next - here - 8), here + 4, row * 1.75);
  }
}

function drawGaps({ context, colours, x, row, left, right, top, bottom }, gaps) {
  let labelled = -Infinity; // up to where there is a label
  for (const { from, to, why } of gaps) {
    const [start, stop] = [Math.max(left, x(from)), Math.min(right, x(to))];
    if (stop - start < 0.5) continue;
    context.save();
    context.beginPath();
    context.rect(start, top, stop - start, bottom - top);
    context.clip();
    context.fillStyle = colours.band;
    context.fill();
    context.strokeStyle = colours.quiet;
    context.lineWidth = 1;
    context.beginPath();
    const slant = bottom - top;
    for (let at = Math.floor((start - slant) / 8) * 8; at < stop; at += 8) {
      context.moveTo(at, bottom);
      context.lineTo(at + slant, top);
    }
    context.stroke();
    context.restore();
    const wide = context.measureText(why).width + 8;
    const place = Math.max(left, Math.min(start, right - wide));
    if (place < labelled) continue;
    labelled = place + wide;
    context.fillStyle = colours.paper;
    context.fillRect(place, bottom - row * 1.5, wide, row * 1.2);
    context.fillStyle = colours.ink;
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillText(why, place + 4, bottom - row * 0.9);
  }
}

function strokeLine(context, fromX, fromY, toX, toY) {
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
}

/** Cut a text to a width; nothing where not even a few letters fit. */
function cut(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  const letters = [...text];
  while (letters.length && context.measureText(`${letters.join("")}…`).width > width) letters.pop();
  return letters.length > 1 ? `${letters.join("")}…` : "";
}
