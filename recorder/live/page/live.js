// Puts the page together: what the recorder sends goes into the recording, and from there to the screen.

import { Marks } from "./marks.js";
import { Overlay } from "./overlay.js";
import { Page } from "./page.js";
import { Recording } from "./recording.js";
import { follow } from "./stream.js";

const parameters = new URLSearchParams(location.search);
const key = parameters.get("key");
const withKey = (path) => (key === null ? path : `${path}?key=${encodeURIComponent(key)}`);

const recording = new Recording();
let asked = false;
const overlay = parameters.has("overlay") ? new Overlay(parameters.get("overlay")) : null;
const page = overlay ? null : new Page(recording, show);
if (page) new Marks(recording, withKey("marks"));

/** Show the state at the next frame, once, however much came; a page that is not looked at draws nothing. */
function show() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    if (overlay) overlay.show(recording);
    else page.show();
  });
}

follow(withKey("events"), {
  onSnapshot: (snapshot) => {
    const isNewRun = snapshot.started_at !== recording.startedAt;
    recording.replace(snapshot);
    page?.begin(isNewRun);
    show();
  },
  onUpdate: (update) => {
    recording.change(update);
    show();
  },
  onLost: (why) => {
    recording.lostAt ??= recording.now();
    recording.refusal = why ?? recording.refusal;
    show();
  },
});
setInterval(() => recording.lostAt !== null && show(), 1000); // while nothing comes, ages grow all the same
