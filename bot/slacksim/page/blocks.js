// Block Kit as DOM nodes. ctx = {world, act(element, block, input, node), values, place}.
import { el } from "./dom.js";
import { mrkdwn, pictures, plainNodes, link } from "./mrkdwn.js";
import { chart } from "./charts.js";
import { element } from "./elements.js";

export const drawBlocks = (blocks, ctx) => (blocks || []).map((b) => drawBlock(b, ctx));

// text draws a text object.
export function text(t, world) {
  if (!t) return [];
  if (t.type === "mrkdwn") return mrkdwn(t.text, world);
  return t.text.split("\n").flatMap((line, i) => [i ? el("br") : null, ...(t.emoji === false ? [line] : pictures(line))]);
}

function drawBlock(b, ctx) {
  const w = ctx.world, id = { "data-block-id": b.block_id, "data-block": b.type };
  switch (b.type) {
    case "section":
      return el("div.block.section", id,
        el("div.section-main", {}, b.text && el("div.text", {}, text(b.text, w)),
          b.fields && el("div.fields", {}, b.fields.map((f) => el("div.field", {}, text(f, w))))),
        b.accessory && el("div.accessory", {}, b.accessory.type === "image" ? image(b.accessory, "thumb") : element(b.accessory, b, ctx)));
    case "header":
      return el("div.block", id, el("h3.header", {}, text(b.text, w)));
    case "divider":
      return el("div.block", id, el("hr"));
    case "context":
      return el("div.block.context", id, b.elements.map((e) => (e.type === "image" ? image(e, "icon") : el("span", {}, text(e, w)))));
    case "actions":
      return el("div.block.actions", id, b.elements.map((e) => element(e, b, ctx)));
    case "image":
      return el("figure.block", id, b.title && el("figcaption", {}, text(b.title, w)), image(b, "large"));
    case "markdown":
      return el("div.block.text", id, markdown(b.text, w));
    case "rich_text":
      return el("div.block.text", id, b.elements.map((e) => rich(e, w)));
    case "data_visualization":
      return el("div.block", id, chart(b));
    case "table":
      return el("div.block.scroll", id, el("table", {}, b.rows.map((row, i) =>
        el("tr", {}, row.map((c) => el(i ? "td" : "th", {}, cell(c, w)))))));
    case "alert":
      return el("div.block.alert." + (b.level || "default"), id, text(b.text, w));
    case "input":
      return input(b, ctx);
    default:
      return el("div.block.muted", id, `(${b.type} block)`);
  }
}

// image shows the alternative text only: the page loads nothing from elsewhere.
function image(b, size) {
  return el("span.image." + size, { role: "img", "aria-label": b.alt_text, title: b.image_url || "" }, size === "icon" ? "🖼" : b.alt_text);
}

function cell(c, w) {
  if (c.type === "rich_text") return c.elements.map((e) => rich(e, w));
  return c.type === "raw_number" ? c.text || String(c.value) : c.text;
}

function input(b, ctx) {
  const hint = "hint-" + b.block_id, error = "error-" + b.block_id;
  const body = element(b.element, b, ctx, { describedby: (b.hint ? hint + " " : "") + error });
  const group = b.element.type === "radio_buttons" || b.element.type === "checkboxes";
  const name = [text(b.label, ctx.world), b.optional ? el("span.muted", {}, " (optional)") : null];
  const label = group ? el("legend", {}, name) : el("label", { for: body.control?.id }, name);
  return el((group ? "fieldset" : "div") + ".block.input", { "data-block-id": b.block_id, "data-block": "input" }, label, body.node || body,
    el("p.error", { id: error, role: "alert", "data-error-for": b.block_id, hidden: true }),
    b.hint && el("p.hint", { id: hint }, text(b.hint, ctx.world)));
}

// markdown draws the common part of Markdown: headings, lists, bold, code and links.
function markdown(source, w) {
  return source.split(/\n{2,}/).map((para) => {
    const head = para.match(/^#{1,6} (.*)$/);
    if (head) return el("h4", {}, head[1]);
    const rows = para.split("\n");
    if (rows.every((r) => /^\s*[-*] /.test(r))) return el("ul.bullets", {}, rows.map((r) => el("li", {}, common(r.replace(/^\s*[-*] /, ""), w))));
    return el("p", {}, rows.flatMap((r, i) => (i ? [el("br"), ...common(r, w)] : common(r, w))));
  });
}

function common(s) {
  const out = [];
  let at = 0;
  for (const m of s.matchAll(/\*\*([^*]+)\*\*|`([^`]+)`|\[([^\]]+)\]\(([^)\s]+)\)|\*([^*]+)\*/g)) {
    out.push(s.slice(at, m.index));
    at = m.index + m[0].length;
    if (m[1]) out.push(el("strong", {}, m[1]));
    else if (m[2]) out.push(el("code", {}, m[2]));
    else if (m[3]) out.push(link(m[4], m[3]));
    else out.push(el("em", {}, m[5]));
  }
  out.push(s.slice(at));
  return out;
}

function rich(e, w) {
  const inner = () => e.elements.map((leaf) => richLeaf(leaf, w));
  switch (e.type) {
    case "rich_text_list":
      return el(e.style === "ordered" ? "ol.bullets" : "ul.bullets", {}, e.elements.map((i) => el("li", {}, i.elements.map((leaf) => richLeaf(leaf, w)))));
    case "rich_text_preformatted":
      return el("pre", {}, inner());
    case "rich_text_quote":
      return el("blockquote", {}, inner());
    default:
      return el("div.prewrap", {}, inner());
  }
}

function richLeaf(leaf, w) {
  let node;
  switch (leaf.type) {
    case "link": node = link(leaf.url, leaf.text); break;
    case "user": node = el("span.mention", {}, "@" + w.userName(leaf.user_id, "")); break;
    case "channel": node = el("span.mention", {}, "#" + w.channelName(leaf.channel_id, "")); break;
    case "usergroup": node = el("span.mention", {}, "@" + w.groupName(leaf.usergroup_id, "")); break;
    case "broadcast": node = el("span.mention.loud", {}, "@" + leaf.range); break;
    case "emoji": node = el("span", {}, plainNodes({ text: ":" + leaf.name + ":" })); break;
    default: node = el("span", {}, leaf.text || leaf.value || leaf.fallback || "");
  }
  for (const [style, tag] of [["code", "code"], ["bold", "strong"], ["italic", "em"], ["strike", "s"]]) {
    if (leaf.style?.[style]) node = el(tag, {}, node);
  }
  return node;
}
