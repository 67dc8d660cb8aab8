// A view while it is shown: its calls end with it, and what it repeats rests while nobody looks.

import { ApiError } from "./api.js";
import { fill, h } from "./element.js";
import { banner } from "./parts.js";

/**
 * What a view works with: {api, session, address, place, now(), canChange, go(changes), reload(), signal,
 * get(path, query), projectPath, repeat(ms, task)}, and `project` as it was when the view was opened.
 */
export function liveView(given) {
  const ending = new AbortController();
  const trouble = h("div", { class: "trouble" });
  const timers = new Set();
  const page = {
    ...given,
    signal: ending.signal,
    projectPath: `projects/${encodeURIComponent(given.address.project)}`,
    get: (path, query = {}) => given.api.get(`${page.projectPath}${path}`, query, ending.signal),
    send: (method, path, body, query) => given.api.send(method, `${page.projectPath}${path}`, body, query),
    /** Put what a view consists of in its place. */
    show: (...children) => fill(given.place, trouble, ...children),
    /** Run a task again and again, each time so long after it ended. A failure is said above the view. */
    repeat(ms, task) {
      const again = () => {
        const timer = setTimeout(async () => {
          timers.delete(timer);
          if (document.visibilityState === "visible") await attempt(task);
          if (!ending.signal.aborted) again();
        }, ms);
        timers.add(timer);
      };
      again();
    },
  };

  async function attempt(task) {
    try {
      await task();
      if (!ending.signal.aborted) fill(trouble);
    } catch (error) {
      // A view that has ended has nothing to say; who is signed out is told elsewhere.
      if (ending.signal.aborted || error.status === 401) return;
      if (!(error instanceof ApiError)) throw error;
      fill(trouble, banner("bad", `${sentence(error.message)} What is shown may be old; trying again.`));
    }
  }

  return {
    address: given.address,
    async run(show) {
      fill(given.place, h("p", { class: "loading" }, "Loading …"));
      try {
        page.project = await page.get("");
        await show(page);
      } catch (error) {
        if (ending.signal.aborted || error.status === 401) return;
        const again = h("button", { type: "button", on: { click: () => this.run(show) } }, "Try again");
        fill(given.place, h("h1", {}, error.status === 404 ? "Not here" : "This did not work"), banner("bad", sentence(error.message)), again);
        if (!(error instanceof ApiError)) throw error;
      }
    },
    end() {
      ending.abort();
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
