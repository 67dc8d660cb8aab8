// What the API answers, in figures that can be compared and added; money as numbers of dollars, for charts alone.

import { compact, day, hour, plural, usd, weekday } from "./format.js";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const TOKENS = [
  ["input_tokens", "in"],
  ["cache_read_tokens", "read from cache"],
  ["cache_write_5m_tokens", "written to cache, 5 min"],
  ["cache_write_1h_tokens", "written to cache, 1 h"],
  ["output_tokens", "out"],
];

/** The start of the day in UTC. */
export function dayStart(ms) {
  return Math.floor(ms / DAY_MS) * DAY_MS;
}

/**
 * The time of a range of days until now, as the API takes it; today goes by hours. Nothing is asked of a time before
 * the project was made: each hour is a question to the store.
 */
export function rangeQuery(page, days) {
  const from = Math.max(rangeStart(page, days), madeMs(page));
  return { from: iso(from), bucket: days === 1 ? "hour" : "day" };
}

/** The time before a range, as long as it, or null where the project was not made yet. */
export function rangeBefore(page, days) {
  const until = rangeStart(page, days);
  const from = Math.max(until - days * DAY_MS, madeMs(page));
  return from < until ? { from: iso(from), until: iso(until), bucket: "day" } : null;
}

function rangeStart(page, days) {
  return dayStart(page.now()) - (days - 1) * DAY_MS;
}

function madeMs(page) {
  const made = page.project.created_at;
  return made === null ? 0 : Date.parse(made) - HOUR_MS;
}

/** A time as the API takes it. */
export function iso(ms) {
  return new Date(ms).toISOString();
}

/** All tokens of sums or of a record: those that are billed, each once. */
export function allTokens(totals) {
  return TOKENS.reduce((sum, [name]) => sum + totals[name], 0);
}

/** Tokens by kind, as pairs of name and number. */
export function tokensByKind(totals) {
  const kinds = TOKENS.map(([name, text]) => [text, totals[name]]);
  kinds.push(["of it thinking", totals.thinking_tokens], ["web searches", totals.web_search_requests], ["web fetches", totals.web_fetch_requests]);
  return kinds;
}

/** What a series may show: by name, [title, value of sums, value in words]. */
export const METRICS = {
  spend: ["Spend", (totals) => Number(totals.cost_usd), usd],
  requests: ["Requests", (totals) => totals.requests, (value) => compact(Math.round(value * 10) / 10)],
  tokens: ["Tokens", allTokens, (value) => compact(Math.round(value))],
};

/** The points of a series, one for each hour or day, those without use too. */
export function seriesPoints(report, days, nowMs, metric) {
  const step = report.bucket === "hour" ? HOUR_MS : DAY_MS;
  const found = new Map(report.series.map((each) => [Date.parse(each.start), each]));
  const first = dayStart(nowMs) - (days - 1) * DAY_MS;
  const length = step === HOUR_MS ? 24 : days;
  const value = METRICS[metric][1];
  return Array.from({ length }, (_, index) => {
    const start = first + index * step;
    const each = found.get(start);
    const lines = each ? [usd(each.cost_usd), plural(each.requests, "request"), plural(allTokens(each), "token")] : ["no requests"];
    return step === HOUR_MS
      ? { label: `${hour(start)}–${hour(start + step)} UTC`, short: hour(start), value: each ? value(each) : 0, lines }
      : { label: weekday(start), short: day(start), value: each ? value(each) : 0, lines };
  });
}

/** The spend of each of the last days, oldest first. */
export function dailySpend(report, days, nowMs) {
  return seriesPoints({ ...report, bucket: "day" }, days, nowMs, "spend").map((point) => point.value);
}

/** How a sum compares with the one before: words and no more. `name` is what was before, `nothing` says it was none. */
export function comparison(value, before, name, nothing) {
  if (before === 0) return nothing;
  const change = value / before - 1;
  if (Math.abs(change) < 0.005) return `as much as ${name}`;
  const times = change >= 9.95 ? `${Math.round(value / before)}×` : `${Math.round(Math.abs(change) * 100)} %`;
  if (change >= 9.95) return `${times} ${name}`;
  return `${change > 0 ? "▲" : "▼"} ${times} ${change > 0 ? "over" : "under"} ${name} (${usd(before)})`;
}

/** A model's name of a breakdown, "provider/model", in its two parts. */
export function modelParts(name) {
  const slash = name.indexOf("/");
  return slash < 0 ? ["", name] : [name.slice(0, slash), name.slice(slash + 1)];
}

/** A budget of the API in numbers; `limit` is null where it is not known. */
export function budgetFigures(budget) {
  const limit = budget.limit_usd === null || budget.limit_usd === undefined ? null : Number(budget.limit_usd);
  const settled = Number(budget.settled_usd);
  const held = Number(budget.held_usd);
  return { limit, settled, held, left: limit === null ? null : Math.max(0, limit - settled - held) };
}

