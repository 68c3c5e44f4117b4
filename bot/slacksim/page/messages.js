// The list of messages, and the home tab.
import { el, keyed, avatar, clock, day } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";
import { drawBlocks } from "./blocks.js";
import { menu, item } from "./menu.js";

// drawMessages brings the list in line with what this user sees: the channel's messages, their own ephemeral ones, replies
// below their parents.
export function drawMessages(root, page, act) {
  const { state, world, user, channel, dismissed } = page;
  const mine = state.ephemerals.filter((m) => m.channel === channel.id && !dismissed.has(m.ts));
  const all = [...state.messages, ...mine].sort((a, b) => (a.ts < b.ts ? -1 : 1));
  const parents = new Set(state.messages.filter((m) => !m.thread_ts).map((m) => m.ts));
  const replies = new Map();
  const roots = [];
  for (const m of all) {
    if (m.thread_ts && parents.has(m.thread_ts)) {
      if (!replies.has(m.thread_ts)) replies.set(m.thread_ts, []);
      replies.get(m.thread_ts).push(m);
      if (!m.broadcast) continue;
    }
    roots.push(m);
  }
  const items = [{ key: "intro" }];
  let before = null;
  for (const m of roots) {
    if (!before || day(before.ts) !== day(m.ts)) items.push({ key: "day-" + day(m.ts), day: day(m.ts) });
    const grouped = before && before.user === m.user && !m.blocks && !before.blocks && !m.ephemeral_to && !before.ephemeral_to
      && !replies.has(before.ts) && Number(m.ts) - Number(before.ts) < 300;
    items.push({ key: m.ts, message: m, grouped, replies: replies.get(m.ts) || [] });
    before = m;
  }
  const writing = page.reply.form.contains(document.activeElement) ? document.activeElement : null;
  const near = root.scrollHeight - root.scrollTop - root.clientHeight < 120 || root.dataset.channel !== channel.id;
  root.dataset.channel = channel.id;
  keyed(root, items, (i) => channel.id + "/" + i.key, (i) => JSON.stringify([i, user.id, i.key === "intro" ? channel : 0, page.reply.ts === i.key]), (i) => {
    if (i.key === "intro") return intro(channel, world);
    if (i.day) return el("div.day", { role: "separator" }, el("span", {}, i.day));
    return drawMessage(i.message, page, act, i.grouped, i.replies);
  });
  if (writing?.isConnected) writing.focus();
  if (near && !writing) root.scrollTop = root.scrollHeight;
}

function intro(channel, world) {
  if (channel.with) {
    const u = world.user(channel.with);
    return el("div.intro", {}, avatar({ bot: true, id: "app" }, "big"), el("h2", {}, world.appName()), el("p.muted", {}, `Direct messages between ${world.appName()} and ${u.real_name}.`));
  }
  return el("div.intro", {}, el("h2", {}, "# " + channel.name), el("p.muted", {}, channel.topic || "The beginning of this channel."));
}

function drawMessage(m, page, act, grouped, replies) {
  const { world, user } = page, author = world.user(m.user);
  const ctx = { world, values: page.state.chosen[m.ts], act: (e, b, input, node) => act({ channel: m.channel, ts: m.ts }, e, b, input, node) };
  const trouble = m.trouble?.[user.id];
  const edited = m.edited_ts ? el("span.muted.edited", { title: "Edited " + clock(m.edited_ts) }, "(edited)") : null;
  const name = el("div.byline", {}, el("strong", {}, author.real_name || author.name), author.bot || m.user === "USLACKBOT" ? el("span.badge", {}, "APP") : null,
    el("time.muted", { datetime: new Date(m.ts * 1000).toISOString(), title: new Date(m.ts * 1000).toLocaleString() }, clock(m.ts)));
  const body = m.blocks?.length
    ? el("div.blocks", {}, drawBlocks(m.blocks, ctx), edited)
    : el("div.text", {}, m.bot_id || m.user === "USLACKBOT" ? mrkdwn(m.text, world) : typed(m.text, world), edited && " ", edited);
  const classes = ["message", grouped && "grouped", m.ephemeral_to && "ephemeral"].filter(Boolean).join(".");
  return el("article." + classes, { "data-ts": m.ts, "data-ephemeral": m.ephemeral_to ? "true" : null, "aria-label": `${author.real_name || author.name}: ${m.text}` },
    m.ephemeral_to && el("p.only-you", {}, el("span", { "aria-hidden": "true" }, "◉ "), "Only visible to you"),
    m.ephemeral_to || m.user === "USLACKBOT" ? null : more(m, page),
    el("div.gutter", {}, grouped ? el("time.muted", {}, clock(m.ts)) : avatar(author)),
    el("div.content", {}, grouped ? null : name, body,
      trouble && el("p.trouble", { role: "alert" }, "⚠ ", `${world.appName()} is not responding (${trouble}). Try again.`),
      m.ephemeral_to && el("button.linkish", { type: "button", onclick: () => page.dismiss(m.ts) }, "Dismiss message"),
      replies.length ? el("div.replies", {}, el("p.muted", {}, replies.length === 1 ? "1 reply" : `${replies.length} replies`),
        replies.map((r) => drawMessage(r, page, act, false, []))) : null,
      page.reply.ts === m.ts ? page.reply.form : null));
}

// more is the menu of what can be done with a message.
function more(m, page) {
  const items = [item("Reply in thread", { "data-do": "reply" }, () => page.reply.open(m.thread_ts || m.ts))];
  if (m.user === page.user.id) {
    items.push(item("Edit message", { "data-do": "edit" }, () => page.edit(m)), item("Delete message…", { "data-do": "delete" }, () => page.remove(m)));
  }
  for (const s of page.state.shortcuts.filter((s) => s.type === "message")) {
    items.push(item(s.name, { "data-callback-id": s.callback_id }, () => page.shortcut(s, { channel: m.channel, ts: m.ts })));
  }
  return menu(el("button.btn.more", { type: "button", "aria-label": "More actions" }, "⋯"), items, "div.overflow.message-menu");
}

// typed shows what a person wrote: the characters as they are.
function typed(text) {
  return text.split("\n").flatMap((line, i) => (i ? [el("br"), line] : [line]));
}

export function drawHome(root, page, act) {
  const v = page.state.home, print = JSON.stringify(v && [v.id, v.hash]);
  if (root.print === print && root.childElementCount) return;
  root.print = print;
  const ctx = {
    world: page.world, values: v?.values, act: (e, b, input, node) => act({ view_id: v.id }, e, b, input, node),
    suggest: page.suggest && ((e, b, query) => page.suggest(v.id, e, b, query)), live: true,
    enter: page.enter,
  };
  root.replaceChildren(v
    ? el("div.blocks", { "data-view-id": v.id }, drawBlocks(v.blocks, ctx))
    : el("div.intro", {}, el("h2", {}, page.world.appName()), el("p.muted", {}, "The app has not published a home tab for you.")));
}
