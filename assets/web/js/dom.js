// Making and updating elements. Data becomes text and attributes, never markup: nothing here parses HTML.
"use strict";
window.BT = { pages: {} };

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  // Everything a page may set. No event handler, no style, no address: what is not in the list is a mistake of ours.
  const ALLOWED = /^(class|id|role|type|name|value|max|min|for|title|lang|dir|tabindex|scope|placeholder|autocomplete|spellcheck|maxlength|disabled|checked|selected|required|readonly|open|hidden|href|datetime|aria-[a-z]+|data-[a-z]+)$/;

  // el("p", {class: "sub"}, "text", otherElement, [more])
  BT.el = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (!ALLOWED.test(name) || (name === "href" && !String(value).startsWith("#"))) throw new Error(`attribute ${name} is not allowed`);
      if (value === null || value === undefined || value === false) continue;
      element.setAttribute(name, value === true ? "" : String(value));
    }
    BT.put(element, children);
    return element;
  };

  BT.put = (element, children) => {
    for (const child of children.flat(Infinity)) {
      if (child === null || child === undefined || child === false || child === "") continue;
      element.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
  };

  BT.icon = (name, kind) => {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", kind ? `icon ${kind}` : "icon");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", `#i-${name}`);
    svg.append(use);
    return svg;
  };

  // Make `live` look like `fresh`, touching only what differs: focus, selection, scrolling and what was typed stay.
  BT.morph = (live, fresh) => {
    if (!same(live, fresh)) return void live.replaceWith(fresh);
    if (live.nodeType !== Node.ELEMENT_NODE) {
      if (live.data !== fresh.data) live.data = fresh.data;
      return;
    }
    for (const { name } of [...live.attributes]) if (!fresh.hasAttribute(name) && name !== "open") live.removeAttribute(name);
    for (const { name, value } of [...fresh.attributes]) if (live.getAttribute(name) !== value) live.setAttribute(name, value);
    if (live.hasAttribute("data-own")) return; // its page fills it by itself
    const wanted = [...fresh.childNodes];
    wanted.forEach((child, index) => {
      const key = keyOf(child);
      let present = live.childNodes[index] || null;
      if (keyOf(present) !== key) {
        const kept = key && [...live.childNodes].slice(index).find((other) => keyOf(other) === key);
        live.insertBefore(kept || child, present);
        if (!kept) return;
        present = kept;
      }
      if (present) BT.morph(present, child);
      else live.append(child);
    });
    while (live.childNodes.length > wanted.length) live.lastChild.remove();
  };

  const keyOf = (node) => (node && node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null);
  const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);
})();
