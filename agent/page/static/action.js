// Changes other than a decision are signed too (protocol section 10): a session alone changes nothing.

import { b64, kidOf, newId, unb64 } from "./bytes.js";
import { get, getAll, post } from "./api.js";
import { openCek } from "./consent.js";
import { signEnvelope } from "./dsse.js";
import { hpkeSeal, stanzaInfo } from "./hpke.js";
import { identity } from "./keys.js";

/** Sign and send one action. */
export async function act(verb, args) {
  const me = await identity();
  const { nonce } = await get("/api/nonce");
  const value = { v: 1, id: newId(), verb, args, phone: me.phone, nonce, at: Math.floor(Date.now() / 1000) };
  await post("/api/actions", { envelope: await signEnvelope("action", value, me.signKey, me.phone) });
}

const BATCH = 256;

/** The key of a row of `/api/stanzas`; null where the stanza is no good, so that one does not hold up the others. */
async function cekOrNull(me, row) {
  try {
    return await openCek(me, row);
  } catch (error) {
    if (error.code === "E_SEAL") return null;
    throw error;
  }
}

/**
 * Let another admitted phone open what this one can: each key is opened and sealed again here, in the browser.
 * `openPub` must be the one whose six digits the owner compared. Returns how many were `given` and how many `failed`.
 */
export async function handOn(phone, openPub, onProgress = () => {}) {
  const me = await identity();
  const kid = await kidOf(openPub);
  const rows = await getAll("/api/stanzas");
  let given = 0;
  for (let at = 0; at < rows.length; at += BATCH) {
    const batch = [];
    for (const row of rows.slice(at, at + BATCH)) {
      const cek = await cekOrNull(me, row);
      if (cek === null) continue;
      batch.push({ id: row.id, stanza: b64(await hpkeSeal(openPub, cek, stanzaInfo(row.id, kid))) });
    }
    await post(`/api/phones/${phone}/stanzas`, batch);
    given += batch.length;
    onProgress(Math.min(at + BATCH, rows.length), rows.length);
  }
  return { given, failed: rows.length - given };
}

/** The raw public keys of a phone as the doorbell lists it; throws unless its kid fits. */
export async function keysOf(row) {
  const [signPub, openPub] = [unb64(row.sign_pub, 32), unb64(row.open_pub, 32)];
  if ((await kidOf(signPub)) !== row.phone) throw new Error("the phone's name is not its key's");
  return { signPub, openPub };
}
