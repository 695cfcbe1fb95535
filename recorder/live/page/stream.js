// The connection to the recorder. A browser reconnects by itself after a broken connection, but not after a refusal, and
// does not see that a connection is dead: one that is silent for too long, though something comes each second, is replaced.

const SILENT_MS = 4000;
const FIRST_MS = 30_000; // until all of the snapshot is there, which takes a while on a slow line
const RETRY_MS = 1500;

/**
 * Follow the recorder's events for ever. `onLost` is called at once, and again at each failed attempt: with the recorder's
 * reason if it refuses, as it does with the key of an earlier run.
 */
export function follow(url, { onSnapshot, onUpdate, onLost }) {
  let source;
  let heardAt;
  let patience;
  const connect = () => {
    source?.close();
    source = new EventSource(url);
    heardAt = performance.now();
    patience = FIRST_MS;
    const hear = (handle) => (event) => {
      heardAt = performance.now();
      patience = SILENT_MS;
      handle(JSON.parse(event.data));
    };
    source.addEventListener("snapshot", hear(onSnapshot));
    source.addEventListener("update", hear(onUpdate));
    source.addEventListener("error", async ({ target }) => {
      onLost(null);
      const why = target.readyState === EventSource.CLOSED ? await askWhy(url) : null;
      if (why !== null) onLost(why);
    });
  };
  connect();
  setInterval(() => {
    const silence = performance.now() - heardAt;
    const refused = source.readyState === EventSource.CLOSED && silence > RETRY_MS;
    if (silence <= patience && !refused) return;
    onLost(null);
    connect();
  }, 500);
}

/** An `EventSource` keeps the answer to itself: ask again for the reason of a refusal; null if there is none. */
async function askWhy(url) {
  const asking = new AbortController();
  try {
    const answer = await fetch(url, { signal: asking.signal });
    return answer.ok ? null : (await answer.json()).error;
  } catch {
    return null;
  } finally {
    asking.abort();
  }
}
