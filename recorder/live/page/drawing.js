// Lines on a canvas, which takes a fraction of what as many points cost as SVG.

import { HOLD_MS, indexSince } from "./recording.js";

/** Give a canvas the size of its place in the pixels of the screen, empty; 1 is a CSS pixel then. */
export function fitCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.lineJoin = "round";
  context.lineCap = "round";
  return context;
}

/**
 * Trace a member's readings since `from`; a gap is where none holds. Of several readings in one column of pixels only the
 * lowest, the highest and the last are traced, which looks the same.
 */
export function traceLine(context, { times, bpms }, from, x, y) {
  context.beginPath();
  let before = -Infinity;
  let column = null;
  let [low, high, last] = [0, 0, 0];
  const finish = () => {
    if (column === null) return;
    if (low < last || last < high) {
      context.lineTo(column, y(low));
      context.lineTo(column, y(high));
    }
    context.lineTo(column, y(last));
  };
  for (let i = indexSince(times, from); i < times.length; i += 1) {
    const bpm = bpms[i];
    const here = Math.round(x(times[i]));
    const gap = times[i] - before > HOLD_MS;
    before = times[i];
    if (gap || here !== column) {
      finish();
      if (gap) context.moveTo(here, y(bpm));
      [column, low, high] = [here, bpm, bpm];
    }
    low = Math.min(low, bpm);
    high = Math.max(high, bpm);
    last = bpm;
  }
  finish();
}
