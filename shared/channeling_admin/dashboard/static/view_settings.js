// What an operator sets of a project, in sections: rules, keys and secrets, prices, aliases, the project itself,
// and who changed what.

import { addressOf } from "./address.js";
import { ask, field, onSubmit } from "./dialogs.js";
import { h } from "./element.js";
import { usd, wholeTime } from "./format.js";
import { banner, card, facts, notice, viewHead } from "./parts.js";
import { showAudit } from "./settings_audit.js";
import { showAliases } from "./settings_aliases.js";
import { showKeys } from "./settings_keys.js";
import { showPrices } from "./settings_prices.js";

const SECTIONS = {
  rules: ["Rules", showRules], keys: ["Keys and secrets", showKeys], prices: ["Prices", showPrices],
  aliases: ["Aliases", showAliases], project: ["Project", showProject], audit: ["Changes", showAudit],
};

export async function showSettings(page) {
  const section = page.address.section in SECTIONS ? page.address.section : "rules";
  const [, show] = SECTIONS[section];
  const again = async () => {
    const project = await page.get("");
    const content = await show(page, project, again);
    page.show(
      viewHead("Settings"),
      h("nav", { class: "sections", "aria-label": "Settings" }, Object.entries(SECTIONS).map(([name, [text]]) =>
        h("a", { href: addressOf({ project: page.address.project, view: "settings", days: page.address.days, section: name }), "aria-current": name === section ? "page" : false, "data-key": `section-${name}` }, text))),
      !page.canChange && banner("", "Your admin token may look, and change nothing (role viewer)."),
      h("div", { class: "stack" }, content),
    );
  };
  await again();
}

const ENFORCEMENTS = [["", "as the deployment says"], ["elastic", "elastic"], ["strict", "strict"], ["soft", "soft"]];

async function showRules(page, project, again) {
  const form = h(
    "form", { class: "stack", method: "dialog" },
    h(
      "div", { class: "fields" },
      field({ name: "name", label: "Name", value: project.name, required: true, maxlength: 200 }),
      field({ name: "enforcement", label: "Enforcement", value: project.enforcement ?? "", options: ENFORCEMENTS, advice: "elastic holds what a stream is expected to write, and more as it writes; strict the most that it may; soft admits while anything is left." }),
      field({ name: "max_concurrent", label: "Requests of one user at once", value: project.max_concurrent ?? "", inputmode: "numeric", placeholder: "as the deployment says", advice: "1 to 128." }),
      field({ name: "monthly_cap_usd", label: "Spend cap a month, in dollars", value: project.monthly_cap_usd ?? "", inputmode: "decimal", placeholder: "none", advice: "Of all users together, by calendar month in UTC. Once it is reached, requests are refused." }),
      field({ name: "max_ai_usd", label: "Most that one token may ask, in dollars", value: project.max_ai_usd ?? "", inputmode: "decimal", placeholder: "no bound", advice: "Bounds what a leaked secret or a slip in minting can cost." }),
    ),
    field({ name: "allow_unbounded_tools", label: "Allow server tools without max_uses", type: "checkbox", checked: project.allow_unbounded_tools, advice: "Such as web search: each use bills the growing input again." }),
    field({ name: "openrouter_native_anthropic", label: "Ask Claude at OpenRouter in Anthropic's own format", type: "checkbox", checked: project.openrouter_native_anthropic }),
  );
  const optional = (text) => (text === "" ? null : text.replace(/^\$/, ""));
  onSubmit(form, async (values) => {
    await page.send("PATCH", "", {
      name: values.name,
      enforcement: optional(values.enforcement),
      max_concurrent: values.max_concurrent === "" ? null : wholeNumber(values.max_concurrent),
      monthly_cap_usd: optional(values.monthly_cap_usd),
      max_ai_usd: optional(values.max_ai_usd),
      allow_unbounded_tools: values.allow_unbounded_tools,
      openrouter_native_anthropic: values.openrouter_native_anthropic,
    });
    notice("Saved. Servers follow within a minute.");
    await again();
  });
  if (page.canChange) form.append(h("div", {}, h("button", { type: "submit", class: "main" }, "Save")));
  else for (const input of form.elements) input.disabled = true;
  const { month } = project;
  return [
    card("Rules", { beside: h("span", { class: "soft" }, month === null ? null : `${usd(month.spent_usd)} spent this month`) }, form),
  ];
}

function wholeNumber(text) {
  if (!/^[0-9]{1,9}$/.test(text)) throw new Error(`“${text}” is no whole number.`);
  return Number(text);
}

async function showProject(page, project, again) {
  const isDeleting = project.delete_at !== null;
  const isDisabled = project.status === "disabled";
  const change = (text, run, kind) => page.canChange && h("button", { type: "button", class: kind, "data-key": text, on: { click: run } }, text);
  const status = (value, said) => async () => {
    await page.send("PATCH", "", { status: value });
    notice(said);
    await page.reload();
  };
  const disable = () => ask({
    title: "Disable this project",
    text: "Every request with its tokens is refused, within a minute, until you enable it again. Nothing is lost.",
    action: "Disable", danger: true, submit: status("disabled", "Disabled."),
  });
  const enable = () => status("active", "Enabled.")().catch((error) => notice(error.message));
  const remove = () => ask({
    title: "Delete this project",
    text: `It is disabled now, and removed with its keys and secrets when the days are over; until then it can be restored. Usage records stay. Type its id, ${project.project_id}, to go on.`,
    fields: [
      { name: "id", label: "Project id", required: true },
      { name: "days", label: "Days until it is removed", value: "7", inputmode: "numeric", advice: "0 to 90." },
    ],
    action: "Delete", danger: true,
    submit: async ({ id, days }) => {
      if (id !== project.project_id) throw new Error("That is not the id of this project.");
      await page.send("DELETE", "", undefined, { grace_days: wholeNumber(days) });
      notice("The project is disabled, and will be removed.");
      await page.reload();
    },
  });
  const restore = async () => {
    try {
      await page.send("POST", "/restore");
      notice("The project is back.");
      await page.reload();
    } catch (error) {
      notice(error.message);
    }
  };
  return [
    card("This project", {}, facts([
      ["Id", h("code", {}, project.project_id)],
      ["Status", isDeleting ? `disabled, removed at ${project.delete_at}` : project.status],
      ["Created", project.created_at === null ? "–" : wholeTime(Date.parse(project.created_at))],
      ["Secrets", project.secret_fingerprints.length],
      ["Providers' keys", project.provider_keys.join(", ") || "none"],
      ["Custom prices", project.custom_prices],
    ])),
    isDeleting
      ? card("Restore", { className: "danger" }, h("p", { class: "small soft" }, "Until it is removed, the project can be had back as it was."), h("p", { class: "row after" }, change("Restore", restore, "main")))
      : card(
          isDisabled ? "Enable, or delete" : "Disable, or delete", { className: "danger" },
          h("p", { class: "small soft" }, isDisabled ? "The project refuses every request now." : "To stop all use of this project for now, disable it. To close it for good, delete it."),
          h("p", { class: "row after" }, isDisabled ? change("Enable", enable, "main") : change("Disable", disable, "bad"), change("Delete …", remove, "bad")),
        ),
  ];
}
