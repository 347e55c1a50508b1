// Brings a part of a page to what the server says now, and leaves alone what is the same: whoever reads, selects, types
// or tabs there keeps their place.
const kept = (node, name) => (name === "open" && node.matches("details")) || (name === "hidden" && node.matches("button[data-copy]"));
const keyOf = (node) => node.id || node.dataset?.job || node.dataset?.key || "";

const attributes = (old, fresh) => {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !kept(old, name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !kept(old, name)) old.setAttribute(name, value);
  }
};

const children = (old, fresh) => {
  const wanted = new Set([...fresh.children].map(keyOf));
  for (const child of [...old.children]) if (keyOf(child) && !wanted.has(keyOf(child))) child.remove();
  const keyed = new Map([...old.children].filter(keyOf).map((child) => [keyOf(child), child]));
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const key = keyOf(next);
    const alike = at && !key && !keyOf(at) && at.nodeName === next.nodeName;
    const twin = key ? keyed.get(key) : alike ? at : null;
    if (twin === at && twin) at = at.nextSibling;
    else old.insertBefore(twin ?? next, at);
    if (twin) morph(twin, next);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
};

const morph = (old, fresh) => {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) { old.data = fresh.data; return; }
  attributes(old, fresh);
  children(old, fresh);
};

/** Make the element what the other one is, which belongs to another document. */
export const put = (old, fresh) => {
  const focused = document.activeElement;
  morph(old, document.importNode(fresh, true));
  // what was moved to another place has lost the focus on the way
  if (document.activeElement !== focused && old.contains(focused)) focused.focus({ preventScroll: true });
};

/** Say that the service does not answer, and what stands here meanwhile; nothing, once it does. */
export const away = (text) => {
  const said = document.getElementById("away");
  said.hidden = !text;
  if (said.textContent !== text) said.textContent = text;
};
