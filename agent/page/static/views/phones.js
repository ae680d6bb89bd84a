// The phones of this home: let one in after comparing six digits, hand older videos on, remove one.

import { act, handOn, keysOf } from "../action.js";
import { get } from "../api.js";
import { b64 } from "../bytes.js";
import { ask, digitsBlock, h, icon, notice, say } from "../dom.js";
import { sixDigits } from "../pairing.js";
import { recall, remember } from "../store.js";
import { isText } from "../text_rules.js";
import { explain, moment, plural } from "../words.js";

const nameOf = (row) => (isText(row.name, 40) ? row.name : "Phone with an unreadable name");

/** Let a phone in; its keys are remembered, so that what is handed on later goes to the same ones. */
async function admit(context, row) {
  const keys = await keysOf(row);
  const digits = await sixDigits(keys.signPub, keys.openPub);
  const done = await ask({
    title: `Let ${nameOf(row)} in?`,
    body: h("div", {}, h("p", {}, "Look at the other phone. Does it show exactly this number?"), digitsBlock(digits), h("p", { class: "small" }, "It will then see all new videos and can share them.")),
    yes: "Yes, it is the same",
    no: "No, it differs",
    explain,
    run: async () => {
      await act("admit", { phone: row.phone });
      await remember("phones", row.phone, { openPub: b64(keys.openPub) });
    },
  });
  if (done) {
    say(`${nameOf(row)} is let in.`);
    context.redraw();
  }
}

/** Hand older videos on. Without a memory of the phone's keys, the digits are compared again. */
async function giveOlder(row) {
  const keys = await keysOf(row);
  const known = await recall("phones", row.phone);
  const same = known?.openPub === b64(keys.openPub);
  const digits = await sixDigits(keys.signPub, keys.openPub);
  let result = null;
  const done = await ask({
    title: `Give ${nameOf(row)} the older videos?`,
    body: h(
      "div",
      {},
      h("p", {}, "It will be able to open everything that this phone can open."),
      same ? null : [h("p", {}, "Look at the other phone, under More and Phones. Does it show this number?"), digitsBlock(digits)],
    ),
    yes: same ? "Give them" : "Yes, it is the same",
    explain,
    run: async (words) => {
      result = await handOn(row.phone, keys.openPub, (i, n) => words(`${i} of ${n}…`));
      await remember("phones", row.phone, { openPub: b64(keys.openPub) });
    },
  });
  if (!done) return;
  const failed = result.failed > 0 ? ` ${plural(result.failed, "part")} can't be opened on this phone either.` : "";
  say(`${plural(result.given, "part")} handed on.${failed}`);
}

async function unpair(context, row, isMe) {
  const done = await ask({
    title: isMe ? "Remove this phone?" : `Remove ${nameOf(row)}?`,
    body: h("p", {}, "It no longer sees anything new and can't share. What it has watched it has watched."),
    yes: "Remove it",
    kind: "danger",
    explain,
    run: () => act("unpair", { phone: row.phone }),
  });
  if (done) context.redraw();
}

async function phoneCard(context, row, mayAct) {
  const isMe = row.phone === context.me.phone;
  const waits = row.state === "waiting";
  const keys = await keysOf(row);
  const digits = await sixDigits(keys.signPub, keys.openPub);
  const buttons = [];
  if (mayAct && waits) buttons.push(h("button", { type: "button", class: "primary", onclick: () => admit(context, row) }, "Let in…"));
  if (mayAct && !waits && !isMe) buttons.push(h("button", { type: "button", class: "secondary", onclick: () => giveOlder(row) }, "Give older videos…"));
  if (mayAct) buttons.push(h("button", { type: "button", class: "quiet danger-text", onclick: () => unpair(context, row, isMe) }, "Remove…"));
  return h(
    "article",
    { class: `card phone-card ${waits ? "waiting" : ""}`, "data-phone": row.phone },
    h("h2", {}, icon("phone"), h("span", {}, nameOf(row), isMe ? h("span", { class: "tag" }, "this phone") : null)),
    h("p", { class: "small" }, waits ? "Waits to be let in" : `Paired ${moment(row.paired * 1000)}`, ` · number ${digits.slice(0, 3)} ${digits.slice(3)}`),
    buttons.length ? h("div", { class: "row-of-buttons" }, buttons) : null,
  );
}

export async function phonesView(context) {
  const rows = (await get("/api/phones")).filter((row) => row.state !== "unpaired");
  const mayAct = rows.some((row) => row.phone === context.me.phone && row.state === "admitted");
  const waitingFirst = rows.toSorted((a, b) => (b.state === "waiting") - (a.state === "waiting"));
  const alone = rows.length < 2
    ? notice("plain", "Only one phone", h("p", {}, "If you lose it, only the recovery key from the owner's card opens your videos. A second phone is a good idea."))
    : null;
  const cards = [];
  for (const row of waitingFirst) cards.push(await phoneCard(context, row, mayAct));
  const how = h("p", { class: "small" }, "To add one, run doorbell pair at the doorbell and open its link on the new phone. Or hold the indoor button for five seconds and use the link on the owner's card.");
  return {
    title: "Phones",
    back: "more",
    nodes: [alone, cards, how],
    onEvent: (name) => {
      if (name === "phone") context.redraw();
    },
  };
}
