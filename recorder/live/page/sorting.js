// In which order the tiles stand. Names never move. By zone and by bpm the order is looked at every ten seconds, and two
// members change places by bpm only if their means of the last 15 s are 3 bpm apart: nobody jumps with each reading.

import { recentMean } from "./recording.js";

export const REORDER_MS = 10_000;
const MEAN_MS = 15_000;
const APART_BPM = 3;
const GONE_MS = 60_000; // after which a member without a reading goes to the end

const { compare: compareNames } = new Intl.Collator(undefined, { numeric: true });
export const byName = (a, b) => compareNames(a.name, b.name) || a.member - b.member;

/** Sort members; `before` has the numbers of the members in the order they stand in now, or none at first. */
export function sortMembers(members, key, before, now) {
  const named = [...members].sort(byName);
  if (key === "name") return named;
  const value = new Map(named.map((member) => [member, valueOf(member, key, now)]));
  const places = new Map(before.map((number, place) => [number, place]));
  const placeOf = (member) => places.get(member.member) ?? Infinity;
  const sorted = [];
  const apart = key === "bpm" && before.length ? APART_BPM : Number.MIN_VALUE;
  for (const member of named.sort((a, b) => compare(placeOf(a), placeOf(b)))) {
    const lower = sorted.findIndex((other) => value.get(member) - value.get(other) >= apart);
    sorted.splice(lower < 0 ? sorted.length : lower, 0, member);
  }
  return sorted;
}

const compare = (a, b) => (a === b ? 0 : a - b); // Infinity - Infinity is NaN

function valueOf(member, key, now) {
  if (member.bpm === null || now - member.at > GONE_MS) return -1000;
  if (key === "zone") return member.zone ?? -1;
  return recentMean(member, now, MEAN_MS) ?? member.bpm;
}
