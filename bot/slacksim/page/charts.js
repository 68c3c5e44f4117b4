// data_visualization blocks as SVG.
import { el, svg } from "./dom.js";

const W = 560, H = 250, left = 44, right = 12, top = 12, bottom = 34;

// chart draws one block: a title, the picture, a legend. A table for screen readers would repeat the message's text, which
// always stands beside the chart, so the picture gets one label.
export function chart(block) {
  const c = block.chart;
  const names = c.type === "pie" ? c.segments.map((s) => s.label) : c.series.map((s) => s.name);
  const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": block.title + ": " + said(c), "data-chart": c.type });
  if (c.type === "pie") pie(picture, c);
  else axes(picture, c);
  const legend = el("ul.legend", {}, names.map((n, i) =>
    el("li", {}, el("span.swatch.s" + (i % 12)), n + (c.type === "pie" ? ` · ${number(c.segments[i].value)}` : ""))));
  return el("figure.chart", { "data-block-id": block.block_id }, el("figcaption", {}, block.title),
    el("div.picture", {}, picture), names.length > 1 || c.type === "pie" ? legend : null);
}

const number = (v) => (Number.isInteger(Number(v)) ? String(v) : Number(v).toFixed(2).replace(/\.?0+$/, ""));

function said(c) {
  if (c.type === "pie") return c.segments.map((s) => `${s.label} ${number(s.value)}`).join(", ");
  return c.series.map((s) => s.name + " " + s.data.map((p) => `${p.label} ${number(p.value)}`).join(", ")).join("; ");
}

function pie(root, c) {
  const total = c.segments.reduce((sum, s) => sum + Number(s.value), 0), r = 104, cx = W / 2, cy = H / 2;
  let from = -Math.PI / 2;
  c.segments.forEach((s, i) => {
    const share = Number(s.value) / total, to = from + share * 2 * Math.PI;
    const point = (a, q) => `${(cx + q * Math.cos(a)).toFixed(2)} ${(cy + q * Math.sin(a)).toFixed(2)}`;
    const tip = svg("title", {}, `${s.label}: ${number(s.value)} (${Math.round(share * 100)}%)`);
    if (share > 0.9999) {
      root.append(svg("circle", { cx, cy, r, class: "fill s" + (i % 12) }, tip));
    } else {
      const d = `M${cx} ${cy} L${point(from, r)} A${r} ${r} 0 ${share > 0.5 ? 1 : 0} 1 ${point(to, r)} Z`;
      root.append(svg("path", { d, class: "fill slice s" + (i % 12) }, tip));
    }
    if (share > 0.06) {
      const [x, y] = point((from + to) / 2, r * 0.66).split(" ");
      root.append(svg("text", { x, y, class: "share", "text-anchor": "middle", dy: "0.35em" }, Math.round(share * 100) + "%"));
    }
    from = to;
  });
}

// ticks picks about four round steps that cover low to high.
function ticks(low, high) {
  if (low === high) high = low + 1;
  const raw = (high - low) / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((f) => f * power).find((s) => s >= raw);
  const out = [];
  for (let v = Math.floor(low / step) * step; v < high + step * 0.999; v += step) out.push(Number(v.toPrecision(12)));
  return out;
}

function axes(root, c) {
  const categories = c.axis_config.categories, values = c.series.flatMap((s) => s.data.map((p) => Number(p.value)));
  const steps = ticks(Math.min(0, ...values), Math.max(0, ...values));
  const low = steps[0], high = steps.at(-1);
  const base = H - bottom - (c.axis_config.x_label ? 14 : 0), l = left + (c.axis_config.y_label ? 14 : 0);
  const y = (v) => base - ((v - low) / (high - low)) * (base - top);
  const band = (W - l - right) / categories.length, mid = (i) => l + band * (i + 0.5);
  for (const t of steps) {
    root.append(svg("line", { x1: l, x2: W - right, y1: y(t), y2: y(t), class: t === 0 ? "axis" : "grid" }),
      svg("text", { x: l - 8, y: y(t), dy: "0.32em", class: "tick", "text-anchor": "end" }, compact(t)));
  }
  const every = Math.ceil(categories.length / 10), room = Math.max(4, Math.floor((band * every) / 6.2));
  categories.forEach((name, i) => {
    if (i % every) return;
    const short = [...name].length > room ? [...name].slice(0, room - 1).join("") + "…" : name;
    root.append(svg("text", { x: mid(i), y: base + 17, class: "tick", "text-anchor": "middle" }, short, svg("title", {}, name)));
  });
  if (c.axis_config.x_label) root.append(svg("text", { x: (l + W) / 2, y: H - 6, class: "label", "text-anchor": "middle" }, c.axis_config.x_label));
  if (c.axis_config.y_label) {
    root.append(svg("text", { x: 12, y: (top + base) / 2, class: "label", "text-anchor": "middle", transform: `rotate(-90 12 ${(top + base) / 2})` }, c.axis_config.y_label));
  }
  const valueAt = (s, name) => Number(s.data.find((p) => p.label === name)?.value ?? 0);
  c.series.forEach((s, n) => {
    const tip = (name) => svg("title", {}, `${s.name}, ${name}: ${number(valueAt(s, name))}`);
    if (c.type === "bar") {
      const width = Math.min(46, (band * 0.72) / c.series.length), start = -(width * c.series.length) / 2 + n * width;
      categories.forEach((name, i) => {
        const v = valueAt(s, name), h = Math.abs(y(v) - y(0));
        root.append(svg("rect", { x: mid(i) + start + 1, y: Math.min(y(v), y(0)), width: Math.max(1, width - 2), height: h, rx: Math.min(3, h / 2), class: "fill s" + (n % 12) }, tip(name)));
      });
      return;
    }
    const points = categories.map((name, i) => [mid(i), y(valueAt(s, name))]);
    const path = points.map(([px, py], i) => (i ? "L" : "M") + px.toFixed(1) + " " + py.toFixed(1)).join("");
    if (c.type === "area") {
      root.append(svg("path", { d: `${path}L${points.at(-1)[0]} ${y(0)}L${points[0][0]} ${y(0)}Z`, class: "area s" + (n % 12) }));
    }
    root.append(svg("path", { d: path, class: "line s" + (n % 12) }));
    points.forEach(([px, py], i) => root.append(svg("circle", { cx: px, cy: py, r: 3.5, class: "point s" + (n % 12) }, tip(categories[i]))));
  });
}

function compact(v) {
  const a = Math.abs(v);
  if (a >= 1e6) return number(v / 1e6) + "M";
  if (a >= 1e4) return number(v / 1e3) + "k";
  return number(v);
}
