"use strict";
// The reader: columns, docstrings, differences, copies, places.

const visible = (element) => element.checkVisibility();

// --- Columns ---------------------------------------------------------------

function setUpColumns() {
  const boxes = $$(".columns input");
  if (!boxes.length) return;
  const tabs = $$(".tabs [role=tab]");

  function show(chosen) {
    showColumns(chosen);
    for (const box of boxes) {
      box.checked = chosen.includes(box.value);
      box.disabled = chosen.length === 1 && box.checked;  // one stays
    }
  }
  function open(framework) {
    root.dataset.tab = framework;
    for (const tab of tabs) {
      const on = tab.dataset.framework === framework;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
    }
  }
  // A line that is asked for is shown, in whichever column it stands.
  function reveal() {
    const framework = hashName().split("-")[0];
    if (!FRAMEWORKS.includes(framework)) return;
    open(framework);
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    if (!chosen.includes(framework)) show([...chosen, framework]);
  }
  const tab = readChoice().get("tab");
  show(wantedColumns());
  open(FRAMEWORKS.includes(tab) ? tab : wantedColumns()[0]);
  reveal();
  addEventListener("hashchange", reveal);
  middling.addEventListener("change", () => show(wantedColumns()));

  for (const box of boxes) {
    box.addEventListener("change", () => {
      const chosen = boxes.filter((b) => b.checked).map((b) => b.value);
      show(chosen);
      keep("show", chosen.join(","));
      keepChoice("show", chosen.join(","));
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

// --- Docstrings ------------------------------------------------------------

function setUpDocstrings() {
  const button = $("button.docs");
  if (!button) return;
  const toggle = () => {
    const open = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(open));
    for (const doc of $$("section .doc")) doc.open = open;
  };
  button.addEventListener("click", toggle);
  onKey("d", toggle);
}

// --- Differences -----------------------------------------------------------

// The first bands of each stretch of rows in which the shown columns differ.
function differences() {
  const stops = [];
  for (const trio of $$(".trio").filter(visible)) {
    const cells = $$(".cell", trio).filter(visible);
    const rows = new Map();
    for (const [column, cell] of cells.entries()) {
      for (const band of $$(".band", cell)) {
        const row = Number(band.dataset.row);
        if (!rows.has(row)) rows.set(row, []);
        rows.get(row)[column] = band;
      }
    }
    let before = -2;
    for (const row of [...rows.keys()].sort((a, b) => a - b)) {
      const bands = rows.get(row);
      const texts = cells.map((_, n) => (bands[n] ? code(bands[n]) : ""));
      if (new Set(texts).size === 1) continue;
      if (row !== before + 1) stops.push([]);
      stops.at(-1).push(...bands.filter(Boolean));
      before = row;
    }
  }
  return stops;
}

const code = (element) => $$("code", element).map((line) => line.textContent).join("\n").trimEnd();

function setUpDifferences() {
  if (!$("button.next")) return;
  let last = null;
  const go = (step) => {
    const stops = differences();
    if (!stops.length) return;
    const edge = $(".toolbar").getBoundingClientRect().bottom + 24;
    const place = (stop) => stop[0].getBoundingClientRect().top;
    // From the last one, unless the reader has scrolled away from it.
    let at = stops.findIndex((stop) => stop[0] === last);
    if (at < 0 || place(stops[at]) < 0 || place(stops[at]) > innerHeight) {
      at = step > 0 ? stops.findLastIndex((stop) => place(stop) < edge) : stops.findIndex((stop) => place(stop) >= edge);
    }
    const stop = stops.at((at + step + stops.length) % stops.length);
    $$(".here").forEach((band) => band.classList.remove("here"));
    stop.forEach((band) => band.classList.add("here"));
    last = stop[0];
    last.tabIndex = -1;
    last.focus({ preventScroll: true });
    scrollBy({ top: place(stop) - edge });
  };
  $("button.next").addEventListener("click", () => go(1));
  $("button.previous").addEventListener("click", () => go(-1));
  onKey("n", () => go(1));
  onKey("p", () => go(-1));
}

// --- Copies ----------------------------------------------------------------

function setUpCopies() {
  for (const button of $$("button.copy")) {
    button.addEventListener("click", async () => {
      const words = button.textContent;
      try {
        await navigator.clipboard.writeText(code(button.closest(".cell")) + "\n");
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(button.closest(".cell"));
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = words; }, 1500);
    });
  }
}

// --- Places in the page ----------------------------------------------------

const hashName = () => decodeURIComponent(location.hash.slice(1).split("?")[0]);

function openTarget() {
  const target = document.getElementById(hashName());
  if (!target) return;
  for (let e = target; e; e = e.parentElement) if (e.matches("details")) e.open = true;
  target.scrollIntoView({ block: target.matches(".l") ? "center" : "start" });
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

setUpColumns();
setUpDocstrings();
setUpDifferences();
setUpCopies();
openTarget();
addEventListener("hashchange", openTarget);
followSections();
