// The page: one user's screen of the workspace. It holds no state of its own but who looks at what; everything else is
// fetched anew whenever the server says that something changed.
import { el, byId, keyed, avatar, paint } from "./dom.js";
import { drawMessages, drawHome } from "./messages.js";
import { drawModal, confirmed, edited } from "./modal.js";
import { menu, item } from "./menu.js";
import { replyBox } from "./reply.js";

const params = new URLSearchParams(location.search);
const page = {
  state: null, world: null, user: null, channel: null, onHome: params.has("home"),
  userId: params.get("user"), channelId: params.get("channel"),
  dismissed: new Set(), seen: new Map(),
};

page.dismiss = (ts) => { page.dismissed.add(ts); draw(); };

// post does something as this user and says what went wrong, if anything.
page.post = async (what, body) => {
  try {
    const res = await fetch("/_sim/" + what, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const out = await res.json();
    if (!res.ok) toast(out.error);
    await refresh();
    return res.ok ? out : { error: out.error };
  } catch {
    toast("The simulator does not answer.");
    return { error: "unreachable" };
  }
};

// enter notes what was filled in; a click waits for it, since it takes it along.
page.entered = Promise.resolve();
page.enter = (e, b, input) => {
  page.entered = page.entered.then(() => page.post("value", { user: page.user.id, block_id: b.block_id, action_id: e.action_id, input }));
  return page.entered;
};

page.suggest = (viewId, e, b, query) =>
  page.post("suggest", { user: page.user.id, view_id: viewId, block_id: b.block_id, action_id: e.action_id, query });

page.reply = replyBox(page, () => draw());

page.shortcut = async (s, where) => {
  const out = await page.post("shortcut", { user: page.user.id, callback_id: s.callback_id, ...where });
  if (out.error && "status" in out) toast(`${page.state.app.name} could not do that: ${out.error}`);
};

page.edit = async (m) => {
  const text = await edited(m.text);
  if (text && text !== m.text) page.post("edit", { user: page.user.id, channel: m.channel, ts: m.ts, text });
};

page.remove = async (m) => {
  const words = (text) => ({ type: "plain_text", text });
  const ask = { title: words("Delete message"), text: words("Are you sure you want to delete this message?"), confirm: words("Delete"), deny: words("Cancel"), style: "danger" };
  if (await confirmed(ask, page.world)) page.post("delete", { user: page.user.id, channel: m.channel, ts: m.ts });
};

// act is a click on an element in a message or a view.
async function act(where, e, b, input, node) {
  if (!(await confirmed(e.confirm, page.world))) return;
  node.disabled = true;
  node.classList.add("waiting");
  await page.entered;
  await page.post("click", { user: page.user.id, ...where, block_id: b.block_id, action_id: e.action_id, input });
  node.disabled = false;
  node.classList.remove("waiting");
}

// world answers questions about names.
function makeWorld(state) {
  const users = new Map(state.users.map((u) => [u.id, u]));
  const channels = new Map(state.channels.map((c) => [c.id, c]));
  const groups = new Map(state.groups.map((g) => [g.id, g]));
  users.set("USLACKBOT", { id: "USLACKBOT", real_name: "Slackbot", name: "slackbot" });
  return {
    user: (id) => users.get(id) || { id, real_name: id, name: id },
    userName: (id, label) => users.get(id)?.real_name || label || id,
    channelName: (id, label) => channels.get(id)?.name || label || id,
    groupName: (id, label) => groups.get(id)?.handle || label.replace(/^@/, "") || id,
    appName: () => state.app.name,
    people: () => state.users.filter((u) => !u.bot && !u.deactivated),
  };
}

let running = false, again = false, delivered = -1;

async function refresh() {
  if (running) { again = true; return; }
  running = true;
  do {
    again = false;
    try {
      if (!page.state) await load(""); // the first answer says who and what there is
      pick();
      if (await load(`?user=${encodeURIComponent(page.user.id)}&channel=${encodeURIComponent(page.channel.id)}`)) draw();
      else again = true;
    } catch (err) {
      console.error(err);
    }
  } while (again);
  running = false;
}

async function load(query) {
  const res = await fetch("/_sim/state" + query);
  page.state = await res.json();
  page.world = makeWorld(page.state);
  const { user, channel } = page;
  pick();
  // False when somebody was switched, deactivated or removed in between: the answer is for another screen.
  return Boolean(query) && user.id === page.user.id && channel.id === page.channel.id;
}

// pick finds the user and the channel that were asked for, or the nearest thing.
function pick() {
  const { state, world } = page, people = world.people();
  page.user = people.find((u) => u.id === page.userId) || people[0];
  page.visible = state.channels.filter((c) => c.members.includes(page.user.id));
  page.channel = page.visible.find((c) => c.id === page.channelId || c.name === page.channelId) || page.visible[0]
    || { id: "", name: "nowhere", members: [] };
}

// While a button is pressed nothing is redrawn: a browser clicks only what is there at the press and still there at the release.
let pressed = false, due = false;
function release() {
  pressed = false;
  if (due) draw();
}
addEventListener("pointerdown", (ev) => { pressed = Boolean(ev.target.closest("button")); }, true);
addEventListener("click", () => { pressed = false; }, true);
for (const end of ["pointerup", "pointercancel", "blur"]) addEventListener(end, (ev) => { if (ev.type !== "blur" || ev.target === window) setTimeout(release); }, true);

function draw() {
  due = pressed;
  if (pressed) return;
  const { state, world, user, channel } = page;
  if (!state.messages || !state.views) return;
  page.seen.set(channel.id, channel.latest || "");
  drawSidebar();
  byId("place-name").textContent = page.onHome ? state.app.name : channel.with ? state.app.name : "# " + channel.name;
  byId("place-topic").textContent = page.onHome ? "Home" : channel.topic || (channel.with ? "App" : "");
  byId("members").replaceChildren(...(page.onHome || channel.with ? [] : [...channel.members.slice(0, 4).map((id) => avatar(world.user(id), "small")), el("span.count", {}, String(channel.members.length))]));
  byId("messages").hidden = byId("compose").hidden = page.onHome;
  byId("home").hidden = !page.onHome;
  drawTabs();
  if (page.onHome) drawHome(byId("home"), page, act);
  else drawMessages(byId("messages"), page, act);
  byId("composer").placeholder = channel.with ? `Message ${state.app.name}` : `Message #${channel.name}`;
  drawModal(page, act);
  document.title = (page.onHome ? state.app.name : channel.name) + " · " + state.team.name;
  document.body.dataset.ready = "true";
}

// drawTabs shows the app's two tabs, and the global shortcuts beside the message box.
function drawTabs() {
  const { state, channel, onHome } = page;
  byId("app-tabs").hidden = !onHome && !channel.with;
  byId("tab-home").setAttribute("aria-selected", String(onHome));
  byId("tab-messages").setAttribute("aria-selected", String(!onHome));
  byId("tab-home").tabIndex = onHome ? 0 : -1;
  byId("tab-messages").tabIndex = onHome ? -1 : 0;
  const offered = state.shortcuts.filter((s) => s.type === "global"), box = byId("shortcuts");
  const print = JSON.stringify(offered);
  if (box.print === print) return;
  box.print = print;
  box.replaceChildren(...(offered.length ? [menu(el("button.btn.more", { type: "button", id: "shortcuts-button", "aria-label": "Shortcuts" }, "⚡"),
    offered.map((s) => item(s.name, { "data-callback-id": s.callback_id }, () => page.shortcut(s, {}))), "span.overflow.upward")] : []));
}

function drawSidebar() {
  const { state, user, channel, onHome } = page;
  byId("team-name").textContent = state.team.name;
  byId("team-badge").textContent = [...state.team.name][0] || "?";
  byId("app-name").textContent = state.app.name;
  byId("home-tab").setAttribute("aria-current", onHome ? "page" : "false");
  const choice = byId("user-switch");
  keyed(choice, page.world.people(), (u) => u.id, (u) => JSON.stringify(u), (u) =>
    el("option", { value: u.id }, u.real_name + (u.team_id !== state.team.id ? " (other workspace)" : "")));
  choice.value = user.id;
  paint(byId("who-avatar"), user);
  const places = (root, list, name) => keyed(root, list, (c) => c.id,
    (c) => JSON.stringify([c, user.id, !onHome && c.id === channel.id, unread(c)]), (c) =>
      el("li", {}, el("button.place" + (unread(c) ? ".unread" : ""), {
        type: "button", "data-channel": c.id, "aria-current": !onHome && c.id === channel.id ? "page" : "false",
        onclick: () => go({ channelId: c.id, onHome: false }),
      }, ...name(c))));
  places(byId("channels"), page.visible.filter((c) => !c.with), (c) => [el("span.hash", { "aria-hidden": "true" }, c.private ? "🔒" : "#"), c.name]);
  const dms = page.visible.filter((c) => c.with);
  byId("dms-title").hidden = !dms.length;
  places(byId("dms"), dms, () => [el("span.avatar.tiny.app", { "aria-hidden": "true" }), state.app.name]);
  const failing = Boolean(state.faults["*"]?.length);
  byId("fail-toggle").setAttribute("aria-pressed", String(failing));
  byId("fail-label").textContent = failing ? "Slack is failing (503)" : "Slack is working";
  byId("refused").hidden = !state.refused;
  byId("refused").textContent = `${state.refused} refused call${state.refused === 1 ? "" : "s"}: see /_sim/refused`;
}

const unread = (c) => (c.latest || "") > (page.seen.get(c.id) ?? (page.seen.set(c.id, c.latest || ""), c.latest || ""));

function go(change) {
  Object.assign(page, change);
  const query = new URLSearchParams({ user: page.userId || page.user.id, channel: page.channelId || page.channel.id });
  if (page.onHome) query.set("home", "");
  history.replaceState(null, "", "/?" + query);
  closeMenu();
  return refresh();
}

let toastTimer = 0;
function toast(words) {
  const box = byId("toast");
  box.textContent = words;
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, 6000);
}

