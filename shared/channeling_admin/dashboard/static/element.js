// Building the page: elements from names and text. Text is only ever text: nothing here parses markup, and the
// page's Content-Security-Policy forbids whatever would.

const SVG = "http://www.w3.org/2000/svg";
// What may be set from values: names that no value turns into code. `href` and `src` are checked besides.
const ATTRIBUTES = new Set([
  "id", "class", "type", "name", "value", "placeholder", "for", "title", "role", "tabindex", "scope", "colspan",
  "autocomplete", "inputmode", "spellcheck", "min", "max", "step", "maxlength", "rows", "method", "rel",
  "disabled", "required", "checked", "selected", "hidden", "open", "readonly", "multiple", "autofocus", "lang", "dir",
  "datetime", "download", "list", "viewBox", "width", "height", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "d",
  "points", "fill", "stroke", "stroke-width", "stroke-linecap", "stroke-linejoin", "preserveAspectRatio",
  "text-anchor", "dominant-baseline", "transform", "focusable",
]);

/** An HTML element. `attributes`: values, false or null to leave one out; `on` has listeners by event. */
export function h(name, attributes = {}, ...children) {
  return build(document.createElement(name), attributes, children);
}

/** An SVG element, as `h`. */
export function svg(name, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, name), attributes, children);
}

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      setAttribute(element, name, value);
    }
  }
  append(element, children);
  return element;
}

function setAttribute(element, name, value) {
  const text = value === true ? "" : String(value);
  if (name === "href") {
    // Within the page, or a file that it made itself.
    if (!/^(\?|#|\.\/|blob:)/.test(text)) throw new Error(`no such link: ${text.slice(0, 40)}`);
  } else if (!ATTRIBUTES.has(name) && !name.startsWith("aria-") && !name.startsWith("data-")) {
    throw new Error(`no such attribute: ${name}`);
  }
  element.setAttribute(name, text);
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/**
 * Put other children into an element. Whoever had the focus inside has it again afterwards, found by `data-key`.
 */
export function fill(element, ...children) {
  const active = element.contains(document.activeElement) ? document.activeElement : null;
  const key = active?.dataset?.key;
  element.replaceChildren();
  append(element, children);
  if (key !== undefined) {
    for (const candidate of element.querySelectorAll("[data-key]")) {
      if (candidate.dataset.key === key) {
        candidate.focus({ preventScroll: true });
        break;
      }
    }
  }
  return element;
}

let lastId = 0;

/** An id that no other element of the page has. */
export function freshId(stem) {
  lastId += 1;
  return `${stem}-${lastId}`;
}

/** A text for those alone who hear the page. */
export function heard(...children) {
  return h("span", { class: "heard" }, ...children);
}

/** An icon of the set in icons.js's style: 16 units wide, drawn in the colour of the text. */
export function icon(path) {
  return svg(
    "svg",
    { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: path, fill: "none", stroke: "currentColor", "stroke-width": "1.5", "stroke-linecap": "round", "stroke-linejoin": "round" }),
  );
}
