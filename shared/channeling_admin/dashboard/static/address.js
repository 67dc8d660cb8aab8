// The view as it stands in the address, so that a link shows another person the same: `?project=&view=&days=…`.

export const VIEWS = ["overview", "users", "user", "models", "model", "requests", "settings"];
export const RANGES = [1, 7, 30];
const FILTERS = ["user", "model", "provider", "status"];

/** The view of an address: {project, view, days, user, model, provider, status, section}; what is not there is null. */
export function readAddress(search = location.search) {
  const given = new URLSearchParams(search);
  const view = given.get("view");
  const days = Number(given.get("days"));
  const address = {
    project: given.get("project"),
    view: VIEWS.includes(view) ? view : "overview",
    days: RANGES.includes(days) ? days : 7,
    metric: given.get("metric"),
    section: given.get("section"),
  };
  for (const name of FILTERS) address[name] = given.get(name);
  return address;
}

/** The link to a view: what is set, and nothing that is the default anyway. */
export function addressOf(address) {
  const given = new URLSearchParams();
  if (address.project) given.set("project", address.project);
  if (address.view && address.view !== "overview") given.set("view", address.view);
  if (address.days && address.days !== 7) given.set("days", String(address.days));
  for (const name of [...FILTERS, "section", "metric"]) {
    // An empty user or model is one, too.
    if (address[name] !== null && address[name] !== undefined) given.set(name, address[name]);
  }
  const text = given.toString();
  return text ? `?${text}` : "?";
}

/** The link to another view of the same project and time, with these filters and no others. */
export function linkTo(address, view, filters = {}) {
  return addressOf({ project: address.project, days: address.days, view, ...filters });
}
