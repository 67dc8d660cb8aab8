// Providers' keys, which are never readable again, their servers, and the HMAC secrets that tokens are signed with.

import { ask } from "./dialogs.js";
import { h } from "./element.js";
import { showSecret } from "./new_project.js";
import { card, empty, notice, table, tag } from "./parts.js";

const PROVIDERS = [["anthropic", "Anthropic"], ["openai", "OpenAI"], ["openrouter", "OpenRouter"]];

export async function showKeys(page, project, again) {
  return [keysCard(page, project, again), secretsCard(page, project, again)];
}

function keysCard(page, project, again) {
  const columns = [
    { head: "Provider", cell: ([, name]) => h("strong", {}, name) },
    { head: "Key", cell: ([id]) => (project.provider_keys.includes(id) ? tag("set", "good") : tag("none")) },
    { head: "Server", cell: ([id]) => h("span", { class: "break" }, project.base_urls[id] ?? h("span", { class: "soft" }, "the provider's own")) },
    { head: "Change", heard: true, number: true, cell: ([id, name]) => page.canChange && keyButtons(page, project, id, name, again) },
  ];
  return card(
    "Providers' keys", {},
    h("p", { class: "small soft after-head" }, "Stored encrypted. A key can be tested, replaced and removed; nobody reads it again."),
    table("Providers' keys", columns, PROVIDERS, { keyOf: ([id]) => id }),
  );
}

function keyButtons(page, project, id, name, again) {
  const hasKey = project.provider_keys.includes(id);
  const button = (text, run, kind = null) => h("button", { type: "button", class: kind, "data-key": `${text}-${id}`, on: { click: run } }, text, h("span", { class: "heard" }, ` (${name})`));
  const set = () => ask({
    title: `${hasKey ? "Replace" : "Set"} the key of ${name}`,
    text: "It is sent to this server once and stored encrypted. Requests that run go on with the old one.",
    fields: [{ name: "key", label: `API key of ${name}`, type: "password", required: true, maxlength: 1_000 }],
    action: hasKey ? "Replace" : "Set",
    submit: async ({ key }) => {
      await page.send("PUT", `/keys/${id}`, { key });
      notice(`The key of ${name} is set. Test it to be sure.`);
      await again();
    },
  });
  const test = async (event) => {
    const pressed = event.currentTarget;
    pressed.disabled = true;
    try {
      const { outcome, message } = await page.send("POST", `/keys/${id}/test`);
      notice(`${{ accepted: "✓", refused: "✗", unclear: "?" }[outcome]} ${message}`);
    } catch (error) {
      notice(error.message);
    } finally {
      pressed.disabled = false;
    }
  };
  const server = () => ask({
    title: `The server that is asked for ${name}`,
    text: "Empty: the provider's own. It changes only while no key is set, since a key is sent to no other server than the one that it was set for.",
    fields: [{ name: "url", label: "Base URL", value: project.base_urls[id] ?? "", maxlength: 500, placeholder: "https://…/v1" }],
    action: "Save",
    submit: async ({ url }) => {
      const { [id]: _, ...others } = project.base_urls;
      await page.send("PATCH", "", { base_urls: url === "" ? others : { ...others, [id]: url } });
      notice("Saved.");
      await again();
    },
  });
  const remove = () => ask({
    title: `Remove the key of ${name}`,
    text: `Models of ${name} then answer an error to every request.`,
    action: "Remove", danger: true,
    submit: async () => {
      await page.send("DELETE", `/keys/${id}`);
      notice(`The key of ${name} is removed.`);
      await again();
    },
  });
  return h("div", { class: "row end" }, hasKey && button("Test", test), button(hasKey ? "Replace" : "Set", set, hasKey ? null : "main"), button("Server", server), hasKey && button("Remove", remove, "bad"));
}

function secretsCard(page, project, again) {
  const prints = project.secret_fingerprints;
  const add = async () => {
    const added = await ask({
      title: "Add a second secret",
      text: "Tokens of both are accepted. Move your backend to the new one, and when all old tokens have expired, remove the old one.",
      action: "Add",
      submit: () => page.send("POST", "/secrets"),
    });
    if (added === null) return;
    await showSecret("Secret added", added.hmac_secret);
    await again();
  };
  const remove = (print) => ask({
    title: `Remove secret ${print}`,
    text: "Tokens that are signed with it are refused within a minute. This cannot be taken back.",
    action: "Remove", danger: true,
    submit: async () => {
      await page.send("DELETE", `/secrets/${print}`);
      notice("The secret is removed.");
      await again();
    },
  });
  const columns = [
    { head: "Fingerprint", cell: (print) => h("code", {}, print) },
    { head: "Age", cell: (print) => (prints.length > 1 && print === prints.at(-1) ? tag("newest", "good") : null) },
    { head: "Change", heard: true, number: true, cell: (print) => page.canChange && h("button", { type: "button", class: "bad", "data-key": `remove-${print}`, on: { click: () => remove(print) } }, "Remove", h("span", { class: "heard" }, ` ${print}`)) },
  ];
  return card(
    "HMAC secrets",
    { beside: page.canChange && h("button", { type: "button", "data-key": "add-secret", disabled: prints.length >= 2, on: { click: add } }, "Add a secret") },
    h("p", { class: "small soft after-head" }, "Your backend signs users' tokens with one of these. Two at most, so that they can be changed without an outage: add, move over, remove."),
    prints.length ? table("HMAC secrets", columns, prints, { keyOf: (print) => print }) : empty("None: no token is accepted."),
  );
}
