// The box in which one replies in a thread. There is one, which moves to the thread that was asked for, so that what was typed stays
// when messages are drawn anew.
import { el } from "./dom.js";

export function replyBox(page, draw) {
  const field = el("textarea", { id: "reply", rows: 2, placeholder: "Reply…", "aria-label": "Reply in thread" });
  const close = () => { reply.ts = null; field.value = ""; draw(); };
  const send = async () => {
    const text = field.value.trim();
    if (!text) return;
    field.value = "";
    await page.post("post", { user: page.user.id, channel: page.channel.id, text, thread_ts: reply.ts });
    field.focus();
  };
  const form = el("form.reply", { autocomplete: "off", onsubmit: (ev) => { ev.preventDefault(); send(); } }, field,
    el("div.reply-row", {}, el("button.btn", { type: "button", id: "reply-cancel", onclick: close }, "Cancel"), el("button.btn.primary", { type: "submit", id: "reply-send" }, "Reply")));
  field.addEventListener("keydown", (ev) => {
    if (ev.key === "Enter" && !ev.shiftKey && !ev.isComposing) { ev.preventDefault(); send(); }
    if (ev.key === "Escape") { ev.stopPropagation(); close(); }
  });
  const reply = {
    ts: null, form,
    open: (ts) => {
      if (ts !== reply.ts) field.value = "";
      reply.ts = ts;
      draw();
      form.scrollIntoView({ block: "nearest" });
      field.focus();
    },
  };
  return reply;
}
