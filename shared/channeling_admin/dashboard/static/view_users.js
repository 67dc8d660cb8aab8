// Users by what they spent, and one user: budgets as they stand, use, requests, and what an operator does to them.

import { linkTo } from "./address.js";
import { budgetCard, userTable } from "./budgets.js";
import { ask, field, onSubmit } from "./dialogs.js";
import { fill, h } from "./element.js";
import { modelParts, rangeQuery } from "./figures.js";
import { plural, shownName, wholeTime } from "./format.js";
import { banner, card, empty, notice, rangeChoice, rangeText, viewHead } from "./parts.js";
import { recentRequests } from "./recent_requests.js";
import { fillChart, ranksOrNone } from "./view_overview.js";

const REFRESH_MS = 15_000;
const MOST_USERS = 200;

export async function showUsers(page) {
  const { address } = page;
  const place = h("div");
  const count = h("span", { class: "soft" });
  async function refresh() {
    const now = page.now();
    const found = await page.get("/users", { from: rangeQuery(page, address.days).from, limit: MOST_USERS });
    const more = found.count > found.users.length ? `, the ${found.users.length} dearest shown` : "";
    fill(count, `${plural(found.count, "user")} with use in ${rangeText(address.days)}${more}`);
    fill(place, found.users.length ? userTable(page, found.users) : empty("Nobody asked anything in this time. A user is here after the first request."));
  }
  await refresh();
  page.show(
    viewHead("Users", { beside: [rangeChoice(address)] }),
    h("div", { class: "stack" }, card("Find a user", {}, findForm(page)), card("By spend", { beside: count }, place)),
  );
  page.repeat(REFRESH_MS, refresh);
}

function findForm(page) {
  const form = h(
    "form", { class: "filters", method: "dialog" },
    field({ name: "user", label: "User id", required: true, maxlength: 256, advice: "Whole, as in the token's sub." }),
    h("button", { type: "submit" }, "Open"),
  );
  onSubmit(form, ({ user }) => page.go({ view: "user", user }));
  return form;
}

export async function showUser(page) {
  const { address } = page;
  const user = address.user ?? "";
  const places = { state: h("div"), budgets: h("div", { class: "columns" }), chart: h("div"), models: h("div") };
  const recent = recentRequests(page, { user }, { limit: 15, without: ["user"], whenNew: refresh });

  async function refresh() {
    const now = page.now();
    const found = await page.get("/user", { user, ...rangeQuery(page, address.days) });
    fill(places.state, found.revoked_before !== null && banner("bad", `Revoked: tokens issued until ${wholeTime(Date.parse(found.revoked_before))} are refused.`));
    fill(places.budgets, found.budgets.length
      ? found.budgets.map((budget) => budgetCard(page, budget, page.canChange ? orders(page, user, budget, refresh) : null))
      : card("Budgets", {}, empty("No budget yet: it begins with the user's first request, and its limit comes with the user's token.")));
    fillChart(places.chart, address, found.usage, now);
    fill(places.models, card("By model", {}, ranksOrNone(modelRows(address, found.usage), Number(found.usage.totals.cost_usd), found.usage.models, "model")));
  }

  await Promise.all([refresh(), recent.load()]);
  page.show(
    viewHead(shownName(user), {
      where: h("a", { href: linkTo(address, "users") }, "Users"),
      beside: [rangeChoice(address), page.canChange && h("button", { type: "button", class: "bad", "data-key": "revoke", on: { click: () => revoke(page, user, refresh) } }, "Revoke")],
    }),
    h("div", { class: "stack" }, places.state, places.budgets, h("div", { class: "columns wide" }, places.chart, places.models), recent.card),
  );
  recent.follow();
  page.repeat(REFRESH_MS, refresh);
}

function modelRows(address, usage) {
  return usage.by_model.map((each) => {
    const [provider, model] = modelParts(each.model);
    return { name: each.model, said: model, value: Number(each.cost_usd), href: each.model === "" ? null : linkTo(address, "model", { provider, model }) };
  });
}

const REASON = { name: "reason", label: "Reason", required: true, maxlength: 200, advice: "It is kept with the change." };
const AMOUNT = { name: "amount", label: "Amount, in dollars", required: true, inputmode: "decimal", placeholder: "5.00" };

function orders(page, user, budget, refresh) {
  const order = (text, run, kind = null) => h("button", { type: "button", class: kind, "data-key": `${text}-${budget.window}`, on: { click: run } }, text);
  const what = `the ${budget.window} of ${shownName(user)}`;
  const submit = (path, body, said) => async (values) => {
    await page.send("POST", `/user/${path}`, { window: budget.window, reason: values.reason, ...body(values) }, { user });
    await refresh();
    notice(said);
    return true;
  };
  return [
    order("Raise", () => ask({
      title: `Raise the limit of ${what}`,
      text: "All that is added to the limit until this window ends; 0 takes it away. The token's own limit stays as it is.",
      fields: [AMOUNT, REASON], action: "Raise",
      submit: submit("raise", ({ amount }) => ({ amount_usd: amount }), "The limit is raised until the window ends."),
    })),
    order("Give back", () => ask({
      title: `Give back in ${what}`,
      text: "Taken off what is used in this window.",
      fields: [AMOUNT, REASON], action: "Give back",
      submit: submit("adjust", ({ amount }) => ({ credit_usd: amount }), "The amount is given back."),
    })),
    order("Charge", () => ask({
      title: `Charge in ${what}`,
      text: "Added to what is used in this window.",
      fields: [AMOUNT, REASON], action: "Charge",
      submit: submit("adjust", ({ amount }) => ({ debit_usd: amount }), "The amount is charged."),
    })),
    order("Reset", () => ask({
      title: `Reset ${what}`,
      text: "Gives back all that is used in this window. Requests that run are charged as ever.",
      fields: [REASON], action: "Reset", danger: true,
      submit: submit("reset", () => ({}), "All that was used is given back."),
    }), "bad"),
  ];
}

function revoke(page, user, refresh) {
  return ask({
    title: `Revoke ${shownName(user)}`,
    text: "Every token of this user that was issued until now is refused from the next request on. Tokens that you mint later work again; other users are not concerned.",
    fields: [REASON], action: "Revoke", danger: true,
    submit: async ({ reason }) => {
      await page.send("POST", "/user/revoke", { reason }, { user });
      await refresh();
      notice("The user's tokens are refused from now on.");
      return true;
    },
  });
}
