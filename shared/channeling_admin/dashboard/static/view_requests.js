// Requests one by one: filtered as the address says, page after page into the past, and saved as a file.

import { field, valuesOf } from "./dialogs.js";
import { fill, h, icon } from "./element.js";
import { iso, rangeQuery } from "./figures.js";
import { ICONS } from "./icons.js";
import { card, empty, notice, rangeChoice, viewHead } from "./parts.js";
import { recordKey, recordTable } from "./records.js";

const PAGE = 50;
const FOLLOW_MS = 4_000;
const LOOK_BACK_MS = 2 * 3_600_000;
const STATUSES = ["ok", "failed", "refused", "cancelled", "reclaimed"];
const PROVIDERS = ["anthropic", "openai", "openrouter"];

export async function showRequests(page) {
  const { address } = page;
  const filters = { user: address.user || null, model: address.model || null, provider: address.provider || null, status: STATUSES.includes(address.status) ? address.status : null };
  const range = { from: rangeQuery(page, address.days).from };
  const place = h("div");
  const older = h("button", { type: "button", "data-key": "older" }, "Older requests");
  const opened = new Set();
  let records = [];
  let cursor = null;

  function draw(freshKeys = null) {
    const none = cursor === null ? "No request matches in this time." : "None found yet: look further back.";
    fill(place, records.length ? recordTable(page, records, { opened, freshKeys }) : empty(none));
    older.hidden = cursor === null;
  }

  async function load() {
    const found = await page.get("/records", { ...filters, ...range, limit: PAGE, cursor });
    records = [...records, ...found.records];
    cursor = found.next_cursor;
    draw();
  }

  async function look() {
    const from = iso(Math.max(page.now() - LOOK_BACK_MS, Date.parse(range.from)));
    const found = await page.get("/records", { ...filters, from, limit: PAGE });
    const known = new Set(records.map(recordKey));
    const fresh = found.records.filter((record) => !known.has(recordKey(record)));
    if (fresh.length === 0) return;
    records = [...fresh, ...records].sort((one, other) => other.started_ms - one.started_ms);
    draw(new Set(fresh.map(recordKey)));
  }

  older.addEventListener("click", async () => {
    older.disabled = true;
    try {
      await load();
    } catch (error) {
      notice(error.message);
    } finally {
      older.disabled = false;
    }
  });
  await load();
  page.show(
    viewHead("Requests", { beside: [rangeChoice(address)] }),
    h(
      "div", { class: "stack" },
      card("Filters", { beside: exportButtons(page, filters, range) }, filterForm(page, filters)),
      card("The newest first", {}, place, h("div", { class: "row" }, older)),
    ),
  );
  page.repeat(FOLLOW_MS, look);
}

function filterForm(page, filters) {
  const any = (values) => [["", "any"], ...values.map((value) => [value, value])];
  const form = h(
    "form", { class: "filters", method: "dialog" },
    field({ name: "user", label: "User", value: filters.user ?? "", maxlength: 256 }),
    field({ name: "model", label: "Model", value: filters.model ?? "", maxlength: 256 }),
    field({ name: "provider", label: "Provider", value: filters.provider ?? "", options: any(PROVIDERS) }),
    field({ name: "status", label: "Status", value: filters.status ?? "", options: any(STATUSES) }),
    h("button", { type: "submit" }, "Filter"),
  );
  const apply = () => {
    const values = valuesOf(form);
    page.go(Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value === "" ? null : value])));
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  for (const choice of form.querySelectorAll("select")) choice.addEventListener("change", apply);
  return form;
}

function exportButtons(page, filters, range) {
  const save = (format, text) => {
    const button = h("button", { type: "button" }, icon(ICONS.download), text);
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        const bytes = await page.api.bytes(`${page.projectPath}/export`, { ...filters, ...range, format });
        const link = h("a", { href: URL.createObjectURL(bytes), download: `usage-${page.address.project}.${format}` });
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      } catch (error) {
        notice(error.message);
      } finally {
        button.disabled = false;
      }
    });
    return button;
  };
  return h("div", { class: "row" }, save("csv", "CSV"), save("jsonl", "JSON Lines"));
}
