// Figures, times and names as people read them. Money comes as decimal text in dollars.

const COUNT = new Intl.NumberFormat("en-US");
const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const DAY_TEXT = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric", timeZone: "UTC" });
const WEEKDAY_TEXT = new Intl.DateTimeFormat("en-US", { weekday: "short", month: "short", day: "numeric", timeZone: "UTC" });
const TIME_TEXT = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

/** Dollars as text: cents, whole dollars from 10,000 on, and as many decimals as a small amount needs. */
export function usd(value) {
  const amount = Number(value);
  const size = Math.abs(amount);
  let decimals = 2;
  if (size >= 10_000) decimals = 0;
  else if (size > 0 && size < 0.1) decimals = Math.min(9, Math.max(3, 2 - Math.floor(Math.log10(size))));
  const text = size.toLocaleString("en-US", { minimumFractionDigits: size > 0 && size < 0.1 ? 2 : decimals, maximumFractionDigits: decimals });
  return `${amount < 0 ? "−" : ""}$${text}`;
}

/** A whole number with separators. */
export function count(value) {
  return COUNT.format(value);
}

/** A number in short: 12.3K, 4M. */
export function compact(value) {
  return value < 10_000 ? COUNT.format(value) : COMPACT.format(value);
}

/** "1 request", "2 requests". */
export function plural(value, noun) {
  return `${compact(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** A share of 0 to 1 in percent. */
export function percent(share) {
  if (share > 0 && share < 0.01) return "<1 %";
  if (share < 1 && share > 0.99) return ">99 %";
  return `${Math.round(share * 100)} %`;
}

/** Milliseconds as people say them. */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

/** How long until then, from now: "in 3 h 20 min". */
export function until(thenMs, nowMs) {
  const s = Math.max(0, Math.round((thenMs - nowMs) / 1_000));
  if (s < 60) return `in ${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `in ${min} min`;
  const hours = Math.floor(min / 60);
  if (hours < 48) return `in ${hours} h ${min % 60} min`;
  return `in ${Math.floor(hours / 24)} days`;
}

/** How long ago, and after an hour the time itself, in UTC. */
export function ago(thenMs, nowMs) {
  const s = Math.round((nowMs - thenMs) / 1_000);
  if (s < 2) return "just now";
  if (s < 60) return `${s} s ago`;
  if (s < 3_600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3_600)} h ago`;
  return `${DAY_TEXT.format(thenMs)}, ${TIME_TEXT.format(thenMs)}`;
}

/** A time whole, in UTC: "2026-11-24 13:05:09 UTC". */
export function wholeTime(ms) {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** "Nov 24", in UTC. */
export function day(ms) {
  return DAY_TEXT.format(ms);
}

/** "Tue, Nov 24", in UTC. */
export function weekday(ms) {
  return WEEKDAY_TEXT.format(ms);
}

/** "13:00", in UTC. */
export function hour(ms) {
  return TIME_TEXT.format(ms);
}

/**
 * A user's or model's name as it is shown: control characters and those that turn the writing direction are made
 * visible, so that a name cannot pose as another; an empty one says so.
 */
export function shownName(name) {
  if (name === "") return "(none)";
  return name.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (sign) => `\\u${sign.codePointAt(0).toString(16).padStart(4, "0")}`);
}
