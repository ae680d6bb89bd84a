// The area of a request (protocol section 6): its form, its size, and whether the camera stands in it.
// Coordinates are integers of 1e-7 degree; an extent of 0.1 degree keeps every product exact in a double.

import { demand } from "./refused.js";
import { isInteger } from "./strict_json.js";

const MAX_LAT = 850_000_000;
const MAX_LON = 1_800_000_000;
const MAX_EXTENT = 1_000_000;
const M_PER_UNIT = 111319.49 / 1e7;

const cross = (o, a, b) => (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
const between = (a, b, p) =>
  Math.min(a[0], b[0]) <= p[0] && p[0] <= Math.max(a[0], b[0]) &&
  Math.min(a[1], b[1]) <= p[1] && p[1] <= Math.max(a[1], b[1]);

function touch(a, b, c, d) {
  const [d1, d2, d3, d4] = [cross(c, d, a), cross(c, d, b), cross(a, b, c), cross(a, b, d)].map(Math.sign);
  if (d1 * d2 < 0 && d3 * d4 < 0) return true;
  return (
    (d1 === 0 && between(c, d, a)) || (d2 === 0 && between(c, d, b)) ||
    (d3 === 0 && between(a, b, c)) || (d4 === 0 && between(a, b, d))
  );
}

/** Whether the edge from b goes back over the edge to b. */
function foldsBack(a, b, c) {
  const along = (a[0] - b[0]) * (c[0] - b[0]) + (a[1] - b[1]) * (c[1] - b[1]);
  return cross(a, b, c) === 0 && along > 0;
}

function isSimple(points) {
  const n = points.length;
  for (let i = 0; i < n; i += 1) {
    if (foldsBack(points[i], points[(i + 1) % n], points[(i + 2) % n])) return false;
    for (let j = i + 2; j < n; j += 1) {
      if (i === 0 && j === n - 1) continue;
      if (touch(points[i], points[i + 1], points[j], points[(j + 1) % n])) return false;
    }
  }
  return true;
}

/** Throw E_AREA unless `points` is a polygon of the protocol's form. */
export function demandArea(points) {
  demand(Array.isArray(points) && points.length >= 3 && points.length <= 32, "E_AREA", "points");
  for (const point of points) {
    demand(Array.isArray(point) && point.length === 2, "E_AREA", "a point");
    demand(isInteger(point[0], -MAX_LAT, MAX_LAT) && isInteger(point[1], -MAX_LON, MAX_LON), "E_AREA", "range");
  }
  for (const axis of [0, 1]) {
    const values = points.map((point) => point[axis]);
    demand(Math.max(...values) - Math.min(...values) <= MAX_EXTENT, "E_AREA", "extent");
  }
  demand(new Set(points.map(String)).size === points.length, "E_AREA", "a point twice");
  demand(isSimple(points), "E_AREA", "not simple");
}

/** Points in metres, east and north of the middle of the area. */
export function toMetres(points, origin = points[0]) {
  const middle = points.reduce((sum, point) => sum + point[0], 0) / points.length;
  const east = M_PER_UNIT * Math.cos((middle / 1e7) * (Math.PI / 180));
  return (some) => some.map(([lat, lon]) => [(lon - origin[1]) * east, (lat - origin[0]) * M_PER_UNIT]);
}

/** Area in m². */
export function areaM2(points) {
  const flat = toMetres(points)(points);
  let twice = 0;
  flat.forEach(([x, y], i) => {
    const [nextX, nextY] = flat[(i + 1) % flat.length];
    twice += x * nextY - nextX * y;
  });
  return Math.abs(twice) / 2;
}

/** Whether `point` is inside, by ray casting. */
export function contains(points, [y, x]) {
  let inside = false;
  points.forEach(([y1, x1], i) => {
    const [y2, x2] = points[(i + 1) % points.length];
    if ((y1 > y) === (y2 > y)) return;
    const side = (x - x1) * (y2 - y1) - (x2 - x1) * (y - y1);
    if (y2 > y1 ? side < 0 : side > 0) inside = !inside;
  });
  return inside;
}
