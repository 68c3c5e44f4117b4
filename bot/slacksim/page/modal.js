// The modal on top of the user's screen, and confirmations.
import { el, byId } from "./dom.js";
import { plain } from "./mrkdwn.js";
import { drawBlocks, text } from "./blocks.js";

const dialog = byId("modal");
let current = null; // {view, page, act}

// drawModal shows the user's top view, or nothing. Contents are redrawn only when the app changed them, so that what was
// typed stays.
export function drawModal(page, act) {
  const view = page.state.views.at(-1);
  if (!view) {
    current = null;
    if (dialog.open) dialog.close();
    return;
  }
  const fresh = !current || current.view.id !== view.id || current.view.hash !== view.hash;
  current = { view, page, act };
  if (fresh) {
    byId("modal-title").textContent = view.title;
    byId("modal-cancel").textContent = view.close || "Cancel";
    const submit = byId("modal-submit");
    submit.textContent = view.submit || "Submit";
    submit.hidden = !view.submit;
    dialog.dataset.viewId = view.id;
    dialog.dataset.callbackId = view.callback_id || "";
    byId("modal-body").replaceChildren(...drawBlocks(view.blocks, {
      world: page.world, values: view.values,
      act: (e, b, input, node) => act({ view_id: view.id }, e, b, input, node),
      suggest: (e, b, query) => page.suggest(view.id, e, b, query),
      enter: page.enter,
    }));
    byId("modal-body").scrollTop = 0;
    busy(false);
  }
  showErrors(view.errors || {});
  if (!dialog.open) dialog.showModal();
  if (fresh) byId("modal-body").querySelector("[autofocus], input, select, textarea")?.focus();
}

function showErrors(errors) {
  const all = byId("modal-error");
  all.textContent = errors[""] === "operation_timeout" ? "The app did not answer in time." : errors[""] || "";
  all.hidden = !errors[""];
  for (const node of dialog.querySelectorAll("[data-error-for]")) {
    const words = errors[node.dataset.errorFor];
    node.textContent = words || "";
    node.hidden = !words;
    node.closest(".input").classList.toggle("wrong", Boolean(words));
  }
}

function busy(on) {
  byId("modal-submit").disabled = on;
  dialog.classList.toggle("busy", on);
}

// entered reads all inputs of the modal.
function entered() {
  const values = {};
  for (const node of byId("modal-body").querySelectorAll("*")) {
    if (!node.reads) continue;
    const input = node.read();
    if (!input) continue;
    const block = node.closest("[data-block-id][data-block]").dataset.blockId;
    (values[block] ||= {})[node.dataset.actionId || node.dataset.readActionId] = input;
  }
  return values;
}

byId("modal-form").addEventListener("submit", async (ev) => {
  ev.preventDefault();
  if (!current || !current.view.submit) return;
  busy(true);
  await current.page.post("submit", { user: current.page.user.id, values: entered() });
  busy(false);
});

const leave = (all) => current && current.page.post("close", { user: current.page.user.id, all });
byId("modal-cancel").addEventListener("click", () => leave(false));
byId("modal-close").addEventListener("click", () => leave(true));
dialog.addEventListener("cancel", (ev) => {
  if (ev.target !== dialog) return;
  ev.preventDefault();
  leave(false);
});

// edited asks for another text, and resolves to it, or to "" when there is none.
export function edited(words) {
  const box = byId("edit"), field = byId("edit-box");
  field.value = words;
  return new Promise((resolve) => {
    const end = (answer) => { box.onclose = null; box.close(); resolve(answer); };
    byId("edit-form").onsubmit = (ev) => { ev.preventDefault(); end(field.value.trim()); };
    byId("edit-cancel").onclick = () => end("");
    box.onclose = () => resolve("");
    box.showModal();
    field.focus();
  });
}

// confirmed asks when the element wants it, and resolves to the answer.
export function confirmed(c, world) {
  if (!c) return Promise.resolve(true);
  const box = byId("confirm"), yes = byId("confirm-yes"), no = byId("confirm-no");
  byId("confirm-title").textContent = plain(c.title);
  byId("confirm-text").replaceChildren(...text(c.text, world));
  yes.textContent = plain(c.confirm);
  yes.className = "btn " + (c.style === "danger" ? "danger" : "primary");
  no.textContent = plain(c.deny);
  return new Promise((resolve) => {
    const end = (answer) => { box.onclose = null; box.close(); resolve(answer); };
    yes.onclick = () => end(true);
    no.onclick = () => end(false);
    box.onclose = () => resolve(false);
    box.showModal();
  });
}
