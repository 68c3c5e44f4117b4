// Menus: a button that opens a list of things to do.
import { el } from "./dom.js";

// menu joins a button and its items, which are buttons with role=menuitem that close it.
export function menu(button, items, spec = "span.overflow") {
  const list = el("div.menu", { role: "menu", hidden: true }, items);
  const show = (open) => {
    list.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    list.scrollIntoView({ block: "nearest" });
    list.firstChild.focus();
  };
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => show(list.hidden));
  const box = el(spec, {}, button, list);
  box.addEventListener("keydown", (ev) => {
    const all = [...list.children], i = all.indexOf(document.activeElement);
    if (ev.key === "Escape" && !list.hidden) { show(false); button.focus(); ev.stopPropagation(); ev.preventDefault(); }
    else if (ev.key === "ArrowDown" && i >= 0) { all[(i + 1) % all.length].focus(); ev.preventDefault(); }
    else if (ev.key === "ArrowUp" && i >= 0) { all.at(i - 1).focus(); ev.preventDefault(); }
  });
  box.addEventListener("focusout", (ev) => { if (!box.contains(ev.relatedTarget)) show(false); });
  for (const item of items) item.addEventListener("click", () => show(false));
  return box;
}

// item is one entry of a menu.
export const item = (words, attrs, act) => el("button", { type: "button", role: "menuitem", ...attrs, onclick: act }, words);
