// Pairing: two taps. The secret is taken out of the address at once, so that it does not stay in the history.

import { postOpenly } from "../api.js";
import { b64, kidOf, unb64 } from "../bytes.js";
import { actionButton, card, digitsBlock, h, notice } from "../dom.js";
import { keepIdentity, makeKeys } from "../keys.js";
import { checkDeviceMac, parseFragment, phoneMac, sixDigits } from "../pairing.js";
import { demand } from "../refused.js";
import { forgetAll } from "../store.js";
import { isText } from "../text_rules.js";
import { explain } from "../words.js";

function guessName() {
  const agent = navigator.userAgent;
  if (/iPhone/.test(agent)) return "iPhone";
  if (/iPad/.test(agent)) return "iPad";
  if (/Android/.test(agent)) return "Android phone";
  return "My browser";
}

/** Make keys, prove the link, check that the doorbell proves it too; then keep the keys. */
async function pair(link, name) {
  demand(name !== "", "NO_NAME");
  demand(isText(name, 40), "E_TEXT");
  const keys = await makeKeys();
  const answer = await postOpenly("/api/pair", {
    name,
    sign_pub: b64(keys.signPub),
    open_pub: b64(keys.openPub),
    mac: await phoneMac(link, keys),
  });
  await checkDeviceMac(link, keys, answer.device, answer.mac);
  const devicePub = unb64(answer.device_pub, 32);
  demand((await kidOf(devicePub)) === answer.device && answer.phone === keys.phone, "P_DEVICE");
  await forgetAll();
  await keepIdentity({ ...keys, name, device: answer.device, devicePub, spki: link.spki });
}

const leaveTo = () => location.replace("/");

function pairForm(context, link) {
  const input = h("input", { id: "phone-name", maxlength: "40", autocomplete: "off", value: guessName() });
  const button = actionButton(
    "Pair this phone",
    "primary",
    async () => {
      await pair(link, input.value.trim().normalize("NFC"));
      leaveTo();
    },
    explain,
  );
  const again = context.me
    ? notice("warn", "Already paired", h("p", {}, "This browser is paired with a doorbell already. If you go on, it forgets that one."))
    : null;
  return [
    again,
    card(
      "Make this phone one of yours",
      h("p", {}, "It will show you who asks for video, let you watch what your doorbell recorded, and only with your yes share it."),
      h("label", { for: "phone-name" }, "Name of this phone"),
      input,
      button,
      h("p", { class: "small" }, "Two keys are made here and never leave this browser. If you clear its data, pair again."),
    ),
  ].filter(Boolean);
}

/** The screen behind a pairing link, or for a browser that has none. */
export async function pairView(context) {
  const fragment = location.hash.slice(1);
  if (location.pathname !== "/pair" || fragment === "") {
    const how = h(
      "p",
      {},
      "At the doorbell, run ",
      h("code", {}, "doorbell pair"),
      " and open its link or scan its code within two minutes. Or hold the indoor button for five seconds and use the link on the owner's card.",
    );
    return { title: "Welcome", nodes: [notice("plain", "Not paired yet", how)] };
  }
  history.replaceState(null, "", "/pair");
  try {
    return { title: "Pair this phone", nodes: pairForm(context, parseFragment(fragment)) };
  } catch (error) {
    return { title: "Pair this phone", nodes: [notice("bad", "That link does not work", h("p", {}, explain(error)))] };
  }
}

/** What a waiting phone shows: the six digits to compare. */
export async function waitingCard(me) {
  const digits = await sixDigits(me.signPub, me.openPub);
  return card(
    "Almost there",
    h("p", {}, "A phone that is already yours has to let this one in. On it, open More, then Phones, and compare this number:"),
    digitsBlock(digits),
    h("p", { class: "small" }, "If the numbers differ, do not let it in. Until then this phone sees no video; it can say no to a request."),
  );
}

/** The screen of a phone that the doorbell no longer knows. */
export function unpairedView() {
  const forget = actionButton(
    "Forget this doorbell",
    "secondary",
    async () => {
      await forgetAll();
      leaveTo();
    },
    explain,
  );
  return {
    title: "Not paired",
    nodes: [
      notice(
        "warn",
        "The doorbell does not know this phone any more",
        h("p", {}, "It was unpaired, or the doorbell was reset. Pair it again with a new link."),
        forget,
      ),
    ],
  };
}
