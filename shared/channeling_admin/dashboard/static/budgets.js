// Budgets of users as they stand: a meter in a line, and a card for each window.

import { h } from "./element.js";
import { budgetFigures } from "./figures.js";
import { usd, until, plural, wholeTime } from "./format.js";
import { meter } from "./charts.js";
import { tag, userLink, table, time } from "./parts.js";

/** The budgets whose windows run. */
export function liveBudgets(user) {
  return user.budgets.filter((budget) => !budget.has_ended);
}

/** Users with what they spent and the budget that is fullest, as a table. */
export function userTable(page, users) {
  const columns = [
    { head: "User", cell: (user) => userLink(page.address, user.user_id) },
    { head: "Budget", cell: (user) => budgetCell(user) },
    { head: "Left", number: true, cell: (user) => leftCell(user) },
    { head: "Resets", cell: (user) => resetCell(page, user) },
    { head: "Requests", number: true, cell: (user) => (user.usage ? user.usage.requests.toLocaleString("en-US") : "–") },
    { head: "Spent", number: true, cell: (user) => h("strong", {}, user.usage ? usd(user.usage.cost_usd) : "–") },
  ];
  return table("Users", columns, users, { keyOf: (user) => user.user_id });
}

function shown(user) {
  const live = liveBudgets(user);
  const share = (budget) => {
    const { settled, held, limit } = budgetFigures(budget);
    return limit === null ? 0 : (settled + held) / Math.max(limit, 1e-9);
  };
  return live.sort((one, other) => share(other) - share(one))[0] ?? null;
}

function budgetCell(user) {
  const budget = shown(user);
  if (budget === null) return h("span", { class: "soft" }, user.revoked_before ? tag("revoked", "bad") : "no window runs");
  return h("div", { class: "row" }, meter(budgetFigures(budget)), user.revoked_before && tag("revoked", "bad"));
}

function leftCell(user) {
  const budget = shown(user);
  const left = budget === null ? null : budgetFigures(budget).left;
  return left === null ? "–" : usd(left);
}

function resetCell(page, user) {
  const budget = shown(user);
  if (budget === null) return "–";
  const end = Date.parse(budget.ends_at);
  return h("span", {}, `${budget.window} `, time(end, until(end, page.now())));
}

/** One window of a user, whole: what is used, held and left, when it resets. `orders` are buttons below it. */
export function budgetCard(page, budget, orders) {
  const figures = budgetFigures(budget);
  const end = Date.parse(budget.ends_at);
  const title = { hour: "Hour", day: "Day", week: "Week", month: "Month" }[budget.window] ?? budget.window;
  const raised = Number(budget.raise_usd);
  return h(
    "section", { class: "card budget-card" },
    h("header", {}, h("h2", {}, title), h("span", { class: "soft", title: wholeTime(end) }, budget.has_ended ? "ended; the next request opens a new window" : `resets ${until(end, page.now())}`)),
    figures.left === null
      ? h("p", { class: "left" }, `${usd(figures.settled)} used`)
      : h("p", { class: "left" }, `${usd(figures.left)} left`),
    figures.limit !== null && meter(figures),
    h(
      "p", { class: "legend" },
      h("span", {}, h("i", { class: "of-settled" }), `${usd(figures.settled)} used`),
      h("span", {}, h("i", { class: "of-held" }), `${usd(figures.held)} held by ${plural(budget.running_requests, "running request")}`),
      raised > 0 && h("span", {}, `limit raised by ${usd(raised)}`),
      budget.pending_adjustment_usd !== null && h("span", {}, `an adjustment of $${budget.pending_adjustment_usd} is under way`),
    ),
    orders && !budget.has_ended && h("div", { class: "row" }, orders),
  );
}
