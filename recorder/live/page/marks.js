// Marking a moment: a dialog, the request, and a message with which to undo it.

import { preciseTimeOf, put } from "./words.js";

const RECENT = 8;
const TOAST_MS = 10_000;
const byId = (id) => document.getElementById(id);

export class Marks {
  #recording;
  #url;
  #pressedAt = 0; // by the browser's steady clock
  #closing = null;

  constructor(recording, url) {
    this.#recording = recording;
    this.#url = url;
    byId("mark").addEventListener("click", () => this.open("mark"));
    byId("mark-cancel").addEventListener("click", () => byId("mark-dialog").close());
    byId("mark-dialog").querySelector("form").addEventListener("submit", () => this.#submit());
    document.addEventListener("keydown", (event) => this.#press(event));
  }

  #press(event) {
    const kind = { m: "mark", p: "phase" }[event.key.toLowerCase()];
    if (!kind || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, dialog")) return;
    event.preventDefault(); // or the letter would be typed into the dialog
    this.open(kind);
  }

  /** Note the moment, then ask what it was. */
  open(kind) {
    if (byId("mark-dialog").open) return;
    this.#pressedAt = performance.now();
    put(byId("mark-title"), `Mark ${preciseTimeOf(this.#recording.now())}`);
    byId("mark-dialog").querySelector(`input[value=${kind}]`).checked = true;
    byId("mark-label").value = "";
    this.#offerLabels();
    this.#offerWhom();
    byId("mark-dialog").showModal();
    byId("mark-label").focus();
  }

  #offerLabels() {
    const marks = [...this.#recording.marks.values()].sort((a, b) => b.at - a.at);
    const labels = [...new Set(marks.map((mark) => mark.label))].slice(0, RECENT);
    byId("mark-recent").replaceChildren(...labels.map((label) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.addEventListener("click", () => {
        byId("mark-label").value = label;
        byId("mark-dialog").querySelector("form").requestSubmit();
      });
      return button;
    }));
  }

  #offerWhom() {
    const { rooms, members } = this.#recording;
    const options = [];
    if (rooms.size !== 1) options.push(new Option("all rooms", "{}"));
    for (const { room, name, id } of rooms.values()) {
      options.push(new Option(rooms.size > 1 ? `the room ${name ?? id}` : "the whole room", JSON.stringify({ room })));
    }
    for (const { room, member, name } of [...members.values()].sort((a, b) => a.name.localeCompare(b.name))) {
      options.push(new Option(name, JSON.stringify({ room, member })));
    }
    byId("mark-whom").replaceChildren(...options);
  }

  #submit() {
    const kind = byId("mark-dialog").querySelector("input:checked").value;
    this.#send({ label: byId("mark-label").value, kind, ...JSON.parse(byId("mark-whom").value) }, this.#pressedAt);
  }

  async #send(mark, pressedAt) {
    const { id, at, error } = await this.#post({ ...mark, ago_ms: Math.round(performance.now() - pressedAt) });
    if (error) this.#tell(`Not marked: ${error}`, "try again", () => this.#send(mark, pressedAt));
    else this.#tell(`Marked ${preciseTimeOf(at)} ${mark.label}`, "undo", () => this.#undo(id, mark.label));
  }

  async #undo(id, label) {
    const { error } = await this.#post({ kind: "undo", id });
    if (error) this.#tell(`Not undone: ${error}`, "try again", () => this.#undo(id, label));
    else this.#tell(`Undone: ${label}`);
  }

  async #post(body) {
    try {
      const headers = { "Content-Type": "application/json" };
      const response = await fetch(this.#url, { method: "POST", headers, body: JSON.stringify(body) });
      const answer = await response.json();
      return response.ok ? answer : { error: answer.error ?? `the recorder answered ${response.status}` };
    } catch {
      return { error: "the recorder cannot be reached." };
    }
  }

  #tell(text, action, act) {
    const nodes = [document.createElement("span")];
    nodes[0].textContent = text;
    if (action) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = action;
      button.addEventListener("click", act);
      nodes.push(button);
    }
    byId("toast").replaceChildren(...nodes);
    clearTimeout(this.#closing);
    this.#closing = setTimeout(() => byId("toast").replaceChildren(), TOAST_MS);
  }
}
