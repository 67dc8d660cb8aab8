// Models by what they cost, and one model: use over time, who asks it, its requests.

import { linkTo } from "./address.js";
import { fill, h } from "./element.js";
import { allTokens, modelParts, rangeQuery, tokensByKind } from "./figures.js";
import { compact, count, percent, shownName, usd } from "./format.js";
import { card, empty, facts, modelLink, rangeChoice, rangeText, table, viewHead } from "./parts.js";
import { recentRequests } from "./recent_requests.js";
import { fillChart, ranksOrNone } from "./view_overview.js";

const REFRESH_MS = 30_000;
const MOST_MODELS = 500;

export async function showModels(page) {
  const { address } = page;
  const place = h("div");
  async function refresh() {
    const report = await page.get("/usage", { ...rangeQuery(page, address.days), limit: MOST_MODELS });
    const models = report.by_model.filter((each) => each.model !== "");
    fill(place, models.length ? modelTable(page, models, Number(report.totals.cost_usd)) : empty("No model was asked in this time."));
  }
  await refresh();
  page.show(viewHead("Models", { beside: [rangeChoice(address)] }), card(`By cost, ${rangeText(address.days)}`, {}, place));
  page.repeat(REFRESH_MS, refresh);
}

function modelTable(page, models, total) {
  const tokens = (name) => (each) => compact(each[name]);
  const columns = [
    { head: "Model", cell: (each) => modelLink(page.address, ...modelParts(each.model)) },
    { head: "Provider", cell: (each) => modelParts(each.model)[0] },
    { head: "Requests", number: true, cell: (each) => count(each.requests) },
    { head: "Failed", number: true, cell: (each) => count(each.failed) },
    { head: "In", number: true, cell: tokens("input_tokens") },
    { head: "Cached", number: true, cell: tokens("cache_read_tokens") },
    { head: "Out", number: true, cell: tokens("output_tokens") },
    { head: "Thinking", number: true, cell: tokens("thinking_tokens") },
    { head: "Share", number: true, cell: (each) => (total > 0 ? percent(Number(each.cost_usd) / total) : "–") },
    { head: "Cost", number: true, cell: (each) => h("strong", {}, usd(each.cost_usd)) },
  ];
  return table("Models", columns, models, { keyOf: (each) => each.model });
}

export async function showModel(page) {
  const { address } = page;
  const filters = { provider: address.provider, model: address.model ?? "" };
  const places = { chart: h("div"), users: h("div"), tokens: h("div") };
  const recent = recentRequests(page, filters, { limit: 15, without: ["model"], whenNew: refresh });

  async function refresh() {
    const now = page.now();
    const report = await page.get("/usage", { ...filters, ...rangeQuery(page, address.days), limit: 10 });
    const { totals } = report;
    fillChart(places.chart, address, report, now);
    const rows = report.by_user.map((each) => ({ name: each.user_id, value: Number(each.cost_usd), href: linkTo(address, "user", { user: each.user_id }) }));
    fill(places.users, card("By user", {}, ranksOrNone(rows, Number(totals.cost_usd), report.users, "user")));
    const each = totals.requests > 0 ? Number(totals.cost_usd) / totals.requests : 0;
    fill(places.tokens, card(`Tokens, ${rangeText(address.days)}`, { beside: h("span", { class: "soft" }, `${usd(each)} a request`) }, facts([
      ...tokensByKind(totals).map(([text, number]) => [text, count(number)]),
      ["all that are billed", count(allTokens(totals))],
      ["requests that failed", count(totals.failed)],
      ["cut at a budget's end", count(totals.cut)],
    ])));
  }

  await Promise.all([refresh(), recent.load()]);
  page.show(
    viewHead(shownName(filters.model), {
      where: [h("a", { href: linkTo(address, "models") }, "Models"), address.provider && ` · ${shownName(address.provider)}`],
      beside: [rangeChoice(address)],
    }),
    h("div", { class: "stack" }, h("div", { class: "columns wide" }, places.chart, places.users), places.tokens, recent.card),
  );
  recent.follow();
  page.repeat(REFRESH_MS, refresh);
}
