// Interactive elements. Each is drawn as a native control with data-action-id, and knows how to read itself for a view's
// submission: node.read() gives {text|option|options|user}.
import { el } from "./dom.js";
import { plain, plainNodes } from "./mrkdwn.js";
import { text } from "./blocks.js";
import { combobox } from "./combobox.js";
import { menu, item } from "./menu.js";

let serial = 0;

// element draws e, which stands in block b. In input blocks it is read on submit; elsewhere it acts at once.
export function element(e, b, ctx, opts = {}) {
  const inInput = b.type === "input", acts = !inInput || b.dispatch_action;
  const ids = { "data-action-id": e.action_id, "data-block-id": b.block_id };
  const state = ctx.values?.[b.block_id]?.[e.action_id] || {};
  const id = "el" + ++serial;
  // What does not act is entered where no submission reads it: in a home tab.
  const send = (input, node) => (acts ? ctx.act(e, b, input, node) : ctx.live && ctx.enter(e, b, input));
  const control = { id, "aria-describedby": opts.describedby };
  const finish = (node, main, read) => {
    main.read = read;
    main.reads = inInput || e.type !== "button";
    return { node, control: main };
  };
  const wrap = (made) => (inInput ? made : made.node);
  switch (e.type) {
    case "button":
      return button(e, b, ids, ctx);
    case "overflow":
      return overflow(e, ids, send);
    case "static_select":
    case "users_select":
      return wrap(select(e, ids, control, state, ctx, send, finish));
    case "external_select":
      return wrap(combobox(e, b, ids, control, state, ctx, send, finish));
    case "radio_buttons":
    case "checkboxes":
      return wrap(choices(e, ids, id, state, opts, ctx, send, finish));
    case "multi_static_select":
      return wrap(multi(e, ids, control, state, opts, send, finish));
    case "plain_text_input":
      return wrap(textInput(e, ids, control, state, send, finish, ctx.live && !acts));
    default:
      return el("span.muted", {}, `(${e.type})`);
  }
}

function button(e, b, ids, ctx) {
  const node = el("button.btn" + (e.style ? "." + e.style : ""), {
    type: "button", ...ids, "data-value": e.value, "aria-label": e.accessibility_label,
    onclick: () => {
      if (e.url && /^https?:/i.test(e.url)) window.open(e.url, "_blank", "noopener");
      ctx.act(e, b, {}, node);
    },
  }, plainNodes(e.text));
  return node;
}

function overflow(e, ids, send) {
  const more = el("button.btn.more", { type: "button", ...ids, "aria-label": "More actions" }, "⋯");
  return menu(more, e.options.map((o) => item(plain(o.text), { "data-value": o.value }, () => send({ option: o.value }, more))));
}

// multi is a list of checkboxes behind a button that says what is chosen; what was chosen is sent when the list closes.
function multi(e, ids, control, state, opts, send, finish) {
  const before = (state.selected_options || []).map((o) => o.value);
  const groups = e.option_groups || [{ options: e.options }];
  const most = e.max_selected_items || Infinity;
  const tick = (o) => el("label.choice", {}, el("input", { type: "checkbox", value: o.value, checked: before.includes(o.value), ...ids }), el("span", {}, plain(o.text)));
  const list = el("div.menu", { role: "group", "aria-label": plain(e.placeholder) || "Options", hidden: true },
    groups.map((g) => [g.label && el("p.muted", {}, plain(g.label)), g.options.map(tick)]));
  const button = el("button.btn.multi-button", { type: "button", ...control, "aria-expanded": "false", "data-multi": ids["data-action-id"], "aria-describedby": opts.describedby });
  const box = el("div.multi", {}, button, list);
  const boxes = [...list.querySelectorAll("input")];
  const chosen = () => boxes.filter((i) => i.checked);
  let sent = before.join("\n");
  const label = () => {
    button.textContent = chosen().map((i) => i.nextSibling.textContent).join(", ") || plain(e.placeholder) || "Select options";
    for (const i of boxes) i.disabled = !i.checked && chosen().length >= most;
  };
  const read = () => ({ options: chosen().map((i) => i.value) });
  const show = (open) => {
    if (open === !list.hidden) return;
    list.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) { list.scrollIntoView({ block: "nearest" }); boxes.find((i) => !i.disabled)?.focus(); return; }
    const now = read().options.join("\n");
    if (now !== sent) send(read(), button);
    sent = now;
  };
  button.addEventListener("click", () => show(list.hidden));
  list.addEventListener("change", label);
  box.addEventListener("keydown", (ev) => {
    if (ev.key === "Escape" && !list.hidden) { show(false); button.focus(); ev.stopPropagation(); ev.preventDefault(); }
  });
  box.addEventListener("focusout", (ev) => { if (ev.relatedTarget && !box.contains(ev.relatedTarget)) show(false); });
  label();
  box.dataset.readActionId = ids["data-action-id"];
  const made = finish(box, box, read);
  return { node: made.node, control: button };
}

function select(e, ids, control, state, ctx, send, finish) {
  const users = e.type === "users_select";
  const chosen = users ? state.selected_user : state.selected_option?.value;
  const option = (o) => el("option", { value: o.value, selected: o.value === chosen }, plain(o.text));
  const node = el("select", { ...ids, ...control, "aria-label": plain(e.placeholder) || undefined, autofocus: e.focus_on_load },
    el("option", { value: "" }, plain(e.placeholder) || "Select an item"),
    users
      ? ctx.world.people().map((u) => el("option", { value: u.id, selected: u.id === chosen }, u.real_name))
      : e.option_groups
        ? e.option_groups.map((g) => el("optgroup", { label: plain(g.label) }, g.options.map(option)))
        : e.options.map(option));
  const read = () => (users ? { user: node.value } : { option: node.value });
  node.addEventListener("change", () => node.value && send(read(), node));
  return finish(node, node, read);
}

function choices(e, ids, id, state, opts, ctx, send, finish) {
  const several = e.type === "checkboxes";
  const on = (o) => (several ? (state.selected_options || []).some((s) => s.value === o.value) : state.selected_option?.value === o.value);
  const box = el("div.choices", { role: several ? "group" : "radiogroup", "aria-describedby": opts.describedby }, e.options.map((o, i) =>
    el("label.choice", {}, el("input", { type: several ? "checkbox" : "radio", name: id, value: o.value, checked: on(o), ...ids, id: i ? undefined : id }),
      el("span", {}, text(o.text, ctx.world), o.description && el("small.muted", {}, text(o.description, ctx.world))))));
  const read = () => {
    const ticked = [...box.querySelectorAll("input:checked")].map((i) => i.value);
    return several ? { options: ticked } : { option: ticked[0] || "" };
  };
  box.addEventListener("change", () => send(read(), box));
  box.dataset.readActionId = ids["data-action-id"];
  return finish(box, box, read);
}

function textInput(e, ids, control, state, send, finish, live) {
  const attrs = { ...ids, ...control, placeholder: plain(e.placeholder) || undefined, maxlength: e.max_length, autofocus: e.focus_on_load };
  const node = e.multiline ? el("textarea", { ...attrs, rows: 4 }) : el("input", { ...attrs, type: "text" });
  node.value = state.value || "";
  if (live) node.addEventListener("change", () => send({ text: node.value }, node));
  else if (!e.multiline) {
    node.addEventListener("keydown", (ev) => { if (ev.key === "Enter") send({ text: node.value }, node); });
  }
  return finish(node, node, () => ({ text: node.value }));
}
