// Who changed what, and when.

import { fill, h } from "./element.js";
import { ago, shownName } from "./format.js";
import { card, empty, facts, notice, table, tag, time } from "./parts.js";

const PAGE = 50;
const OUTCOMES = { done: "good", refused: "warn", failed: "bad", begun: "warn" };

export async function showAudit(page) {
  const place = h("div");
  const older = h("button", { type: "button" }, "Older changes");
  const opened = new Set();
  let entries = [];
  let before = null;
  const load = async () => {
    const found = await page.get("/audit", { before, limit: PAGE });
    entries = [...entries, ...found.entries];
    before = found.next_before;
    older.hidden = before === null;
    fill(place, entries.length ? auditTable(page, entries, opened) : empty("Nothing was changed yet."));
  };
  older.addEventListener("click", () => load().catch((error) => notice(error.message)));
  await load();
  return [card("Changes", { beside: h("span", { class: "soft" }, "by the page, the API and the command line") }, place, h("div", { class: "row" }, older))];
}

function auditTable(page, entries, opened) {
  const columns = [
    { head: "Time", cell: (entry) => time(Date.parse(entry.at), ago(Date.parse(entry.at), page.now())) },
    { head: "Who", cell: (entry) => h("span", { class: "name", title: shownName(entry.actor) }, shownName(entry.actor)) },
    { head: "Change", cell: (entry) => h("code", {}, entry.action) },
    { head: "Of", cell: (entry) => h("span", { class: "name", title: shownName(entry.target) }, entry.target === "" ? "–" : shownName(entry.target)) },
    { head: "Outcome", cell: (entry) => tag(entry.outcome, OUTCOMES[entry.outcome]) },
  ];
  const detail = (entry) => facts([
    ["By way of", entry.via],
    entry.reason !== "" && ["Why", shownName(entry.reason)],
    ...Object.entries(entry.details).map(([name, value]) => [name, shownName(String(value))]),
  ]);
  return table("Changes", columns, entries, { keyOf: (entry) => entry.entry_id, detail, opened });
}
