// The page: members as tiles, the room as a chart, and what the viewer chooses.

import { Chart, lineClass } from "./chart.js";
import { meanOf } from "./recording.js";
import { REORDER_MS, byName, sortMembers } from "./sorting.js";
import { Tile, columnsFor } from "./tiles.js";
import { lengthOf, preciseTimeOf, put, timeOf } from "./words.js";

const GAP = 8; // between tiles, as in live.css
const ROOMY = 210; // width of a tile that has room for words
const byId = (id) => document.getElementById(id);
const remembered = (name, otherwise) => localStorage.getItem(`pulsoid-rec ${name}`) ?? otherwise;
const remember = (name, value) => localStorage.setItem(`pulsoid-rec ${name}`, value);
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Page {
  #recording;
  #ask;
  #tiles = new Map();
  #order = [];
  #orderedAt = -Infinity; // which stands for: anew, without regard to the order that was
  #chosen = new Set(); // whose lines stand out
  #pointed = null; // and whose while the pointer is on their tile
  #chart = new Chart(byId("chart"));

  /** `ask` has the page shown soon: at the next frame. */
  constructor(recording, ask) {
    this.#recording = recording;
    this.#ask = ask;
    for (const id of ["sort", "window"]) {
      byId(id).value = remembered(id, byId(id).value);
      byId(id).addEventListener("change", () => {
        remember(id, byId(id).value);
        this.#sortAnew();
      });
    }
    byId("room").addEventListener("change", () => this.#sortAnew());
    new ResizeObserver(() => this.#redraw()).observe(document.body);
    showThemes(() => this.#redraw());
  }

  /** Go on with a new state of the whole: in a new run of the recorder the members may have other numbers. */
  begin(isNewRun) {
    if (isNewRun) {
      this.#chosen.clear();
      this.#orderedAt = -Infinity;
    }
    for (const tile of this.#tiles.values()) tile.forget();
    this.#chart.forget();
  }

  /** Say whether the recorder is heard, and show the state it is in. */
  show() {
    this.#showConnection();
    if (this.#recording.startedAt !== null) this.#showRecording();
  }

  #showConnection() {
    const lost = this.#recording.lostAt !== null;
    document.documentElement.classList.toggle("lost", lost);
    byId("lost").hidden = !lost;
    const since = this.#recording.startedAt === null ? "" : ` since ${preciseTimeOf(this.#recording.lostAt)}`;
    const then = this.#recording.refusal ?? "Trying again …";
    put(byId("lost"), lost ? `No connection to the recorder${since}. ${then}` : "");
  }

  #showRecording() {
    const now = this.#recording.now();
    this.#showRooms(now);
    const members = this.#shownMembers();
    const here = members.filter((member) => member.times.length > 0);
    const absent = members // without those who are only known by a mark
      .filter((member) => member.times.length === 0 && (member.expected || member.left_out))
      .map((member) => member.name);
    byId("absent").hidden = absent.length + this.#recording.moreMembers === 0;
    const more = this.#recording.moreMembers ? `; and ${this.#recording.moreMembers} members more, who are not shown` : "";
    put(byId("absent"), `Expected, and without a reading so far: ${absent.join(", ") || "nobody"}${more}`);
    this.#showTiles(here, now);
    const { mean, count } = this.#recording.lostAt === null ? meanOf(here, now) : { mean: null, count: 0 };
    const meanText = mean === null ? "No fresh reading" : `Mean ${Math.round(mean)} bpm of ${count} with a fresh reading`;
    put(byId("mean"), here.length === 1 || this.#recording.lostAt !== null ? "" : meanText);
    this.#chart.draw({
      members: here,
      chosen: new Set(this.#pointed === null ? this.#chosen : [...this.#chosen, this.#pointed]),
      now,
      minutes: Number(byId("window").value),
      marks: this.#shownMarks(),
      gaps: this.#gaps(now),
    });
  }

  /** Whether something of a room is shown; what has none (null) is of all. */
  #isShown(room) {
    const choice = byId("room").value;
    return choice === "" || room === null || Number(choice) === room;
  }

  /** The members of the rooms shown, by name; of several rooms each with the name of the room. */
  #shownMembers() {
    const members = [...this.#recording.members.values()].filter((member) => this.#isShown(member.room)).sort(byName);
    if (this.#recording.rooms.size < 2 || byId("room").value !== "") return members;
    const nameOf = (member) => {
      const room = this.#recording.rooms.get(member.room);
      return room ? `${member.name} (${room.name ?? room.id})` : member.name;
    };
    return members.map((member) => ({ ...member, name: nameOf(member) }));
  }

  /** The marks of the rooms shown, in order of time. */
  #shownMarks() {
    const { marks, members } = this.#recording;
    const shown = [...marks.values()].filter((mark) => this.#isShown(mark.room)).sort((a, b) => a.at - b.at);
    return shown.map((mark) => withWhom(mark, members));
  }

  #gaps(now) {
    const rooms = [...this.#recording.rooms.values()].filter((room) => this.#isShown(room.room));
    const name = (room) => (rooms.length > 1 ? `${room.name ?? room.id}: ` : "");
    const gaps = rooms.flatMap((room) =>
      room.gaps.map(([from, to]) => ({ from, to: to ?? now, why: `${name(room)}recorder offline` })));
    const { lostAt } = this.#recording;
    if (lostAt !== null) gaps.push({ from: lostAt, to: now, why: "no connection to the recorder" });
    return gaps;
  }

  #showRooms(now) {
    const rooms = [...this.#recording.rooms.values()];
    byId("room-choice").hidden = rooms.length < 2;
    const names = rooms.map((room) => room.name ?? room.id);
    if (names.join("\n") !== [...byId("room").options].slice(1).map((option) => option.text).join("\n")) {
      const before = byId("room").value;
      const options = rooms.map((room) => new Option(room.name ?? room.id, room.room));
      byId("room").replaceChildren(new Option("all", ""), ...options);
      byId("room").value = before;
    }
    const shown = rooms.filter((room) => this.#isShown(room.room));
    put(document.querySelector("title"), `${names.join(", ")}: live heart rates`);
    byId("rooms").replaceChildren(...shown.map((room) => roomName(room, now)));
    const phase = this.#shownMarks().findLast((mark) => mark.kind === "phase" && mark.at <= now);
    const parts = [`recording for ${lengthOf(now - this.#recording.startedAt)}`];
    if (phase) parts.push(`${phase.label} since ${timeOf(phase.at)}`);
    put(byId("summary"), parts.join(" · "));
    const warnings = this.#recording.recorder.warnings ?? [];
    if (byId("warnings").textContent !== warnings.join("")) {
      byId("warnings").replaceChildren(...warnings.map((text) => {
        const item = document.createElement("li");
        item.textContent = text;
        return item;
      }));
    }
  }

  #showTiles(members, now) {
    const areThere = members.length === this.#order.length && members.every(({ member }) => this.#tiles.has(member));
    if (now - this.#orderedAt >= REORDER_MS || !areThere) {
      const before = this.#orderedAt === -Infinity ? [] : this.#order;
      this.#arrange(sortMembers(members, byId("sort").value, before, now).map((member) => member.member));
      this.#orderedAt = now;
    }
    const lost = this.#recording.lostAt !== null;
    for (const [place, member] of members.entries()) {
      const swatch = lineClass(place, members.length);
      this.#tiles.get(member.member).show(member, now, { chosen: this.#chosen.has(member.member), swatch, lost });
    }
  }

  /** Put the tiles in an order; those that move glide there, unless the viewer wants no motion. */
  #arrange(order) {
    if (order.join() === this.#order.join()) return;
    const list = byId("tiles");
    for (const [number, tile] of this.#tiles) {
      if (order.includes(number)) continue;
      tile.node.remove();
      this.#tiles.delete(number);
    }
    const before = new Map([...this.#tiles].map(([number, { node }]) => [number, node.getBoundingClientRect()]));
    const focused = document.activeElement;
    for (const number of order) {
      if (!this.#tiles.has(number)) this.#tiles.set(number, this.#makeTile(number));
      list.append(this.#tiles.get(number).node);
    }
    if (list.contains(focused)) focused.focus({ preventScroll: true });
    if (this.#order.length !== order.length) this.#layOut(order.length);
    this.#order = order;
    if (still.matches) return;
    for (const [number, { left, top }] of before) {
      const { node } = this.#tiles.get(number);
      const after = node.getBoundingClientRect();
      if (left === after.left && top === after.top) continue;
      const from = `translate(${left - after.left}px, ${top - after.top}px)`;
      node.animate([{ transform: from }, { transform: "none" }], { duration: 400, easing: "ease-out" });
    }
  }

  #makeTile(number) {
    const choose = () => {
      if (!this.#chosen.delete(number)) this.#chosen.add(number);
      this.#chart.forget();
      this.show();
    };
    const point = (isPointed) => {
      this.#pointed = isPointed ? number : null;
      this.#chart.forget();
      this.#ask();
    };
    return new Tile(choose, point);
  }

  #layOut(count) {
    const root = document.documentElement;
    root.classList.add("fits");
    const { width, height } = byId("people").getBoundingClientRect();
    const columns = count ? columnsFor(count, width, height - (byId("absent").hidden ? 0 : 32), GAP) : 1;
    root.classList.toggle("fits", columns !== null && innerWidth >= 800);
    const { style, classList, firstChild } = byId("tiles");
    style.setProperty("--columns", columns ?? "auto-fill");
    const tile = firstChild?.getBoundingClientRect();
    if (!tile) return;
    style.setProperty("--across", `${tile.width / 100}px`);
    style.setProperty("--down", `${tile.height / 100}px`);
    classList.toggle("roomy", tile.width >= ROOMY);
  }

  /** Sort without regard to the order that was, after a choice of the viewer. */
  #sortAnew() {
    this.#orderedAt = -Infinity;
    this.#redraw();
  }

  #redraw() {
    if (this.#recording.startedAt === null) return;
    this.#layOut(this.#order.length);
    for (const tile of this.#tiles.values()) tile.forget();
    this.#chart.forget();
    this.show();
  }
}

function roomName(room, now) {
  const node = document.createElement("span");
  const state = document.createElement("small");
  node.textContent = room.name ?? room.id;
  state.dataset.state = room.state;
  const since = room.state === "live" ? "" : ` for ${lengthOf(now - room.since)}${room.why ? `: ${room.why}` : ""}`;
  state.textContent = room.state + since;
  node.append(state);
  return node;
}

function withWhom(mark, members) {
  const member = members.get(mark.member ?? -1);
  return member ? { ...mark, text: `${mark.label} (${member.name})` } : mark;
}

function showThemes(onChange) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const set = () => {
    const choice = remembered("theme", null);
    document.documentElement.dataset.theme = choice ?? (dark.matches ? "dark" : "light");
    put(byId("theme"), document.documentElement.dataset.theme === "dark" ? "Light" : "Dark");
    onChange();
  };
  dark.addEventListener("change", set);
  byId("theme").addEventListener("click", () => {
    remember("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    set();
  });
  set();
}
