// What this browser remembers, in IndexedDB: its keys (which it can use but never read), and what it has seen.
// Nothing of it leaves the browser.

const NAME = "doorbell";
const STORES = ["identity", "agencies", "checkpoint", "decisions", "phones", "settings"];

let opened = null;

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function database() {
  opened ??= (() => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => STORES.forEach((name) => request.result.createObjectStore(name));
    return done(request);
  })();
  return opened;
}

const store = async (name, mode) => (await database()).transaction(name, mode).objectStore(name);

/** The value under `key`, or undefined. */
export const recall = async (name, key) => done((await store(name, "readonly")).get(key));

/** Keep `value` under `key`. */
export const remember = async (name, key, value) => done((await store(name, "readwrite")).put(value, key));

/** Forget everything: this browser is nobody's phone any more. */
export async function forgetAll() {
  for (const name of STORES) await done((await store(name, "readwrite")).clear());
}
