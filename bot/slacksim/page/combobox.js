// external_select: an editable combobox whose options come from the app while one types.
import { el } from "./dom.js";
import { plain } from "./mrkdwn.js";

export function combobox(e, b, ids, control, state, ctx, send, finish) {
  const listId = control.id + "-list", least = Number(e.min_query_length ?? 3);
  let shown = [], active = -1, timer = 0, asked = 0;
  let chosen = state.selected_option ? { value: state.selected_option.value, text: plain(state.selected_option.text) } : null;
  const input = el("input", {
    ...ids, ...control, type: "text", role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false",
    "aria-controls": listId, placeholder: plain(e.placeholder) || "Type to search",
  });
  input.value = chosen ? chosen.text : "";
  const list = el("ul.options", { id: listId, role: "listbox", hidden: true });
  const box = el("div.combobox", {}, input, list);

  const open = (yes) => {
    list.hidden = !yes;
    input.setAttribute("aria-expanded", String(yes));
    if (!yes) input.removeAttribute("aria-activedescendant");
  };
  const mark = (i) => {
    active = i;
    [...list.querySelectorAll("[role=option]")].forEach((n, k) => {
      n.setAttribute("aria-selected", String(k === i));
      if (k === i) { input.setAttribute("aria-activedescendant", n.id); n.scrollIntoView({ block: "nearest" }); }
    });
  };
  const choose = (o) => {
    chosen = o;
    input.value = o ? o.text : "";
    open(false);
    const entered = { option: o ? o.value : "" };
    ctx.enter(e, b, entered);
    if (o) send(entered, input);
  };
  const note = (words) => { list.replaceChildren(el("li.note", {}, words)); open(true); };
  const ask = async () => {
    const mine = ++asked, query = input.value.trim();
    if ([...query].length < least) { note(`Type at least ${least} characters`); return; }
    note("Searching…");
    const out = await ctx.suggest(e, b, query);
    if (mine !== asked) return; // a later question is on its way
    if (out.error) { note("The app could not answer: " + out.error); return; }
    shown = out.options || [];
    if (!shown.length) { note("No results"); return; }
    list.replaceChildren(...shown.map((o, i) =>
      el("li", { role: "option", id: `${listId}-${i}`, "data-value": o.value, "aria-selected": "false", onmousedown: (ev) => { ev.preventDefault(); choose(o); } }, o.text)));
    open(true);
    mark(0);
  };
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 180); });
  input.addEventListener("focus", () => { if (least === 0 && !chosen) ask(); });
  input.addEventListener("blur", () => {
    clearTimeout(timer);
    open(false);
    if (chosen && input.value === "") choose(null);
    else input.value = chosen ? chosen.text : "";
  });
  input.addEventListener("keydown", (ev) => {
    if (list.hidden) return;
    if (ev.key === "ArrowDown") { mark(Math.min(active + 1, shown.length - 1)); ev.preventDefault(); }
    else if (ev.key === "ArrowUp") { mark(Math.max(active - 1, 0)); ev.preventDefault(); }
    else if (ev.key === "Enter" && shown[active]) { choose(shown[active]); ev.preventDefault(); }
    else if (ev.key === "Escape") { open(false); ev.preventDefault(); ev.stopPropagation(); }
  });
  // The choice was entered as it was made: read nothing again on submit, the suggestions may be others by then.
  return finish(box, input, () => null);
}