const composer = byId("composer");
const fit = () => { composer.style.height = "auto"; composer.style.height = Math.min(composer.scrollHeight, 180) + "px"; };

async function send() {
  const text = composer.value.trim();
  if (!text) return;
  composer.value = "";
  typing();
  const who = { user: page.user.id, channel: page.channel.id };
  const command = text.match(/^(\/\S+)\s*([\s\S]*)$/);
  if (command) await page.post("command", { ...who, command: command[1], text: command[2] });
  else await page.post("post", { ...who, text });
}

function typing() {
  fit();
  byId("send").disabled = !composer.value.trim();
  const start = composer.value.startsWith("/") && !/\s/.test(composer.value);
  const fitting = start ? page.state.commands.filter((c) => c.startsWith(composer.value) && c !== composer.value) : [];
  byId("commands").hidden = !fitting.length;
  byId("commands").replaceChildren(...fitting.map((c) => el("li", {}, el("button", { type: "button", onclick: () => { composer.value = c + " "; typing(); composer.focus(); } }, el("strong", {}, c), el("span.muted", {}, page.state.app.name)))));
}

composer.addEventListener("input", typing);
composer.addEventListener("keydown", (ev) => {
  if (ev.key === "Enter" && !ev.shiftKey && !ev.isComposing) { ev.preventDefault(); send(); }
});
byId("compose").addEventListener("submit", (ev) => { ev.preventDefault(); send(); });
byId("user-switch").addEventListener("change", (ev) => go({ userId: ev.target.value }));
const openHome = async () => {
  await go({ onHome: true });
  await page.post("home", { user: page.user.id });
};
byId("home-tab").addEventListener("click", openHome);
byId("tab-home").addEventListener("click", openHome);
byId("tab-messages").addEventListener("click", async () => {
  const out = await page.post("dm", { user: page.user.id });
  if (out.channel) await go({ channelId: out.channel, onHome: false });
});
byId("app-tabs").addEventListener("keydown", (ev) => {
  const other = document.activeElement.id === "tab-home" ? "tab-messages" : "tab-home";
  if (ev.key === "ArrowLeft" || ev.key === "ArrowRight") { byId(other).focus(); ev.preventDefault(); }
});
byId("fail-toggle").addEventListener("click", (ev) => {
  const on = ev.currentTarget.getAttribute("aria-pressed") === "true";
  page.post(on ? "heal" : "fail", on ? {} : { method: "*", status: 503, times: -1 });
});
byId("menu").addEventListener("click", () => {
  const open = document.body.classList.toggle("menu-open");
  byId("menu").setAttribute("aria-expanded", String(open));
});

const closeMenu = () => {
  document.body.classList.remove("menu-open");
  byId("menu").setAttribute("aria-expanded", "false");
};
document.querySelector("main").addEventListener("click", (ev) => { if (!ev.target.closest("#menu")) closeMenu(); });
document.addEventListener("keydown", (ev) => { if (ev.key === "Escape") closeMenu(); });

await refresh();
const live = new EventSource("/_sim/events");
live.onmessage = (ev) => {
  if (Number(ev.data) === delivered) return;
  delivered = Number(ev.data);
  refresh();
};
