// Who spends what: today, in 7 and in 30 days, by model, user and provider; budgets and requests as they come.

import { addressOf, linkTo } from "./address.js";
import { ranks, seriesChart, sparkline } from "./charts.js";
import { fill, h } from "./element.js";
import { celebration, firstRequestCard } from "./first_request.js";
import { METRICS, comparison, dailySpend, modelParts, rangeBefore, rangeQuery, seriesPoints } from "./figures.js";
import { plural, usd } from "./format.js";
import { recentRequests } from "./recent_requests.js";
import { userTable } from "./budgets.js";
import { banner, card, choice, empty, rangeText, viewHead } from "./parts.js";

const REFRESH_MS = 60_000;
const LINES = 6;
const NOTHING = { totals: { cost_usd: "0" } };
const FIGURE_NAMES = { 1: "Today", 7: "7 days", 30: "30 days" };
// What each is compared with, and what is said where that was nothing.
const BEFORE = {
  1: ["all of yesterday", "nothing yesterday"], 7: ["the 7 days before", "nothing the 7 days before"],
  30: ["the 30 days before", "nothing the 30 days before"],
};

export async function showOverview(page) {
  const { address } = page;
  const places = { banners: h("div"), first: h("div"), figures: h("div", { class: "figures" }), chart: h("div"), ranks: h("div", { class: "columns" }), users: h("div") };
  // What was spent in the 30 days before changes no more: it is read once.
  let monthBefore = null;
  const recent = recentRequests(page, {}, { limit: 10, whenNew: (records) => refresh(records) });

  async function refresh(newRecords = []) {
    const now = page.now();
    const [project, month, report, { users }] = await Promise.all([
      page.get(""),
      page.get("/usage", { ...rangeQuery(page, 30), limit: LINES }),
      address.days === 30 ? null : page.get("/usage", { ...rangeQuery(page, address.days), limit: LINES }),
      page.get("/users", { from: rangeQuery(page, address.days).from, limit: 8 }),
    ]);
    fill(places.banners, bannersOf(page, project));
    if (month.totals.requests === 0 && recent.isEmpty()) {
      if (!places.first.hasChildNodes()) fill(places.first, firstRequestCard(page, project));
      setHidden(true);
      return;
    }
    if (places.first.querySelector(".steps") !== null) {
      const first = newRecords.findLast((record) => record.kind === "request") ?? recent.newest();
      fill(places.first, first ? celebration(page, first) : null);
    }
    setHidden(false);
    fillFigures(places.figures, address, month, monthBefore, now);
    fillChart(places.chart, address, report ?? month, now);
    fillRanks(places.ranks, address, report ?? month);
    fill(places.users, card("Budgets of those who spend most", { beside: h("a", { href: linkTo(address, "users") }, "All users") }, users.length ? userTable(page, users) : empty(`Nobody spent anything ${inRange(address.days)}.`)));
  }

  function setHidden(isHidden) {
    for (const name of ["figures", "chart", "ranks", "users"]) places[name].hidden = isHidden;
    recent.card.hidden = isHidden;
  }

  await recent.load();
  await refresh();
  page.show(
    viewHead("Overview"),
    h("div", { class: "stack" }, places.banners, places.first, places.figures, places.chart, places.ranks, places.users, recent.card),
  );
  recent.follow();
  page.repeat(REFRESH_MS, refresh);
  const before = rangeBefore(page, 30);
  monthBefore = before === null ? NOTHING : await page.get("/usage", { ...before, limit: 1 });
  await refresh();
}

function inRange(days) {
  return days === 1 ? "today" : `in ${rangeText(days)}`;
}

function bannersOf(page, project) {
  const settings = (section, text) => h("a", { href: linkTo(page.address, "settings", { section }) }, text);
  return [
    project.delete_at !== null && banner("bad", `This project is disabled and will be deleted at ${project.delete_at}. `, settings("project", "Restore it")),
    project.delete_at === null && project.status === "disabled" && banner("bad", "This project is disabled: every request is refused. ", settings("project", "Enable it")),
    project.spend_cap_reached && banner("bad", `The spend cap of this month, $${project.monthly_cap_usd}, is reached: requests are refused until it ends. `, settings("rules", "Change it")),
    project.provider_keys.length === 0 && banner("", "No provider's key is set, so no request can be answered. ", settings("keys", "Set one")),
  ];
}

function fillFigures(place, address, month, monthBefore, now) {
  const daily = dailySpend(month, 30, now);
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const figures = [
    [1, daily.at(-1), daily.at(-2), daily.slice(-7)],
    [7, sum(daily.slice(-7)), sum(daily.slice(-14, -7)), daily.slice(-7)],
    [30, sum(daily), monthBefore === null ? null : Number(monthBefore.totals.cost_usd), daily],
  ];
  fill(place, figures.map(([days, value, before, line]) => h(
    "a", { class: "card figure", href: addressOf({ ...address, days }), "aria-current": address.days === days ? "true" : false, "data-key": `figure-${days}` },
    h("span", { class: "what" }, FIGURE_NAMES[days]),
    h("span", { class: "amount" }, usd(value)),
    sparkline(line),
    h("span", { class: "trend" }, before === null ? "…" : comparison(value, before, ...BEFORE[days])),
  )));
}

/** The chart of a report, with the choice of what it shows. */
export function fillChart(place, address, report, now) {
  const metric = address.metric in METRICS ? address.metric : "spend";
  const [title, , say] = METRICS[metric];
  const words = `${usd(report.totals.cost_usd)} · ${plural(report.totals.requests, "request")}`;
  const names = Object.entries(METRICS).map(([name, [text]]) => [name, text]);
  fill(place, card(
    `${title}, ${rangeText(address.days)}`,
    { beside: choice("What the chart shows", { ...address, metric }, "metric", names) },
    seriesChart(`${title} ${inRange(address.days)}, ${words}. Arrow keys go through it.`, seriesPoints(report, address.days, now, metric), say),
    h("p", { class: "small soft chart-note" }, words, address.days === 1 ? " · by hours in UTC" : " · by days in UTC"),
  ));
}

function fillRanks(place, address, report) {
  const total = Number(report.totals.cost_usd);
  const rows = (list, name, link, said = (text) => text) => list.map((each) => ({ name: each[name], said: said(each[name]), value: Number(each.cost_usd), href: each[name] === "" ? null : link(each[name]) }));
  const toModel = (name) => {
    const [provider, model] = modelParts(name);
    return linkTo(address, "model", { provider, model });
  };
  fill(
    place,
    card("By model", {}, ranksOrNone(rows(report.by_model, "model", toModel, (name) => modelParts(name)[1]), total, report.models, "model")),
    card("By user", {}, ranksOrNone(rows(report.by_user, "user_id", (user) => linkTo(address, "user", { user })), total, report.users, "user")),
    card("By provider", {}, ranksOrNone(rows(report.by_provider, "provider", (provider) => linkTo(address, "requests", { provider })), total, report.by_provider.length, "provider")),
  );
}

/** Ranked bars, or a word that there are none; `known` is how many there are in all. */
export function ranksOrNone(rows, total, known, noun) {
  if (rows.length === 0) return empty("Nothing yet.");
  const named = rows.map((row) => (row.name === "" ? { ...row, said: "refused before a provider was chosen" } : row));
  return ranks(named, total, { rest: Math.max(0, known - rows.length), noun });
}
