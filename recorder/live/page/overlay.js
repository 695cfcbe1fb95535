// `?overlay=Ada,Ben`: name, bpm and zone on nothing, to lie over a game in OBS. `?overlay` alone shows everybody.

import { isFresh } from "./recording.js";
import { byName } from "./sorting.js";
import { put } from "./words.js";

export class Overlay {
  #wanted;
  #list = document.createElement("ul");

  constructor(names) {
    this.#wanted = names.split(",").map(folded).filter((name) => name && name !== "all");
    this.#list.id = "overlay";
    document.documentElement.classList.add("overlay");
    document.body.replaceChildren(this.#list);
  }

  /** Show those asked for, in that order, or all by name; a heart rate that no longer holds is a dash. */
  show(recording) {
    const now = recording.now();
    const all = [...recording.members.values()].sort(byName);
    const shown = this.#wanted.length ? this.#wanted.flatMap((name) => all.filter((each) => isCalled(each, name))) : all;
    while (this.#list.children.length > shown.length) this.#list.lastChild.remove();
    while (this.#list.children.length < shown.length) this.#list.append(makeEntry());
    this.#list.style.setProperty("--count", Math.max(1, shown.length));
    for (const [i, member] of shown.entries()) {
      const entry = this.#list.children[i];
      const fresh = recording.lostAt === null && isFresh(member, now);
      const zone = fresh ? member.zone : null;
      entry.dataset.zone = zone ?? "none";
      const [name, bpm, badge] = entry.children;
      put(name, member.name);
      put(bpm, fresh ? String(member.bpm) : "–");
      put(badge, zone === null ? "" : String(zone));
    }
  }
}

/** Whether a member has a name; those of one name have a part of their id behind it, in brackets. */
const isCalled = (member, name) => [folded(member.name), folded(member.name.replace(/ \([^(]*\)$/, ""))].includes(name);

const folded = (name) => name.trim().toLowerCase();

function makeEntry() {
  const entry = document.createElement("li");
  for (const className of ["name", "bpm", "zone"]) {
    const part = document.createElement("span");
    part.className = className;
    entry.append(part);
  }
  return entry;
}
