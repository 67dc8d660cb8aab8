// Charts as SVG: figures over time, ranked bars, the meter of a budget, a small line.

import { h, svg } from "./element.js";
import { percent, plural, shownName, usd } from "./format.js";

const WIDTH = 720;
const HEIGHT = 220;

/**
 * Bars over time. `points`: {label, short, value, lines}; `say` puts a value into words. The arrow keys go from bar
 * to bar, and what a bar stands for is said.
 */
export function seriesChart(label, points, say) {
  const top = niceCeiling(Math.max(...points.map((point) => point.value), 0));
  const step = WIDTH / points.length;
  const barWidth = Math.min(40, step * 0.68);
  const y = (value) => HEIGHT * (1 - value / top);
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" });
  for (const share of [0, 0.5, 1]) {
    drawing.append(svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: y(top * share), y2: y(top * share) }));
  }
  const columns = points.map((point, index) => {
    const height = Math.max(point.value > 0 ? 2 : 0, HEIGHT - y(point.value));
    const column = svg(
      "g", { class: "column" },
      svg("rect", { class: "hover-zone", x: step * index, y: 0, width: step, height: HEIGHT }),
      svg("rect", { class: "bar", x: step * (index + 0.5) - barWidth / 2, y: HEIGHT - height, width: barWidth, height }),
    );
    drawing.append(column);
    return column;
  });
  const every = Math.ceil(points.length / 8);
  const scale = h("div", { class: "scale", "aria-hidden": "true" }, [1, 0.5, 0].map((share) => h("span", {}, say(top * share))));
  const axis = h("div", { class: "axis", "aria-hidden": "true" }, points.map((point, index) => h("span", {}, index % every === 0 ? h("b", {}, point.short) : null)));
  const live = h("span", { class: "heard", "aria-live": "polite" });
  const figure = h("div", { class: "series", tabindex: "0", role: "group", "aria-label": label, "data-key": "series" }, scale, drawing, axis, live);
  pointAt(figure, { drawing, columns, points, say, live });
  return figure;
}

function pointAt(figure, { drawing, columns, points, say, live }) {
  const tip = h("div", { class: "tip", hidden: true });
  figure.append(tip);
  let pointed = null;
  const point = (index) => {
    if (pointed !== null) columns[pointed].classList.remove("pointed");
    pointed = index;
    tip.hidden = index === null;
    if (index === null) return;
    columns[index].classList.add("pointed");
    const { label, value, lines } = points[index];
    tip.replaceChildren(h("span", { class: "soft" }, label), h("strong", {}, say(value)), ...lines.map((line) => h("div", { class: "soft" }, line)));
    const box = drawing.getBoundingClientRect();
    const middle = ((index + 0.5) / points.length) * box.width + (box.left - figure.getBoundingClientRect().left);
    const room = figure.clientWidth - tip.offsetWidth;
    // Set one by one, which the policy on styles allows; an attribute `style` it would not.
    tip.style.left = `${Math.max(0, Math.min(room, middle - tip.offsetWidth / 2))}px`;
  };
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const index = Math.floor(((event.clientX - box.left) / box.width) * points.length);
    point(index >= 0 && index < points.length ? index : null);
  });
  figure.addEventListener("pointerleave", () => point(null));
  figure.addEventListener("blur", () => point(null));
  figure.addEventListener("keydown", (event) => {
    const last = points.length - 1;
    const next = {
      ArrowLeft: pointed === null ? last : Math.max(0, pointed - 1),
      ArrowRight: pointed === null ? 0 : Math.min(last, pointed + 1),
      Home: 0,
      End: last,
    }[event.key];
    if (event.key === "Escape") point(null);
    if (next === undefined) return;
    event.preventDefault();
    point(next);
    live.textContent = `${points[next].label}: ${say(points[next].value)}, ${points[next].lines.join(", ")}`;
  });
}

function niceCeiling(value) {
  if (value <= 0) return 1;
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * size).find((step) => step >= value * 0.999);
}

/** Names with bars, the greatest first. `rows`: {name, said?, value, href?}; `total` is what shares are of. */
export function ranks(rows, total, { rest = 0, noun = "" } = {}) {
  const greatest = Math.max(...rows.map((row) => row.value), 0) || 1;
  const list = h("ol", { class: "ranks" });
  for (const { name, said = name, value, href } of rows) {
    const shown = shownName(said);
    list.append(h(
      "li", {},
      href ? h("a", { class: "name", href, title: shownName(name), "data-key": `rank-${name}` }, shown) : h("span", { class: "name", title: shownName(name) }, shown),
      h("span", { class: "value" }, usd(value), " ", h("span", { class: "share" }, total > 0 ? percent(value / total) : "")),
      bar([[value / greatest, "bar"]]),
    ));
  }
  if (rest > 0) list.append(h("li", { class: "soft" }, `and ${plural(rest, `more ${noun}`)}`));
  return list;
}

function bar(parts) {
  const drawing = svg("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" }, svg("rect", { class: "track", width: 100, height: 6 }));
  let x = 0;
  for (const [share, name] of parts) {
    const width = Math.max(0, Math.min(100 - x, share * 100));
    drawing.append(svg("rect", { class: name, x, width, height: 6 }));
    x += width;
  }
  return drawing;
}

/** A budget as a meter: settled, held by requests that run, and what is left of the limit where that is known. */
export function meter({ settled, held, limit }) {
  const whole = limit ?? Math.max(settled + held, 1e-9);
  const used = limit === null ? null : (settled + held) / Math.max(limit, 1e-9);
  const state = used === null ? "" : settled >= limit ? "spent" : used >= 0.8 ? "near" : "";
  const parts = [[settled / Math.max(whole, 1e-9), "settled"], [held / Math.max(whole, 1e-9), "held"]];
  return h(
    "div", { class: `meter ${state}`.trim() },
    limit === null ? null : bar(parts),
    h(
      "div", { class: "says" },
      h("span", {}, limit === null ? `${usd(settled)} used` : `${usd(settled)} of ${usd(limit)}`),
      held > 0 ? h("span", {}, `${usd(held)} held`) : null,
    ),
  );
}

/** A small line of values, for beside a figure. */
export function sparkline(values) {
  const top = Math.max(...values, 0) || 1;
  const x = (index) => (values.length < 2 ? 0 : (index / (values.length - 1)) * 100);
  const points = values.map((value, index) => `${x(index).toFixed(1)},${(29 - (value / top) * 27).toFixed(1)}`);
  return svg(
    "svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" },
    svg("polygon", { class: "spark-area", points: `0,30 ${points.join(" ")} 100,30` }),
    svg("polyline", { class: "spark-line", points: points.join(" ") }),
  );
}
