// The page: who is signed in, the frame around the views, and which view the address names.

import { VIEWS, addressOf, linkTo, readAddress } from "./address.js";
import { Api } from "./api.js";
import { fill, h, icon } from "./element.js";
import { ICONS } from "./icons.js";
import { liveView } from "./live_view.js";
import { banner, empty } from "./parts.js";
import { createProject } from "./new_project.js";
import { forgetToken, keepToken, takeToken } from "./session.js";
import { applyTheme, nextTheme, theme } from "./theme.js";
import { showModel, showModels } from "./view_models.js";
import { showOverview } from "./view_overview.js";
import { showRequests } from "./view_requests.js";
import { showSettings } from "./view_settings.js";
import { showSignIn } from "./view_sign_in.js";
import { showUser, showUsers } from "./view_users.js";
import { shownName } from "./format.js";

const SHOW = {
  overview: showOverview, users: showUsers, user: showUser, models: showModels, model: showModel,
  requests: showRequests, settings: showSettings,
};
const TABS = [["overview", "Overview"], ["users", "Users"], ["models", "Models"], ["requests", "Requests"], ["settings", "Settings"]];
const PARENT = { user: "users", model: "models" };

const root = document.getElementById("app");
// What is known of who is signed in: {api, session, projects, skewMs}; null before.
let signedIn = null;
let view = null;

applyTheme();
window.addEventListener("popstate", () => showView());
window.addEventListener("hashchange", () => start());
document.addEventListener("click", followLink);
start();

async function start() {
  const token = takeToken();
  if (token === null) {
    signOut(null);
    return;
  }
  const api = new Api(token, (message) => signOut(message));
  try {
    const [session, { projects }] = await Promise.all([api.get("session"), api.get("projects")]);
    signedIn = { api, session, projects, skewMs: Date.parse(session.now) - Date.now() };
  } catch (error) {
    if (error.status !== 401) {
      view?.end();
      fill(root, h("main", { class: "loading" }, banner("bad", error.message), h("button", { type: "button", on: { click: start } }, "Try again")));
    }
    return;
  }
  buildFrame();
  showView();
}

function signOut(message) {
  forgetToken();
  signedIn = null;
  view?.end();
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  showSignIn(root, message, (token) => {
    keepToken(token);
    start();
  });
}

function buildFrame() {
  const { session } = signedIn;
  const themeButton = h("button", { type: "button", class: "plain", on: { click: () => fill(themeButton, ...themeWords(nextTheme())) } }, ...themeWords(theme()));
  fill(
    root,
    h("a", { class: "skip", href: "#view", on: { click: skip } }, "Skip to the view"),
    h(
      "div", { class: "frame" },
      h(
        "header", { class: "side" },
        h("a", { class: "brand", href: "?", "aria-label": "Channeling, overview" }, brandMark(), h("span", {}, "Channeling")),
        h("div", { class: "project-choice", id: "project-choice" }),
        h("nav", { id: "tabs", "aria-label": "Views" }),
        h(
          "div", { class: "side-foot" },
          h("p", { class: "break" }, `${shownName(session.name)} · ${session.role}`),
          h("div", { class: "row" }, themeButton, h("button", { type: "button", class: "plain", on: { click: () => signOut("You have signed out.") } }, icon(ICONS.out), "Sign out")),
        ),
      ),
      h("main", { id: "view", tabindex: "-1" }),
    ),
  );
}

function themeWords(chosen) {
  return [icon(ICONS.theme), { system: "As the system", light: "Light", dark: "Dark" }[chosen]];
}

function skip(event) {
  event.preventDefault();
  document.getElementById("view").focus();
}

function brandMark() {
  const mark = icon("M2.5 5.5c2.2 0 2.2 1.7 5.3 1.7s3.2-1.7 5.7-1.7M2.5 9.3c2.2 0 2.2 1.7 5.3 1.7s3.2-1.7 5.7-1.7");
  return mark;
}

function showView() {
  if (signedIn === null) return;
  view?.end();
  const { api, session, projects, skewMs } = signedIn;
  const address = readAddress();
  const known = projects.map((project) => project.project_id);
  if (address.project === null) address.project = session.project_id ?? known[0] ?? null;
  const place = document.getElementById("view");
  fillSide(address, projects);
  document.title = `${TABS.find(([name]) => name === (PARENT[address.view] ?? address.view))[1]} · Channeling`;
  if (address.project === null) {
    fill(place, h("h1", {}, "No project yet"), empty("A project holds the keys of your providers and the secrets that your tokens are signed with."), newProjectButton(true));
    return;
  }
  const isElsewhere = view?.address.view !== address.view;
  view = liveView({
    api, session, place, address,
    now: () => Date.now() + skewMs,
    canChange: session.role === "operator",
    go: (changes) => go(addressOf({ ...readAddress(), ...changes })),
    reload: start,
  });
  if (isElsewhere) window.scrollTo(0, 0);
  view.run(SHOW[address.view]);
}

function fillSide(address, projects) {
  const current = PARENT[address.view] ?? address.view;
  fill(
    document.getElementById("tabs"),
    h("ul", {}, TABS.map(([name, text]) => h("li", {}, h("a", { href: linkTo(address, name), "aria-current": name === current ? "page" : false, "data-key": `tab-${name}` }, icon(ICONS[name]), text)))),
  );
  const choice = h(
    "select",
    { id: "project", "data-key": "project", on: { change: (event) => chooseProject(event.target, address) } },
    projects.map((project) => h("option", { value: `p ${project.project_id}`, selected: project.project_id === address.project }, projectText(project))),
    !projects.some((project) => project.project_id === address.project) && address.project !== null && h("option", { value: `p ${address.project}`, selected: true }, shownName(address.project)),
    mayCreate() && h("option", { value: "new" }, "New project …"),
  );
  fill(document.getElementById("project-choice"), h("label", { for: "project" }, "Project"), choice);
}

function projectText(project) {
  const name = project.name === project.project_id ? project.name : `${project.name} (${project.project_id})`;
  const state = project.delete_at ? ", to be deleted" : project.status === "disabled" ? ", disabled" : "";
  return shownName(name) + state;
}

function mayCreate() {
  return signedIn.session.role === "operator" && signedIn.session.project_id === null;
}

async function chooseProject(choice, address) {
  if (choice.value !== "new") {
    go(addressOf({ project: choice.value.slice(2), view: address.view in PARENT ? PARENT[address.view] : address.view, days: address.days }));
    return;
  }
  for (const option of choice.options) if (option.value === `p ${address.project}`) option.selected = true;
  await makeProject();
}

function newProjectButton() {
  return mayCreate() && h("button", { type: "button", class: "main", on: { click: makeProject } }, icon(ICONS.plus), "Create a project");
}

async function makeProject() {
  const made = await createProject(signedIn.api);
  if (made === null) return;
  history.pushState(null, "", addressOf({ project: made.project_id, view: "overview" }));
  await start();
}

function go(href) {
  history.pushState(null, "", href);
  showView();
}

function followLink(event) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a[href^='?']") : null;
  if (link === null || signedIn === null) return;
  event.preventDefault();
  const wasElsewhere = readAddress(link.search).view !== readAddress().view;
  go(link.search || "?");
  if (wasElsewhere) document.getElementById("view").focus({ preventScroll: true });
}

if (!VIEWS.every((name) => name in SHOW)) throw new Error("a view of the address cannot be shown");
