// Signing in: for who came without a token, or with one that is no longer taken.

import { field, onSubmit } from "./dialogs.js";
import { fill, h } from "./element.js";
import { banner } from "./parts.js";

/** Show the way in. `message` says why, where somebody was signed in; `signIn(token)` goes on. */
export function showSignIn(root, message, signIn) {
  const form = h(
    "form", { method: "dialog" },
    field({ name: "token", label: "Admin token", type: "password", required: true, autocomplete: "off", advice: "It is kept for this tab alone, and sent to this server alone." }),
  );
  onSubmit(form, ({ token }) => {
    if (token === "") throw new Error("Paste an admin token.");
    signIn(token);
  });
  form.append(h("button", { type: "submit", class: "main" }, "Sign in"));
  document.title = "Sign in · Channeling";
  fill(
    root,
    h(
      "main", { class: "sign-in" },
      h(
        "div", { class: "card" },
        h("h1", {}, "Channeling"),
        message && banner("bad", message),
        h("p", { class: "soft" }, "In a terminal, ", h("code", {}, "channeling dashboard"), " opens this page signed in. Or paste an admin token:"),
        form,
      ),
    ),
  );
  form.elements.token.focus();
}
