// Dialogs that ask before something is done. What goes wrong is said inside, and what was typed stays.

import { fill, freshId, h } from "./element.js";

/** A field of a form: {name, label, advice?, type?, value?, options?, …attributes of the input}. */
export function field({ name, label, advice = null, type = "text", value = "", options = null, checked = false, ...attributes }) {
  const id = freshId(name);
  const adviceId = advice ? `${id}-advice` : null;
  const common = { id, name, "aria-describedby": adviceId, ...attributes };
  if (type === "checkbox") {
    return h(
      "div", { class: "field" },
      h("label", { class: "check", for: id }, h("input", { ...common, type, checked }), label),
      advice && h("p", { class: "advice", id: adviceId }, advice),
    );
  }
  const input = options
    ? h("select", common, options.map(([given, text]) => h("option", { value: given, selected: given === value }, text)))
    : h("input", { spellcheck: "false", autocomplete: "off", ...common, type, value });
  return h("div", { class: "field" }, h("label", { for: id }, label), input, advice && h("p", { class: "advice", id: adviceId }, advice));
}

/** The values of a form by the names of its fields: text trimmed, boxes as true or false. */
export function valuesOf(form) {
  const values = {};
  for (const input of form.elements) {
    if (input.name) values[input.name] = input.type === "checkbox" ? input.checked : input.value.trim();
  }
  return values;
}

/** Have a form run `submit(values)` once at a time, and say below its fields what went wrong. */
export function onSubmit(form, submit) {
  const error = h("p", { class: "form-error", role: "alert", hidden: true });
  form.append(error);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const buttons = [...form.querySelectorAll("button")];
    for (const button of buttons) button.disabled = true;
    error.hidden = true;
    try {
      await submit(valuesOf(form));
    } catch (failure) {
      if (failure.name !== "AbortError") {
        fill(error, failure.message);
        error.hidden = false;
      }
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  });
}

/**
 * Ask in a dialog. `submit(values)` runs when the person goes on; the dialog closes when it is through. Resolves to
 * what `submit` returned, or null where the person turned back.
 */
export function ask({ title, text = null, fields = [], action, danger = false, submit }) {
  return new Promise((resolve) => {
    let outcome = null;
    const titleId = freshId("dialog");
    const cancel = h("button", { type: "button" }, "Cancel");
    const go = h("button", { type: "submit", class: danger ? "bad" : "main" }, action);
    const form = h("form", { method: "dialog" }, h("h2", { id: titleId }, title), text && h("div", { class: "small soft break" }, text), fields.map(field));
    onSubmit(form, async (values) => {
      outcome = await submit(values);
      dialog.close();
    });
    form.append(h("div", { class: "actions" }, cancel, go));
    const dialog = open(titleId, form, () => resolve(outcome));
    cancel.addEventListener("click", () => dialog.close());
  });
}

/** Show something that is to be seen, such as a secret that is shown once. Resolves when it is closed. */
export function show({ title, body, action = "Done" }) {
  return new Promise((resolve) => {
    const titleId = freshId("dialog");
    const done = h("button", { type: "submit", class: "main" }, action);
    const form = h("form", { method: "dialog" }, h("h2", { id: titleId }, title), body, h("div", { class: "actions" }, done));
    const dialog = open(titleId, form, resolve);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      dialog.close();
    });
  });
}

function open(titleId, form, whenClosed) {
  const dialog = h("dialog", { "aria-labelledby": titleId }, form);
  const before = document.activeElement;
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before?.isConnected) before.focus();
    whenClosed();
  });
  dialog.showModal();
  return dialog;
}
