// Aliases: names that users may ask for, and the models that they stand for.

import { ask } from "./dialogs.js";
import { h } from "./element.js";
import { shownName } from "./format.js";
import { card, empty, notice, table } from "./parts.js";

export async function showAliases(page, project, again) {
  const aliases = Object.entries(project.aliases).sort(([one], [other]) => (one < other ? -1 : 1));
  const save = async (changed, said) => {
    await page.send("PATCH", "", { aliases: Object.fromEntries(changed) });
    notice(said);
    await again();
  };
  const set = (name = "", model = "") => ask({
    title: name ? `Change ${shownName(name)}` : "Add an alias",
    fields: [
      { name: "alias", label: "Name that is asked for", value: name, required: true, maxlength: 256, placeholder: "fast" },
      { name: "model", label: "Model that answers", value: model, required: true, maxlength: 256, placeholder: "claude-haiku-4-5" },
    ],
    action: "Save",
    submit: (values) => save([...aliases.filter(([known]) => known !== name && known !== values.alias), [values.alias, values.model]], "The alias is set."),
  });
  const remove = (name) => ask({
    title: `Remove ${shownName(name)}`,
    text: "Who asks for it is then routed by that name itself.",
    action: "Remove", danger: true,
    submit: () => save(aliases.filter(([known]) => known !== name), "The alias is removed."),
  });
  const button = (text, name, run, kind = null) => h("button", { type: "button", class: kind, "data-key": `${text}-${name}`, on: { click: run } }, text, h("span", { class: "heard" }, ` ${shownName(name)}`));
  const columns = [
    { head: "Asked for", cell: ([name]) => h("code", { class: "break" }, shownName(name)) },
    { head: "Answers", cell: ([, model]) => h("code", { class: "break" }, shownName(model)) },
    { head: "Change", heard: true, number: true, cell: ([name, model]) => page.canChange && h("div", { class: "row end" }, button("Change", name, () => set(name, model)), button("Remove", name, () => remove(name), "bad")) },
  ];
  return [card(
    "Aliases",
    { beside: page.canChange && h("button", { type: "button", "data-key": "add-alias", on: { click: () => set() } }, "Add an alias") },
    h("p", { class: "small soft after-head" }, "With aliases users ask for a name of yours, and you choose the model behind it."),
    aliases.length ? table("Aliases", columns, aliases, { keyOf: ([name]) => name }) : empty("None: models are asked for by their own names."),
  )];
}
