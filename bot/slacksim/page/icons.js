// The emoji that apps use for states, drawn as small pictures: systems without an emoji font show them too, and the page
// looks the same everywhere. Other emoji are left to the system's fonts.
import { svg } from "./dom.js";

const round = (fill, ...marks) => [["circle", { cx: 10, cy: 10, r: 9, fill }], ...marks];
const tile = (fill, ...marks) => [["rect", { x: 1, y: 1, width: 18, height: 18, rx: 4, fill }], ...marks];
const stroke = (d, color = "#fff", width = 2.2) => ["path", { d, fill: "none", stroke: color, "stroke-width": width, "stroke-linecap": "round", "stroke-linejoin": "round" }];
const shape = (d, fill) => ["path", { d, fill }];
const dot = (cx, cy, r, fill) => ["circle", { cx, cy, r, fill }];
const clockFace = [dot(10, 10, 9, "#5b6b7b"), dot(10, 10, 7, "#fff"), stroke("M10 6v4l3 2", "#34414d", 1.6)];
const sand = [shape("M4 1h12v2.500L11.5 10 16 16.500V19H4v-2.500L8.5 10 4 3.500z", "#a9764a"), shape("M6 3h8l-4 6zM10 11l3.5 6h-7z", "#f6d79b")];
const person = (x) => [dot(x, 6.5, 4, "#5b7794"), shape(`M${x - 7.5} 19c0-5 3-7 7.5-7s7.5 2 7.5 7z`, "#5b7794")];

const icons = {
  white_check_mark: tile("#2bac76", stroke("M5 10.500l3.5 3.500L15 6.5")),
  heavy_check_mark: [stroke("M3 11l4.5 5L17 4", "#2bac76", 3)],
  x: [stroke("M4 4l12 12M16 4L4 16", "#d6336c", 3)],
  no_entry: round("#d6336c", stroke("M5 10h10", "#fff", 3)),
  warning: [shape("M10 1.500L19.5 18.500H.500z", "#f2b61b"), stroke("M10 7.500v5M10 15.500v.1", "#4a3a00", 2)],
  rotating_light: [shape("M4 15a6 8 0 0 1 12 0z", "#d6336c"), ["rect", { x: 2, y: 15, width: 16, height: 4, rx: 1.5, fill: "#5b6b7b" }], stroke("M10 1v3M2 5l2.5 2M18 5l-2.5 2", "#e0a11b", 1.8)],
  hourglass: sand, hourglass_flowing_sand: sand,
  clock3: clockFace, stopwatch: clockFace, alarm_clock: clockFace,
  pencil2: [shape("M2 18l1.2-5L13 3.2 16.8 7 7 16.800z", "#e0a11b"), shape("M13 3.200l1.7-1.700a1.5 1.5 0 0 1 2.1 0l1.7 1.700a1.5 1.5 0 0 1 0 2.100L16.8 7z", "#d6336c"), shape("M2 18l1.2-5L7 16.800z", "#f5deb3")],
  mag: [["circle", { cx: 8, cy: 8, r: 5.5, fill: "#dbeafb", stroke: "#4a6b8a", "stroke-width": 2.2 }], stroke("M12.5 12.500L18 18", "#4a6b8a", 3)],
  robot_face: [["rect", { x: 2, y: 5, width: 16, height: 13, rx: 3, fill: "#8aa4bd" }], dot(7, 10.5, 1.9, "#fff"), dot(13, 10.5, 1.9, "#fff"), stroke("M7 15h6M10 5V1.5", "#fff", 1.6), stroke("M10 5V2", "#8aa4bd", 1.8)],
  bust_in_silhouette: person(10), busts_in_silhouette: [...person(13), ...person(7)],
  eyes: [dot(5.5, 10, 4.5, "#fff"), dot(14.5, 10, 4.5, "#fff"), ["circle", { cx: 5.5, cy: 10, r: 4.5, fill: "none", stroke: "#5b6b7b" }], ["circle", { cx: 14.5, cy: 10, r: 4.5, fill: "none", stroke: "#5b6b7b" }], dot(7, 10.5, 2, "#1d1c1d"), dot(16, 10.5, 2, "#1d1c1d")],
  bar_chart: tile("#eef3f8", shape("M4 16v-5h3v5zM8.5 16V5h3v11zM13 16V8h3v8z", "#1d7fc4")),
  chart_with_upwards_trend: tile("#eef3f8", stroke("M3.5 14.500l4-4 3 2.5 6-7.5", "#d6336c", 1.9)),
  game_die: tile("#d6336c", dot(6, 6, 1.6, "#fff"), dot(14, 6, 1.6, "#fff"), dot(10, 10, 1.6, "#fff"), dot(6, 14, 1.6, "#fff"), dot(14, 14, 1.6, "#fff")),
  label: [shape("M1 10l6-6h12v12H7z", "#e0a11b"), dot(6.5, 10, 1.7, "#fff")],
  speech_balloon: [shape("M2 3h16v11H9l-4 4v-4H2z", "#8aa4bd")],
  inbox_tray: [shape("M1 11h5l1.5 3h5L14 11h5v7H1z", "#5b7794"), stroke("M10 2v7M7 6.500L10 9.500l3-3", "#2bac76", 2)],
  fast_forward: tile("#1d7fc4", shape("M4 5.500l5.5 4.500L4 14.500zM10 5.500l5.5 4.5-5.5 4.500z", "#fff")),
  leftwards_arrow_with_hook: tile("#1d7fc4", stroke("M8 5L4.5 8.5 8 12M4.5 8.500H12a3.2 3.2 0 0 1 0 6.400H9")),
  arrow_right: tile("#1d7fc4", stroke("M4.5 10h11M11 5.500l4.5 4.5-4.5 4.5")),
  information_source: tile("#1d7fc4", stroke("M10 9v5.500M10 5.500v.1", "#fff", 2.4)),
  question: [stroke("M6 6.500a4 4 0 1 1 5.5 4c-1 .5-1.5 1.3-1.5 2.500M10 17.500v.1", "#d6336c", 2.8)],
  lock: [["rect", { x: 3, y: 9, width: 14, height: 10, rx: 2, fill: "#e0a11b" }], stroke("M6 9V6a4 4 0 0 1 8 0v3", "#8a8f96", 2)],
  scissors: [stroke("M6 7l11 9M6 13l11-9", "#5b6b7b", 2), ["circle", { cx: 4, cy: 5.5, r: 2.5, fill: "none", stroke: "#d6336c", "stroke-width": 2 }], ["circle", { cx: 4, cy: 14.5, r: 2.5, fill: "none", stroke: "#d6336c", "stroke-width": 2 }]],
  bulb: [dot(10, 8, 6.5, "#f2c744"), ["rect", { x: 7, y: 13, width: 6, height: 6, rx: 1.5, fill: "#8a8f96" }]],
  bell: [shape("M10 1.500a6 6 0 0 1 6 6v5l2 3H2l2-3v-5a6 6 0 0 1 6-6z", "#f2b61b"), dot(10, 17, 2, "#a9764a")],
  large_green_circle: round("#2bac76"), large_yellow_circle: round("#f2c744"), red_circle: round("#d6336c"), white_circle: round("#dfe3e8"),
  large_blue_circle: round("#1d7fc4"), large_orange_circle: round("#e8833a"),
};

// icon returns the picture for an emoji's name, or null.
export function icon(name) {
  const parts = icons[name];
  if (!parts) return null;
  return svg("svg", { viewBox: "0 0 20 20", class: "emoji", role: "img", "aria-label": name.replaceAll("_", " ") },
    parts.map(([tag, attrs]) => svg(tag, attrs)));
}
