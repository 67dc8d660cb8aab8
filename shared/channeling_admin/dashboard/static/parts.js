// What views share: heads, choices, tables, tags, code to copy, states with nothing to show.

import { RANGES, addressOf, linkTo } from "./address.js";
import { fill, h, heard, icon } from "./element.js";
import { shownName, wholeTime } from "./format.js";
import { ICONS } from "./icons.js";

const RANGE_NAMES = { 1: "Today", 7: "7 days", 30: "30 days" };

/** The head of a view: where it is (a link and its name), its title, and what stands beside it. */
export function viewHead(title, { where = null, beside = [] } = {}) {
  return h(
    "div", { class: "view-head" },
    h("div", {}, where && h("p", { class: "where" }, where), h("h1", { id: "view-title" }, title)),
    beside.length > 0 && h("div", { class: "row" }, beside),
  );
}

/** One of several, each a link that keeps the rest of the address. */
export function choice(label, address, name, options) {
  return h(
    "nav", { class: "choice", "aria-label": label },
    options.map(([value, text]) =>
      h("a", { href: addressOf({ ...address, [name]: value }), "aria-current": address[name] === value ? "true" : false, "data-key": `${name}-${value}` }, text)),
  );
}

/** The choice of the time that a view is about. */
export function rangeChoice(address) {
  return choice("Time", address, "days", RANGES.map((days) => [days, RANGE_NAMES[days]]));
}

/** What a range is called inside a sentence. */
export function rangeText(days) {
  return days === 1 ? "today" : `the last ${days} days`;
}

/** A card with a title. */
export function card(title, { beside = null, className = "" } = {}, ...children) {
  return h("section", { class: `card ${className}`.trim() }, h("header", {}, h("h2", {}, title), beside), children);
}

/**
 * A table. `columns`: {head, cell(row), number?, heard?}; `detail(row)` gives what opens below a row, and `opened`
 * holds the keys of the rows that are open.
 */
export function table(label, columns, rows, { keyOf, detail = null, opened = null, freshKeys = null } = {}) {
  const body = h("tbody");
  for (const row of rows) {
    const key = keyOf(row);
    const line = h("tr", { class: freshKeys?.has(key) ? "fresh" : null });
    if (detail) line.append(h("td", {}, opener(line, row, key, detail, opened, columns.length + 1)));
    for (const column of columns) line.append(h("td", { class: column.number ? "number" : null }, column.cell(row)));
    body.append(line);
    if (detail && opened.has(key)) body.append(detailLine(row, detail, columns.length + 1));
  }
  const head = columns.map((column) =>
    h("th", { scope: "col", class: column.number ? "number" : null }, column.heard ? heard(column.head) : column.head));
  return h(
    "div", { class: "table-wrap", role: "region", "aria-label": label, tabindex: "0" },
    h("table", {}, h("thead", {}, h("tr", {}, detail && h("th", { scope: "col" }, heard("Details")), head)), body),
  );
}

function opener(line, row, key, detail, opened, width) {
  const button = h(
    "button",
    { type: "button", class: "opens", "aria-expanded": opened.has(key) ? "true" : "false", "data-key": `open-${key}` },
    icon(ICONS.chevron), heard("Details"),
  );
  button.addEventListener("click", () => {
    const isOpen = opened.has(key);
    button.setAttribute("aria-expanded", isOpen ? "false" : "true");
    if (isOpen) {
      opened.delete(key);
      line.nextElementSibling.remove();
    } else {
      opened.add(key);
      line.after(detailLine(row, detail, width));
    }
  });
  return button;
}

function detailLine(row, detail, width) {
  return h("tr", { class: "detail" }, h("td", { colspan: width }, detail(row)));
}

/** Names and values. */
export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** A short word with a colour: "good", "bad", "warn" or none. */
export function tag(text, kind = "") {
  return h("span", { class: `tag ${kind}`.trim() }, text);
}

/** A user's name, linked to the user. */
export function userLink(address, user) {
  return h("a", { class: "name", href: linkTo(address, "user", { user }), title: shownName(user), "data-key": `user-${user}` }, shownName(user));
}

/** A model's name, linked to the model. */
export function modelLink(address, provider, model) {
  if (!model) return h("span", { class: "soft" }, "–");
  return h("a", { class: "name", href: linkTo(address, "model", { provider: provider || null, model }), title: shownName(model), "data-key": `model-${provider}-${model}` }, shownName(model));
}

/** A time as it is said, with the whole of it behind. */
export function time(ms, text) {
  return h("time", { datetime: new Date(ms).toISOString(), title: wholeTime(ms) }, text);
}

/** Lines to paste, with a button that copies them. `shown` stands where something is not for everybody's eyes. */
export function codeBox(label, text, shown = text) {
  const button = h("button", { type: "button", class: "copy", "data-key": `copy-${label}` }, icon(ICONS.copy), "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      fill(button, icon(ICONS.check), "Copied");
    } catch {
      fill(button, "Select and copy it by hand");
    }
  });
  return h("div", { class: "code-box" }, h("pre", { tabindex: "0", "aria-label": label }, h("code", {}, shown)), button);
}

/** What is said where there is nothing to show. */
export function empty(...children) {
  return h("p", { class: "empty" }, children);
}

/** A line across the view about something to know. */
export function banner(kind, ...children) {
  return h("p", { class: `banner ${kind}`.trim(), role: kind === "bad" ? "alert" : "status" }, h("span", {}, children));
}

let clearing = null;

/** Say in passing what was done. */
export function notice(text) {
  const place = document.getElementById("notices");
  fill(place, h("p", { class: "appear" }, text));
  clearTimeout(clearing);
  clearing = setTimeout(() => fill(place), 6_000);
}
