"use strict";
// Before the first paint, so that neither colors nor columns jump.

const root = document.documentElement;
const FRAMEWORKS = ["tensorflow_eager", "pytorch", "jax_flax"];
const middling = matchMedia("(min-width: 800px) and (max-width: 1499.98px)");
root.classList.add("js");

function kept(name) {
  try { return localStorage.getItem("davidnet-" + name); } catch { return null; }
}
function keep(name, value) {
  try { localStorage.setItem("davidnet-" + name, value); } catch { /* not kept */ }
}

// What was chosen: the query, or the part behind `?` in the hash where a
// browser does not let a page from disk change its query.
function readChoice() {
  const behind = location.hash.split("?")[1] || "";
  return new URLSearchParams(location.search || behind);
}

// The columns to show: those of the address, those chosen last, or as many as
// fit. Two are PyTorch, which most readers know, and one that they learn.
function wantedColumns() {
  for (const words of [readChoice().get("show"), kept("show")]) {
    const names = FRAMEWORKS.filter((n) => (words || "").split(",").includes(n));
    if (names.length) return names;
  }
  return middling.matches ? ["pytorch", "jax_flax"] : FRAMEWORKS;
}

function showColumns(names) {
  root.dataset.hide = FRAMEWORKS.filter((n) => !names.includes(n)).join(" ");
  root.style.setProperty("--n", names.length);
}

if (kept("theme")) root.dataset.theme = kept("theme");
showColumns(wantedColumns());
