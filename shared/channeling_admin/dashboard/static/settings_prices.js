// Custom prices: those of this project, and those of all projects that have none of their own.

import { ask } from "./dialogs.js";
import { h } from "./element.js";
import { shownName, wholeTime } from "./format.js";
import { card, empty, notice, table, tag } from "./parts.js";

// [name, in a form, at the head of a column]
const RATES = [
  ["input", "Input", "Input"], ["output", "Output", "Output"], ["cache_read", "Cache read", "Cache read"],
  ["cache_write_5m", "Cache write, 5 min", "Write 5 min"], ["cache_write_1h", "Cache write, 1 h", "Write 1 h"],
  ["web_search", "1,000 web searches", "Searches"],
];
const ANY_PROVIDER = [["", "any"], ["anthropic", "anthropic"], ["openai", "openai"], ["openrouter", "openrouter"]];

export async function showPrices(page, project, again) {
  const forAll = page.session.project_id === null;
  const [own, all] = await Promise.all([
    page.get("/prices"),
    forAll ? page.api.get("prices", {}, page.signal) : null,
  ]);
  return [
    pricesCard(page, again, {
      title: "Prices of this project", prices: own.prices, path: `${page.projectPath}/prices`,
      text: "They take the place of the list's for this project's requests from now on, or from the time that is set. What was billed stays as it was billed.",
      none: "None: the list's prices hold.",
    }),
    all && pricesCard(page, again, {
      title: "Prices for all projects", prices: all.prices, path: "prices",
      text: "They hold where a project has no price of its own for a model.",
      none: "None: the list's prices hold.",
    }),
  ];
}

function pricesCard(page, again, { title, prices, path, text, none }) {
  const columns = [
    { head: "Model", cell: (price) => h("span", { class: "name", title: shownName(price.model ?? price.price_id) }, shownName(price.model ?? price.price_id)) },
    { head: "Provider", cell: (price) => price.provider ?? "any" },
    ...RATES.map(([name, , head]) => ({ head, number: true, cell: (price) => (price[name] === undefined ? h("span", { class: "soft" }, "–") : `$${price[name]}`) })),
    { head: "From", cell: (price) => (price.unreadable ? tag(price.unreadable, "bad") : price.valid_from === null ? "always" : wholeTime(Date.parse(price.valid_from))) },
    { head: "Change", heard: true, number: true, cell: (price) => page.canChange && priceButtons(page, again, path, price) },
  ];
  return card(
    title,
    { beside: page.canChange && h("button", { type: "button", "data-key": `add-${path}`, on: { click: () => setPrice(page, again, path, {}) } }, "Set a price") },
    h("p", { class: "small soft after-head" }, text, " In dollars per million tokens; searches per 1,000."),
    prices.length ? table(title, columns, prices, { keyOf: (price) => price.price_id }) : empty(none),
  );
}

function priceButtons(page, again, path, price) {
  const said = h("span", { class: "heard" }, ` ${shownName(price.model ?? price.price_id)}`);
  const remove = () => ask({
    title: `Remove the price of ${shownName(price.model ?? price.price_id)}`,
    text: "The next best holds: an earlier or wider one, that of all projects, or the list's.",
    action: "Remove", danger: true,
    submit: async () => {
      await page.api.send("DELETE", `${path}/${encodeURIComponent(price.price_id)}`);
      notice("The price is removed.");
      await again();
    },
  });
  return h(
    "div", { class: "row end" },
    !price.unreadable && h("button", { type: "button", "data-key": `change-${price.price_id}`, on: { click: () => setPrice(page, again, path, price) } }, "Change", said.cloneNode(true)),
    h("button", { type: "button", class: "bad", "data-key": `remove-${price.price_id}`, on: { click: remove } }, "Remove", said),
  );
}

function setPrice(page, again, path, price) {
  return ask({
    title: price.model ? `Change the price of ${shownName(price.model)}` : "Set a price",
    text: "Dollars per million tokens, such as 2.50. A rate that is left out is priced as the provider's list does for a model without it.",
    fields: [
      { name: "model", label: "Model", value: price.model ?? "", required: true, maxlength: 256, advice: "As the provider names it, or the beginning of names and *. One for the same model and time is replaced." },
      { name: "provider", label: "Provider", value: price.provider ?? "", options: ANY_PROVIDER },
      ...RATES.map(([name, label]) => ({ name, label, value: price[name] ?? "", inputmode: "decimal", required: name === "input" || name === "output", maxlength: 64 })),
      { name: "valid_from", label: "From (UTC)", type: "datetime-local", step: "1", value: price.valid_from ? price.valid_from.slice(0, 19) : "", advice: "Empty: always." },
    ],
    action: "Save",
    submit: async (values) => {
      const body = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "").map(([name, value]) => [name, name in { input: 1, output: 1 } || name.startsWith("cache") || name === "web_search" ? value.replace(/^\$/, "") : value]));
      if (body.valid_from) body.valid_from = `${body.valid_from.length === 16 ? `${body.valid_from}:00` : body.valid_from}Z`;
      await page.api.send("PUT", path, body);
      notice("The price is set. Servers follow within a minute.");
      await again();
    },
  });
}
