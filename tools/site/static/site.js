"use strict";
// All pages: the address, theme, notes, search. A page can be read without it.

const $ = (selector, from = document) => from.querySelector(selector);
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

// --- The address -----------------------------------------------------------

function keepChoice(name, value) {
  const query = readChoice();
  if (value) query.set(name, value);
  else query.delete(name);
  const words = query.toString().replaceAll("%2C", ",");
  const hash = location.hash.split("?")[0];
  try {
    history.replaceState(null, "", location.pathname + (words && "?" + words) + hash);
  } catch {
    location.replace((hash || "#") + (words && "?" + words));
  }
  carryChoice(words);
}

// Links to other pages with columns take the choice of columns along.
function carryChoice(words = location.search.slice(1)) {
  const all = new URLSearchParams(words);
  const kept = ["show", "tab"].filter((n) => all.has(n)).map((n) => `${n}=${all.get(n)}`);
  for (const link of $$("a[href]")) {
    const found = /^((?:\.\.\/)?(?:read-\w+|index)\.html)(?:\?[^#]*)?(#.*)?$/.exec(
      link.getAttribute("href"));
    if (found) {
      link.setAttribute("href", found[1] + (kept.length ? "?" + kept.join("&") : "") + (found[2] || ""));
    }
  }
}

// --- Theme -----------------------------------------------------------------

function setUpTheme() {
  const button = $("button.theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => button.setAttribute("aria-pressed", String(dark()));
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    keep("theme", root.dataset.theme);
    show();
  });
  system.addEventListener("change", show);
  show();
}

// --- Notes -----------------------------------------------------------------

function setUpNotes() {
  const note = $("#note");
  if (!note) return;
  for (const mark of $$("a.mark")) {
    mark.setAttribute("aria-haspopup", "dialog");
    mark.addEventListener("click", (event) => {
      const text = $("#note-" + mark.dataset.slug);
      if (!text || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      $("#note-title").textContent = mark.dataset.slug;
      $(".body", note).replaceChildren(text.content.cloneNode(true));
      note.showModal();
      note.scrollTop = 0;
    });
  }
  $(".close", note).addEventListener("click", () => note.close());
  // A click beside the note closes it.
  note.addEventListener("click", (event) => { if (event.target === note) note.close(); });
}

// --- Search ----------------------------------------------------------------

function setUpSearch() {
  const box = $("#search"), input = $("input", box), list = $("ol", box);
  const open = () => {
    if (!window.SEARCH) {
      const script = document.createElement("script");
      script.src = box.dataset.up + "static/index.js";
      script.addEventListener("load", search);
      document.head.append(script);
    }
    box.showModal();
    input.select();
  };
  function search() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = words.length && window.SEARCH
      ? window.SEARCH.filter((row) => words.every((w) => (row[1] + " " + row[2]).toLowerCase().includes(w)))
      : [];
    // Definitions and headings first, then what uses them.
    const rank = (row) => (/^(def|class) /.test(row[2]) ? 0 : row[0].startsWith("read-") ? 2 : 1);
    found.sort((a, b) => rank(a) - rank(b));
    list.replaceChildren(...found.slice(0, 60).map(([address, where, text]) => {
      const item = document.createElement("li"), link = document.createElement("a");
      const code = document.createElement("code"), small = document.createElement("small");
      link.href = box.dataset.up + address;
      code.textContent = text;
      small.textContent = where;
      link.append(code, small);
      link.addEventListener("click", () => box.close());
      item.append(link);
      return item;
    }));
    if (words.length && window.SEARCH && !found.length) list.textContent = "Nothing found.";
    carryChoice();
  }
  $("button.find").addEventListener("click", open);
  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") $("a", list)?.click();
    if (event.key === "Escape") box.close();  // which would first clear the field
  });
  box.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const stops = [input, ...$$("a", list)];
    stops.at((stops.indexOf(document.activeElement) + step) % stops.length).focus();
  });
  box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
  onKey("/", open);
}

function onKey(key, action) {
  addEventListener("keydown", (event) => {
    const busy = event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")
      || event.target.matches("input:not([type=checkbox]), textarea, select");
    if (event.key !== key || busy) return;
    event.preventDefault();
    action();
  });
}

setUpTheme();
setUpNotes();
setUpSearch();
carryChoice();
