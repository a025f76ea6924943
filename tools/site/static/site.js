"use strict";
// Theme, choice of columns, notes. A page can be read without any of it.

const root = document.documentElement;
const $ = (selector, from = document) => from.querySelector(selector);
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

// --- The address -----------------------------------------------------------

// What was chosen: the query, or the part behind `?` in the hash where a
// browser does not let a page from disk change its query.
function readChoice() {
  const behind = location.hash.split("?")[1] || "";
  return new URLSearchParams(location.search || behind);
}

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
  const show = () => {
    button.setAttribute("aria-pressed", String(dark()));
    document.dispatchEvent(new Event("theme"));
  };
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("davidnet-theme", root.dataset.theme); } catch { /* not kept */ }
    show();
  });
  system.addEventListener("change", show);
  show();
}

// --- Columns ---------------------------------------------------------------

function setUpColumns() {
  const boxes = $$(".columns input");
  if (!boxes.length) return;
  const tabs = $$(".tabs [role=tab]");
  const names = boxes.map((box) => box.value);
  const query = readChoice();
  const wanted = (query.get("show") || "").split(",").filter((n) => names.includes(n));

  function show(chosen) {
    root.dataset.hide = names.filter((n) => !chosen.includes(n)).join(" ");
    root.style.setProperty("--n", chosen.length);
    for (const box of boxes) {
      box.checked = chosen.includes(box.value);
      box.disabled = chosen.length === 1 && box.checked;  // one stays
    }
  }
  function open(name) {
    root.dataset.tab = name;
    for (const tab of tabs) {
      const on = tab.dataset.framework === name;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
    }
  }
  show(wanted.length ? wanted : names);
  open(names.includes(query.get("tab")) ? query.get("tab") : wanted[0] || names[0]);

  for (const box of boxes) {
    box.addEventListener("change", () => {
      const chosen = boxes.filter((b) => b.checked).map((b) => b.value);
      show(chosen);
      keepChoice("show", chosen.length === names.length ? "" : chosen.join(","));
    });
  }
  tabs.forEach((tab, place) => {
    const choose = (one) => {
      open(one.dataset.framework);
      keepChoice("tab", one.dataset.framework);
    };
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = tabs.at(to % tabs.length);
      choose(next);
      next.focus();
    });
  });
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

// --- Places in the page ----------------------------------------------------

function openTarget() {
  const name = decodeURIComponent(location.hash.slice(1).split("?")[0]);
  const target = name && document.getElementById(name);
  if (!target) return;
  const folded = target.closest("details");
  if (folded && !folded.open) {
    folded.open = true;
    target.scrollIntoView();
  }
}

// Which section is being read.
function followSections() {
  const links = $$(".toolbar nav a");
  if (!links.length) return;
  const parts = links.map((link) => $(link.getAttribute("href")));
  const watch = new IntersectionObserver(() => {
    const place = parts.findLastIndex((part) => part.getBoundingClientRect().top < 160);
    links.forEach((link, i) => {
      if (i === Math.max(place, 0)) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  }, { rootMargin: "-150px 0px -50% 0px", threshold: [0, 0.01, 0.1, 0.5, 1] });
  parts.forEach((part) => watch.observe(part));
}

setUpTheme();
setUpColumns();
setUpNotes();
carryChoice();
openTarget();
addEventListener("hashchange", openTarget);
followSections();
