// The area of a request as a small drawing and a sentence; no map from anywhere, so nobody learns what is looked at.

import { s } from "./dom.js";
import { areaM2, contains, toMetres } from "./geo.js";

const SIZE = 160;
const MARGIN = 22;

/** "about 300 m by 300 m (0.09 km²); your camera is inside it". */
export function areaSentence(points, camera) {
  const flat = toMetres(points)(points);
  const extent = [0, 1].map((axis) => {
    const values = flat.map((point) => point[axis]);
    return Math.max(...values) - Math.min(...values);
  });
  const round = (m) => (m >= 1000 ? `${(m / 1000).toFixed(1)} km` : `${Math.round(m / 10) * 10} m`);
  const km2 = (areaM2(points) / 1e6).toFixed(2);
  const where = contains(points, camera) ? "Your camera is inside it." : "Your camera is NOT inside it.";
  return `An area of about ${round(extent[0])} by ${round(extent[1])} (${km2} km²). ${where}`;
}

/** The outline with the camera as a dot; north is up. */
export function areaDrawing(points, camera) {
  const project = toMetres(points);
  const flat = project([...points, camera]);
  const xs = flat.map((point) => point[0]);
  const ys = flat.map((point) => point[1]);
  const reach = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys), 1);
  const scale = (SIZE - 2 * MARGIN) / reach;
  const middle = [(Math.max(...xs) + Math.min(...xs)) / 2, (Math.max(...ys) + Math.min(...ys)) / 2];
  const place = ([x, y]) => [SIZE / 2 + (x - middle[0]) * scale, SIZE / 2 - (y - middle[1]) * scale];
  const outline = flat.slice(0, -1).map((point) => place(point).map((v) => v.toFixed(1)).join(",")).join(" ");
  const [cx, cy] = place(flat.at(-1));
  return s(
    "svg",
    { class: "area", viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img", "aria-label": "Outline of the area with your camera as a dot" },
    s("polygon", { points: outline }),
    s("circle", { cx: cx.toFixed(1), cy: cy.toFixed(1), r: 5 }),
    s("path", { class: "north", d: `M${SIZE - 11} 20V6m-4 5 4-5 4 5` }),
  );
}
