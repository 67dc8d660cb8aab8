// A project that nobody has asked anything yet: a line to paste, waiting for the first request, and what it cost.

import { fill, h, heard, icon } from "./element.js";
import { duration, plural, shownName, usd } from "./format.js";
import { allTokens } from "./figures.js";
import { addressOf, linkTo } from "./address.js";
import { ICONS } from "./icons.js";
import { card, codeBox } from "./parts.js";

const MODELS = { anthropic: "claude-sonnet-4-5-20250929", openai: "gpt-5-mini", openrouter: "or:anthropic/claude-sonnet-4.5" };
const TRIAL = { user_id: "first-user", budget_usd: "1", window: "day", lifetime_s: 3_600 };

/** The steps to a first request. `project` is the project as the API shows it; nothing is minted before it is asked for. */
export function firstRequestCard(page, project) {
  const provider = project.provider_keys[0] ?? null;
  const mintPlace = h("div", { class: "stack" });
  const mint = h("button", { type: "button", class: "main" }, icon(ICONS.key), "Mint a token for a trial");
  mint.addEventListener("click", async () => {
    mint.disabled = true;
    try {
      const minted = await page.send("POST", "/tokens", TRIAL);
      fill(mintPlace, codeBox("A first request", curlLine(minted.base_url, minted.token, provider), curlLine(minted.base_url, shortened(minted.token), provider)), h("p", { class: "small soft" }, "The token is for ", h("code", {}, TRIAL.user_id), `, holds a budget of $${TRIAL.budget_usd} a ${TRIAL.window} and expires in an hour. “Copy” takes all of it.`));
    } catch (error) {
      fill(mintPlace, h("p", { class: "form-error", role: "alert" }, error.message), mint);
      mint.disabled = false;
    }
  });
  fill(mintPlace, page.canChange ? h("div", {}, mint) : h("p", { class: "small soft" }, "Your admin token may look and change nothing; an operator's mints a token here."));
  return card(
    "Send the first request", {},
    h(
      "ol", { class: "steps" },
      h(
        "li", { class: provider ? "done" : null },
        h("h3", {}, "A provider's key"),
        provider
          ? h("p", { class: "small soft" }, `This project has a key of ${project.provider_keys.join(", ")}.`)
          : h("p", { class: "small soft" }, "Requests are paid with your own key. ", h("a", { href: linkTo(page.address, "settings", { section: "keys" }) }, "Set one"), "; it is stored encrypted and never shown again."),
      ),
      h("li", {}, h("h3", {}, "A token, and a line to paste into a terminal"), h("p", { class: "small soft" }, "Your backend will mint tokens by itself, one for each user. For a try, here is one:"), mintPlace),
      h("li", {}, h("h3", {}, "The first request"), h("p", { class: "waiting", role: "status" }, h("span", { class: "dot", "aria-hidden": "true" }), "Waiting for it. It shows here by itself.")),
    ),
  );
}

/** What is said when the first request has come. */
export function celebration(page, record) {
  const words = [
    `${shownName(record.user_id)} asked ${shownName(record.model_used || record.model_asked)}`,
    `${plural(allTokens(record), "token")} in ${duration(record.duration_ms)}`,
    `${usd(record.cost_usd)}, settled to the last nanodollar`,
  ];
  return h(
    "section", { class: "card celebration appear", role: "status" },
    h("span", { class: "mark" }, icon(ICONS.check)),
    h("h2", {}, "Your first request is in"),
    h("p", { class: "soft small" }, words.join(" · ")),
    h("p", {}, h("a", { href: addressOf({ ...page.address, view: "user", user: record.user_id }) }, "See this user's budget", heard(` (${shownName(record.user_id)})`))),
  );
}

function curlLine(baseUrl, token, provider) {
  return [
    `curl -N ${baseUrl || "YOUR-BASE-URL"}/v1/messages \\`,
    `  -H 'x-api-key: ${token}' \\`,
    "  -H 'anthropic-version: 2023-06-01' \\",
    "  -H 'content-type: application/json' \\",
    `  -d '{"model": "${MODELS[provider ?? "anthropic"]}", "max_tokens": 256, "stream": true,`,
    "       \"messages\": [{\"role\": \"user\", \"content\": \"Say hello in three languages.\"}]}'",
  ].join("\n");
}

function shortened(token) {
  return `${token.slice(0, 12)}…${token.slice(-6)}`;
}
