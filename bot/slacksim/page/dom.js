// Small helpers. Text goes in by textContent only: nothing here or elsewhere parses HTML.

// el makes an element: el("a.b", {href: …, "data-x": …, onclick: f}, child, "text", …).
export function el(spec, attrs, ...children) {
  const [tag, ...classes] = spec.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  set(node, attrs);
  add(node, children);
  return node;
}

export function svg(tag, attrs, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(node, attrs);
  add(node, children);
  return node;
}

function set(node, attrs) {
  for (const [name, value] of Object.entries(attrs || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
}

function add(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child);
  }
}

export const byId = (id) => document.getElementById(id);

// keyed brings the children of parent in line with items, keeping the nodes of items that did not change, so that focus,
// open menus and scroll positions survive an update.
export function keyed(parent, items, key, print, draw) {
  const old = new Map([...parent.children].map((n) => [n.dataset.key, n]));
  let at = parent.firstChild;
  for (const item of items) {
    const k = key(item), p = print(item);
    let node = old.get(k);
    if (!node || node.print !== p) {
      const fresh = draw(item);
      fresh.dataset.key = k;
      fresh.print = p;
      if (node) {
        if (at === node) at = fresh;
        node.replaceWith(fresh);
      }
      node = fresh;
    }
    old.delete(k);
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
  for (const node of old.values()) node.remove();
}

// Avatars: initials on a colour that stays with the id.
export function avatar(user, size) {
  const node = el("span.avatar" + (size ? "." + size : ""), { "aria-hidden": "true" });
  paint(node, user);
  return node;
}

export function paint(node, user) {
  node.className = node.className.replace(/ (c\d|app|slackbot)\b/g, "");
  if (user.bot) {
    node.classList.add("app");
    node.textContent = "";
    return;
  }
  if (user.id === "USLACKBOT") {
    node.classList.add("slackbot");
    node.textContent = "#";
    return;
  }
  let hash = 0;
  for (const ch of user.id) hash = (hash * 31 + ch.codePointAt(0)) % 997;
  node.classList.add("c" + (hash % 8));
  node.textContent = initials(user.real_name || user.name || "?");
}

function initials(name) {
  const words = name.trim().split(/\s+/);
  const first = (w) => [...w][0] || "";
  return (first(words[0]) + (words.length > 1 ? first(words.at(-1)) : "")).toUpperCase();
}

export function clock(ts) {
  return new Date(Number(ts) * 1000).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
}

export function day(ts) {
  const date = new Date(Number(ts) * 1000), now = new Date();
  if (date.toDateString() === now.toDateString()) return "Today";
  return date.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
}
