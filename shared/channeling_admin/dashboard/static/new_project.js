// Making a project, and showing its secret this once.

import { ask, show } from "./dialogs.js";
import { h } from "./element.js";
import { codeBox } from "./parts.js";

/** Ask for a project's id and name and create it; return what was created, or null. */
export async function createProject(api) {
  const made = await ask({
    title: "New project",
    text: "A project holds the keys of your providers and the secrets that your tokens are signed with.",
    fields: [
      { name: "project_id", label: "Id", required: true, maxlength: 64, advice: "Letters, digits, _ and -. It is the iss of your tokens, and stays." },
      { name: "name", label: "Name", maxlength: 200, advice: "For people; it can be changed." },
    ],
    action: "Create",
    submit: ({ project_id, name }) => api.send("POST", "projects", { project_id, name: name || project_id }),
  });
  if (made !== null) await showSecret("Project created", made.hmac_secret);
  return made;
}

/** Show an HMAC secret, which is shown this once. */
export function showSecret(title, secret) {
  return show({
    title,
    body: h(
      "div", { class: "stack" },
      h("p", { class: "small" }, "This is its HMAC secret. Your backend signs users' tokens with it. It is shown this once: put it where your backend keeps its secrets."),
      codeBox("HMAC secret", secret),
    ),
    action: "I have stored it",
  });
}
