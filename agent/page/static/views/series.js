// Several requests of one agency, said plainly before the owner decides: how many, for how long together, what was shared.

import { h, notice } from "../dom.js";
import { placeOf, repeated } from "../series.js";
import { dayNumber, hoursAndMinutes, plural, shownName } from "../words.js";

const CEILING_S = 43_200; // what one request may ask for at most (protocol section 7); directories lower it
const MOST_AGENCIES = 5;

/** "Together they ask for 3 h 20 min on 2 days. You shared video for 1 of them." */
function sum({ count, seconds, days, shared, agreed }) {
  const asked = `Together they ask for ${hoursAndMinutes(seconds)} on ${plural(days, "day")}.`;
  const all = shared === count ? "You shared video for all of them." : null;
  const sent = all ?? (shared > 0 ? `You shared video for ${shared} of them.` : "So far you shared none of it.");
  const soon = agreed > 0 ? ` You said yes to ${shared > 0 ? `${agreed} more` : agreed}, not sent yet.` : "";
  return `${asked} ${sent}${soon}`;
}

function caseLine({ count, sameCase, elsewhere }, name) {
  const own = sameCase < 2 ? null : sameCase === count ? `All of them name this case, ${name}.` : `${sameCase} of them name this case, ${name}.`;
  const others = elsewhere > 0 ? `${plural(elsewhere, "request")} by others ${elsewhere === 1 ? "names" : "name"} ${own ? "it" : `this case, ${name},`} too.` : null;
  return [own, others].filter(Boolean).join(" ");
}

/** The verified request among its like, or null where it stands alone; a warning only while it can be answered. */
export function seriesNotice(series, agency, caseName, mayAnswer) {
  const { count, rank, seconds } = series;
  const cases = caseLine(series, caseName);
  if (count < 2) return cases ? notice("plain", null, h("p", {}, cases)) : null;
  const place = rank === count ? `request ${rank}` : `request ${rank} of ${count}`;
  const ceiling = Math.min(CEILING_S, agency.limits.window_s);
  const isWide = seconds > ceiling;
  const wide = `That is more than any one request may ask for (${hoursAndMinutes(ceiling)}).`;
  return notice(
    isWide && mayAnswer ? "warn" : "plain",
    `This is ${place} by ${agency.name} in 30 days`,
    h("p", {}, sum(series)),
    isWide ? h("p", {}, h("strong", {}, wide)) : null,
    cases ? h("p", {}, cases) : null,
    h("p", {}, h("a", { href: "#/requests" }, "See them all")),
  );
}

/** One line for the sheet in which a yes is given, or null. */
export const seriesAfterYes = ({ count, shared, agreed }) =>
  count < 2 ? null : `With this you will have said yes to ${shared + agreed + 1} of their ${count} requests in 30 days.`;

/** "Request 4 of 5 by them · 2 for this case" for a row of the list, or null where it stands alone. */
export function seriesLine(rows, row) {
  const { count, rank, sameCase } = placeOf(rows, row);
  if (count < 2) return null;
  return [`Request ${rank} of ${count} by them`, sameCase > 1 ? `${sameCase} for this case` : null].filter(Boolean).join(" · ");
}

/** Above the list: who asked more than once, and for how much together. */
export function repeatedNotice(rows) {
  const found = repeated(rows, dayNumber);
  if (found.length === 0) return null;
  const lines = found.slice(0, MOST_AGENCIES).map((one) =>
    h("div", {}, h("h3", {}, `${shownName(one)}: ${one.count} requests`), h("p", {}, sum(one))));
  const rest = found.length - lines.length;
  return notice("plain", "Who asked more than once in 30 days", lines, rest > 0 ? h("p", { class: "small" }, `And ${plural(rest, "more agency", "more agencies")}.`) : null);
}
