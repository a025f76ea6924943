"use strict";
// Before the first paint, so that a dark page does not flash.
try {
  const kept = localStorage.getItem("davidnet-theme");
  if (kept) document.documentElement.dataset.theme = kept;
} catch { /* no storage: the system's choice stays */ }
document.documentElement.classList.add("js");
