// Slack's mrkdwn as DOM nodes.
import { el } from "./dom.js";
import { icon } from "./icons.js";

const emoji = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", rotating_light: "🚨", hourglass: "⌛",
  hourglass_flowing_sand: "⏳", pencil2: "✏️", pencil: "📝", memo: "📝", eyes: "👀", robot_face: "🤖", tada: "🎉",
  bust_in_silhouette: "👤", busts_in_silhouette: "👥", bar_chart: "📊", chart_with_upwards_trend: "📈", mag: "🔍",
  inbox_tray: "📥", fast_forward: "⏩", lock: "🔒", clock3: "🕒", stopwatch: "⏱️", speech_balloon: "💬", bulb: "💡",
  thumbsup: "👍", "+1": "👍", thumbsdown: "👎", "-1": "👎", leftwards_arrow_with_hook: "↩️", arrow_right: "➡️",
  large_green_circle: "🟢", large_yellow_circle: "🟡", red_circle: "🔴", white_circle: "⚪", label: "🏷️", game_die: "🎲",
  scissors: "✂️", wave: "👋", information_source: "ℹ️", question: "❓", no_entry: "⛔", bell: "🔔", calendar: "📅",
};

// unescape undoes Slack's three escapes, in the one order that is right.
export const unescape = (s) => s.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

const withEmoji = (s) => s.replace(/:([a-z0-9_+-]+):/g, (all, name) => emoji[name] || all);

const named = new Map(Object.entries(emoji).map(([name, char]) => [char.replace("\ufe0f", ""), name]));
const anyEmoji = new RegExp(":([a-z0-9_+-]+):|(" + [...named.keys()].filter((c) => icon(named.get(c))).join("|") + ")\ufe0f?", "g");

// pictures turns the emoji in a text into pictures, or into characters where there is no picture; decode is applied to
// the words between them.
export function pictures(text, decode = (s) => s) {
  const out = [];
  let at = 0;
  for (const m of text.matchAll(anyEmoji)) {
    const name = m[1] || named.get(m[2]), node = icon(name) || emoji[name];
    if (!node) continue;
    if (m.index > at) out.push(decode(text.slice(at, m.index)));
    out.push(node);
    at = m.index + m[0].length;
  }
  if (at < text.length) out.push(decode(text.slice(at)));
  return out;
}

// plain shows a plain_text object as characters; emoji stays as written when the object says so.
export const plain = (t) => (t ? (t.emoji === false ? t.text : withEmoji(t.text)) : "");

// plainNodes shows it with pictures, for places that can hold them.
export const plainNodes = (t) => (t ? (t.emoji === false ? [t.text] : pictures(t.text)) : []);

// mrkdwn turns text into nodes. world names users, channels and groups.
export function mrkdwn(text, world) {
  const out = [];
  String(text).split(/```([\s\S]*?)```/).forEach((part, i) => {
    if (i % 2) {
      out.push(el("pre", {}, unescape(part.replace(/^\n|\n$/g, ""))));
      return;
    }
    out.push(...lines(part, world));
  });
  return out;
}

function lines(text, world) {
  const out = [];
  let quote = null;
  const rows = text.split("\n");
  rows.forEach((row, i) => {
    const quoted = row.match(/^(?:>|&gt;) ?(.*)$/);
    if (quoted) {
      if (!quote) out.push((quote = el("blockquote")));
      else quote.append(el("br"));
      quote.append(...inline(quoted[1], world));
      return;
    }
    if (i > 0 && !quote) out.push(el("br"));
    quote = null;
    out.push(...inline(row, world));
  });
  return out;
}

const token = /`([^`]+)`|<([^<>\s][^<>]*)>|(?<![\p{L}\p{N}*])\*(?!\s)([^*\n]+?)(?<!\s)\*(?![\p{L}\p{N}*])|(?<![\p{L}\p{N}_])_(?!\s)([^_\n]+?)(?<!\s)_(?![\p{L}\p{N}_])|(?<![\p{L}\p{N}~])~(?!\s)([^~\n]+?)(?<!\s)~(?![\p{L}\p{N}~])/gu;

function inline(text, world) {
  const out = [];
  let at = 0;
  const words = (s) => out.push(...pictures(s, unescape));
  for (const m of text.matchAll(token)) {
    words(text.slice(at, m.index));
    at = m.index + m[0].length;
    if (m[1] !== undefined) out.push(el("code", {}, unescape(m[1])));
    else if (m[2] !== undefined) out.push(reference(m[2], world));
    else if (m[3] !== undefined) out.push(el("strong", {}, inline(m[3], world)));
    else if (m[4] !== undefined) out.push(el("em", {}, inline(m[4], world)));
    else out.push(el("s", {}, inline(m[5], world)));
  }
  words(text.slice(at));
  return out;
}

// reference draws what stands in angle brackets: links, people, channels, groups, dates.
function reference(inside, world) {
  const bar = inside.indexOf("|");
  const target = bar < 0 ? inside : inside.slice(0, bar);
  const label = bar < 0 ? "" : unescape(inside.slice(bar + 1));
  if (target.startsWith("@")) return el("span.mention", {}, "@" + world.userName(target.slice(1), label));
  if (target.startsWith("#")) return el("span.mention", {}, "#" + world.channelName(target.slice(1), label));
  if (target.startsWith("!subteam^")) return el("span.mention", {}, "@" + world.groupName(target.slice(9), label));
  const date = target.match(/^!date\^(\d+)\^([^^]*)/);
  if (date) return el("time", { datetime: new Date(date[1] * 1000).toISOString() }, dateText(date[1], date[2], label));
  if (target.startsWith("!")) return el("span.mention.loud", {}, "@" + target.slice(1));
  return link(unescape(target), label);
}

function dateText(seconds, format, fallback) {
  const d = new Date(seconds * 1000);
  const full = { month: "long", day: "numeric", year: "numeric" };
  const known = {
    date: () => d.toLocaleDateString([], full), date_long: () => d.toLocaleDateString([], { weekday: "long", ...full }),
    date_short: () => d.toLocaleDateString([], { month: "short", day: "numeric", year: "numeric" }),
    date_num: () => d.toISOString().slice(0, 10), time: () => d.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" }),
    time_secs: () => d.toLocaleTimeString(),
  };
  known.date_pretty = () => (d.toDateString() === new Date().toDateString() ? "today" : known.date());
  known.date_short_pretty = () => (d.toDateString() === new Date().toDateString() ? "today" : known.date_short());
  known.date_long_pretty = known.date_long;
  known.ago = () => ago(Date.now() / 1000 - seconds);
  const text = format.replace(/\{(\w+)\}/g, (all, name) => (known[name] ? known[name]() : all));
  return /\{\w+\}/.test(text) && fallback ? fallback : text;
}

// link allows web and mail addresses only; anything else stays text.
export function link(url, label) {
  if (!/^(https?:\/\/|mailto:)/i.test(url)) return el("span", {}, label || url);
  return el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label || url.replace(/^mailto:/i, ""));
}

// ago says how long ago something was, in the largest unit that fits.
function ago(seconds) {
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [name, size] = units.find(([, size]) => seconds >= size) || units.at(-1);
  return new Intl.RelativeTimeFormat("en").format(-Math.max(0, Math.floor(seconds / size)), name);
}
