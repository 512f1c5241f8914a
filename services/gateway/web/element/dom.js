// Building elements. Texts become text nodes, never markup: nothing a document says is interpreted as HTML.

/**
 * An element: `el("p.hint.late", {lang: "de", on: {click}}, "text", node)`.
 *
 * `on` holds event handlers, everything else is an attribute; null, undefined and false leave one out.
 */
export function el(name, { on = {}, ...attributes } = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) setAttribute(element, key, value);
  for (const [event, handler] of Object.entries(on)) element.addEventListener(event, handler);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Sets an attribute, or takes it away for null, undefined and false; true is the empty attribute. */
export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** Changes a text only when it is another one, so that live regions and selections stay quiet. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Makes `parent` hold exactly `wanted` in this order, moving as little as possible (focus and animations stay). */
export function arrange(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const element of wanted) {
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
}

/** A function that runs at once, and then at most every `ms` with the newest value, until the signal aborts. */
export function paced(ms, signal, run) {
  let timer = null;
  let waiting = [];
  const call = (value) => {
    waiting = [value];
    if (timer === null) next();
  };
  const next = () => {
    timer = null;
    if (waiting.length === 0 || signal.aborted) return;
    timer = setTimeout(next, ms);
    run(waiting.pop());
  };
  return call;
}
