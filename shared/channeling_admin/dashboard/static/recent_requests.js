// The newest requests, followed as they come: the last hours are read again and again, cheaply, and only what is
// new is told to whoever wants to know.

import { linkTo } from "./address.js";
import { fill, h } from "./element.js";
import { iso, rangeQuery } from "./figures.js";
import { card, empty } from "./parts.js";
import { recordKey, recordTable } from "./records.js";

const FOLLOW_MS = 3_000;
// A record is put when its request ends, under the hour in which it began.
const LOOK_BACK_MS = 2 * 3_600_000;

/**
 * A card of the newest requests: {card, load(), follow(), isEmpty(), newest()}. `filters` as the API takes them;
 * `whenNew(records)` is called with those that were not there before.
 */
export function recentRequests(page, filters, { limit, without = [], whenNew = async () => {} }) {
  const opened = new Set();
  const place = h("div");
  const all = h("a", { href: linkTo(page.address, "requests", filters) }, "All requests");
  let records = [];

  function draw(freshKeys = null) {
    fill(place, records.length ? recordTable(page, records, { without, opened, freshKeys }) : empty("No requests in the last 30 days."));
  }

  async function load() {
    ({ records } = await page.get("/records", { ...filters, limit, from: rangeQuery(page, 30).from }));
    draw();
  }

  async function look() {
    const found = await page.get("/records", { ...filters, limit, from: iso(page.now() - LOOK_BACK_MS) });
    const known = new Set(records.map(recordKey));
    const fresh = found.records.filter((record) => !known.has(recordKey(record)));
    if (fresh.length > 0) {
      records = [...fresh, ...records].sort((one, other) => other.started_ms - one.started_ms).slice(0, limit);
      await whenNew(fresh);
    }
    // Drawn again also where nothing is new: how long ago it was has changed.
    if (fresh.length > 0 || !place.querySelector("tr.detail")) draw(new Set(fresh.map(recordKey)));
  }

  return {
    card: card("Recent requests", { beside: all }, place),
    load,
    follow: () => page.repeat(FOLLOW_MS, look),
    isEmpty: () => records.length === 0,
    newest: () => records.find((record) => record.kind === "request") ?? null,
  };
}
