// Requests as rows of a table: what they cost, how long they took, and all that is known of one below it.

import { duration, ago, compact, shownName, usd, wholeTime } from "./format.js";
import { h } from "./element.js";
import { allTokens, tokensByKind } from "./figures.js";
import { facts, modelLink, table, tag, time, userLink } from "./parts.js";

const STATUS_KINDS = { ok: "good", failed: "bad", refused: "warn", reclaimed: "warn", cancelled: "" };
const STATUS_WORDS = {
  refused: "refused before any provider answered: costs nothing",
  failed: "the provider answered an error or broke off",
  cancelled: "the client left before the end",
  reclaimed: "the process died; billed at what was held",
};

/** What tells records apart. */
export function recordKey(record) {
  return `${record.kind}-${record.request_id}-${record.started_ms}`;
}

/** Records as a table, the newest first; `without` names columns that the view says anyway. */
export function recordTable(page, records, { without = [], opened, freshKeys = null }) {
  const now = page.now();
  const columns = [
    { name: "time", head: "Time", cell: (record) => time(record.started_ms, ago(record.started_ms, now)) },
    { name: "user", head: "User", cell: (record) => userLink(page.address, record.user_id) },
    { name: "model", head: "Model", cell: (record) => (record.kind === "request" ? modelLink(page.address, record.provider, record.model_used || record.model_asked) : h("span", { class: "soft" }, record.kind)) },
    { name: "status", head: "Status", cell: statusTag },
    { name: "in", head: "In", number: true, cell: (record) => compact(record.input_tokens + record.cache_write_5m_tokens + record.cache_write_1h_tokens) },
    { name: "cached", head: "Cached", number: true, cell: (record) => compact(record.cache_read_tokens) },
    { name: "out", head: "Out", number: true, cell: (record) => compact(record.output_tokens) },
    { name: "thinking", head: "Thinking", number: true, cell: (record) => compact(record.thinking_tokens) },
    { name: "first", head: "First token", number: true, cell: (record) => duration(record.first_token_ms) },
    { name: "whole", head: "Took", number: true, cell: (record) => duration(record.duration_ms) },
    { name: "cost", head: "Cost", number: true, cell: (record) => h("strong", {}, usd(record.cost_usd)) },
  ].filter((column) => !without.includes(column.name));
  return table("Requests", columns, records, { keyOf: recordKey, detail: recordDetail, opened, freshKeys });
}

function statusTag(record) {
  if (record.kind !== "request") return tag(record.kind);
  return tag(record.status, STATUS_KINDS[record.status] ?? "");
}

function recordDetail(record) {
  const marks = [
    record.estimated && "estimated: the provider's own figures never came",
    record.clamped && "max_tokens was lowered to what was left",
    record.cut && "cut where the budget ended",
  ].filter(Boolean);
  const sums = tokensByKind(record).filter(([, number]) => number > 0).map(([text, number]) => `${compact(number)} ${text}`);
  return facts([
    ["Request", h("code", {}, record.request_id)],
    ["Began", wholeTime(record.started_ms)],
    ["Status", STATUS_WORDS[record.status] && record.kind === "request" ? `${record.status}: ${STATUS_WORDS[record.status]}` : record.status],
    ["Provider", record.provider || "–"],
    ["Model asked for", shownName(record.model_asked)],
    record.model_used !== record.model_asked && ["Model used", shownName(record.model_used)],
    ["Tokens", allTokens(record) > 0 || sums.length > 0 ? sums.join(", ") : "none"],
    ["Cost", `$${record.cost_usd}`],
    Number(record.uncollected_usd) > 0 && ["Billed beyond the budget", `$${record.uncollected_usd}`],
    ["Price", record.price_source || "–"],
    ["Ended by", record.stop_reason || "–"],
    ["Sent", record.streamed ? "as a stream" : "whole"],
    ["Budget", `${record.window} from ${record.window_start}`],
    marks.length > 0 && ["Marks", marks.join("; ")],
    record.actor && ["By", shownName(record.actor)],
    record.reason && ["Reason", shownName(record.reason)],
  ]);
}
