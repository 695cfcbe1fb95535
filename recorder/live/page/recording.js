// What the recorder sent so far: rooms, members with their readings of the last hour, marks. No screen in here.

/** A reading holds until the next one, at most this long: as in the report. */
export const HOLD_MS = 5000;
const KEPT_MS = 3_600_000;
const TRIMMED_MS = 300_000; // old readings leave in pieces of this length, since each time all others move up

export class Recording {
  rooms = new Map();
  members = new Map();
  marks = new Map();
  moreMembers = 0; // too many to be sent
  recorder = { warnings: [] };
  startedAt = null;
  /** Since when nothing comes from the recorder, by its own clock; null while it is heard. */
  lostAt = null;
  /** Why it refuses this page, in its words. */
  refusal = null;
  #ahead = 0;

  /** The recorder's time, in ms: the viewer's clock may be wrong, and may be set meanwhile. */
  now() {
    return performance.now() + this.#ahead;
  }

  /** Put the whole state in place of what was known, at the beginning and after each reconnect. */
  replace(snapshot) {
    this.#setClock(snapshot.now);
    this.startedAt = snapshot.started_at;
    this.rooms = new Map(snapshot.rooms.map((room) => [room.room, room]));
    this.members = new Map(snapshot.members.map(({ line, ...member }) => [
      member.member, { ...member, times: line.map(([at]) => at), bpms: line.map(([, bpm]) => bpm) },
    ]));
    this.moreMembers = snapshot.more_members ?? 0;
    this.marks = new Map();
    this.#addMarks(snapshot.marks);
    this.recorder = snapshot.recorder;
  }

  /** Add what changed in a second. */
  change(update) {
    this.#setClock(update.now);
    for (const room of update.rooms ?? []) this.rooms.set(room.room, { ...this.rooms.get(room.room), ...room });
    for (const { new: readings = [], line = [], ...changes } of update.members ?? []) {
      const member = this.members.get(changes.member) ?? { times: [], bpms: [], name: "?", coverage: null };
      this.members.set(changes.member, Object.assign(member, changes));
      for (const [at, bpm] of [...line, ...readings]) addReading(member, at, bpm);
      trim(member, update.now);
    }
    this.moreMembers = update.more_members ?? this.moreMembers;
    this.#addMarks(update.marks ?? []);
    this.recorder = update.recorder ?? this.recorder;
  }

  #setClock(now) {
    this.#ahead = now - performance.now();
    this.lostAt = this.refusal = null;
  }

  #addMarks(marks) {
    for (const mark of marks) {
      if (mark.kind === "undo") this.marks.delete(mark.id);
      else this.marks.set(mark.id, mark);
    }
  }
}

/** Keep the readings in order of time: one may come late. */
function addReading({ times, bpms }, at, bpm) {
  let place = times.length;
  while (place > 0 && times[place - 1] > at) place -= 1;
  times.splice(place, 0, at);
  bpms.splice(place, 0, bpm);
}

function trim({ times, bpms }, now) {
  if (times[0] >= now - KEPT_MS - TRIMMED_MS) return;
  const old = indexSince(times, now - KEPT_MS);
  times.splice(0, old);
  bpms.splice(0, old);
}

/** The index of the first time at or after `from`. */
export function indexSince(times, from) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether a member's latest reading still holds. */
export function isFresh(member, now) {
  return member.bpm !== null && now - member.at <= HOLD_MS;
}

/** The mean bpm of the members whose latest reading holds, and how many they are. */
export function meanOf(members, now) {
  const fresh = members.filter((member) => isFresh(member, now));
  const sum = fresh.reduce((total, member) => total + member.bpm, 0);
  return { mean: fresh.length ? sum / fresh.length : null, count: fresh.length };
}

/** A member's mean over the last `length` ms, each reading weighted by how long it held; null without one. */
export function recentMean({ times, bpms }, now, length) {
  let sum = 0;
  let held = 0;
  for (let i = indexSince(times, now - length - HOLD_MS); i < times.length; i += 1) {
    const end = Math.min(times[i + 1] ?? now, times[i] + HOLD_MS, now);
    const weight = Math.max(0, end - Math.max(times[i], now - length));
    sum += bpms[i] * weight;
    held += weight;
  }
  return held ? sum / held : null;
}
