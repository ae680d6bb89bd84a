// Many small requests that add up to a wide one. Pure: numbers from the rows of `GET /api/requests`, no words, no clock.
// The rows are what reached this home in 30 days, newest first (protocol section 10); agencies are told apart by id only.

/** States in which footage has left or is leaving, and those in which a yes stands that can still be stopped. */
const SHARED = new Set(["UPLOADING", "HANDED_OVER", "DELIVERED", "UNCONFIRMED"]);
const AGREED = new Set(["CONFIRMING", "GRACE"]);

/** Windows `{from, to}` joined where they overlap or touch, in the order of time; an empty one counts for nothing. */
export function merge(windows) {
  const sorted = windows.filter(({ from, to }) => from < to).sort((a, b) => a.from - b.from);
  const joined = [];
  for (const { from, to } of sorted) {
    const last = joined.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else joined.push({ from, to });
  }
  return joined;
}

/** How many different days the joined windows touch; `dayNumber(s)` counts days where the doorbell stands. */
export function daysTouched(joined, dayNumber) {
  let [count, seen] = [0, -Infinity];
  for (const { from, to } of joined) {
    const [first, last] = [Math.max(dayNumber(from), seen + 1), dayNumber(to - 1)];
    if (last >= first) count += last - first + 1;
    seen = Math.max(seen, last);
  }
  return count;
}

/** What one agency's rows ask for together: `{count, seconds, days, shared, agreed}`, each second once. */
export function together(rows, dayNumber) {
  const joined = merge(rows);
  return {
    count: rows.length,
    seconds: joined.reduce((sum, { from, to }) => sum + to - from, 0),
    days: daysTouched(joined, dayNumber),
    shared: rows.filter((row) => SHARED.has(row.state)).length,
    agreed: rows.filter((row) => AGREED.has(row.state)).length,
  };
}

/**
 * Where one row stands among those of its agency: `{count, rank, sameCase, elsewhere}`; rank 1 is the oldest, `sameCase`
 * counts this agency's requests for this case, this one included, `elsewhere` those of others that name the case.
 */
export function placeOf(rows, mine) {
  const theirs = rows.filter((row) => row.agency === mine.agency);
  const ofCase = rows.filter((row) => row.case === mine.case);
  const sameCase = ofCase.filter((row) => row.agency === mine.agency).length;
  return {
    count: theirs.length,
    rank: theirs.length - theirs.findIndex((row) => row.id === mine.id),
    sameCase,
    elsewhere: ofCase.length - sameCase,
  };
}

/**
 * One request's place, and what all of its agency ask for together. `mine` is taken at its own word, which the caller
 * has verified, whatever the list says of it.
 */
export function seriesOf(rows, mine, dayNumber) {
  const listed = rows.some((row) => row.id === mine.id);
  const all = listed ? rows.map((row) => (row.id === mine.id ? { ...row, ...mine } : row)) : [mine, ...rows];
  return { ...placeOf(all, mine), ...together(all.filter((row) => row.agency === mine.agency), dayNumber) };
}

/** Who asked more than once: `{agency, agency_name, …together}`; who asks for most stands first. */
export function repeated(rows, dayNumber) {
  const byAgency = new Map();
  for (const row of rows) byAgency.set(row.agency, [...(byAgency.get(row.agency) ?? []), row]);
  return [...byAgency.values()]
    .filter((theirs) => theirs.length > 1)
    .map((theirs) => ({ ...together(theirs, dayNumber), agency: theirs[0].agency, agency_name: theirs[0].agency_name }))
    .sort((a, b) => b.seconds - a.seconds);
}
