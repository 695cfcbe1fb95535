// Times and lengths of time as text. `en` as the rest of the page; the time is the viewer's own.

const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const clockWithSeconds = new Intl.DateTimeFormat("en", {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

export const timeOf = (ms) => clock.format(ms);
export const preciseTimeOf = (ms) => clockWithSeconds.format(ms);

/** A length of time to one or two units: 12 s, 2 min, 1 h 05 min. */
export function lengthOf(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** A share as a percentage that is 100 only if nothing is missing. */
export function percentOf(share) {
  return `${share < 1 ? Math.min(99, Math.round(share * 100)) : 100} %`;
}

/** Set a node's text if it is another: a browser lays out again even for the same. */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
