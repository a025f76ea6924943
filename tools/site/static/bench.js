"use strict";
// The charts of the benchmark, drawn from the numbers in the page.

(() => {
  const { symbols, color, round, layout, bars, band, draw } = plots;
  const { scenes, scale, axes } = JSON.parse(document.getElementById("numbers").textContent);
  const boxes = [...document.querySelectorAll("#scenes input")];
  const percent = (ratio) => (ratio === null ? "" : ` · ${round(ratio, 0)} %`);

  function drawSteps(scene) {
    const list = scene.step.map((bar) => ({
      ...bar, pale: bar.strong ? 0 : 1, words: percent(bar.ratio),
      more: bar.ratio === null ? "" : `<br>${round(bar.ratio, 1)} % of the limit`,
    }));
    const [traces, form] = bars(list, "images/s", 0);
    if (scene.limit) {
      const x = scene.limit, line = { color: color("ink"), dash: "dash", width: 1.5 };
      form.shapes = [{ type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line }];
      form.annotations = [{ x, y: 0.5, yref: "paper", textangle: -90, xanchor: "left", showarrow: false, text: `limit ${round(x, 0)}` }];
      form.xaxis.range = [0, 1.12 * Math.max(x, ...list.map((bar) => bar.high))];
    }
    plots.fit("step", list);
    draw("step", traces, form);
  }

  // Several bars for each row, one of each kind that it has.
  function drawKinds(name, rows, kinds, more) {
    const list = rows.flatMap((row) => kinds.filter((kind) => row[kind]).map((kind, place) => ({
      ...row[kind], framework: row.framework, pale: place, gap: !place,
      label: `${row.label}: ${kind}`, more: more(row),
    })));
    plots.fit(name, list);
    draw(name, ...bars(list, "images/s", 0));
  }

  function drawScale(axis) {
    const traces = [];
    for (const [place, one] of scale[axis].entries()) {
      const tone = one.framework;
      traces.push(...band(one.x, one.low, one.high, tone));
      traces.push({
        x: one.x, y: one.mid, mode: "lines+markers", line: { color: color(tone), width: 2.2 },
        marker: { symbol: symbols[tone], size: 8, color: color(tone) },
        text: one.x.map((x, i) =>
          `<b>${one.label}</b><br>${axes[axis].split(",")[0]} ${x}; ${one.fixed}<br>` +
          `${round(one.mid[i], 3)} ms an image, ${round(one.speed[i], 0)} images/s`),
        hovertemplate: "%{text}<extra></extra>", name: String(place),
      });
    }
    const ticks = [...new Set(scale[axis].flatMap((one) => one.x))].sort((a, b) => a - b);
    const form = layout(axes[axis], "milliseconds an image");
    form.xaxis = { ...form.xaxis, type: "log", tickmode: "array", tickvals: ticks, ticktext: ticks.map(String) };
    const costs = [-2, -1, 0, 1, 2, 3].flatMap((power) => [1, 2, 5].map((digit) => +(digit * 10 ** power).toPrecision(1)));
    form.yaxis = { ...form.yaxis, type: "log", tickmode: "array", tickvals: costs, ticktext: costs.map(String) };
    draw(axis, traces, form);
  }

  function show() {
    const chosen = boxes.find((box) => box.checked);
    if (chosen) showScene(scenes.find((one) => one.key === chosen.value));
    for (const axis of Object.keys(axes)) if (scale[axis].length) drawScale(axis);
  }

  function showScene(scene) {
    for (const part of document.querySelectorAll("[data-needs]")) {
      part.hidden = !scene[part.dataset.needs].length;
    }
    if (scene.step.length) drawSteps(scene);
    if (scene.pairs.length) {
      drawKinds("epoch", scene.pairs, ["step", "epoch"],
        (row) => `<br>an epoch's image takes ${round(row.cost, 1)} % longer`);
    }
    if (scene.keras.length) {
      drawKinds("keras", scene.keras, ["step", "epoch", "Keras fit"],
        (row) => (row.factor ? `<br>our epoch is ${row.factor} times as fast as fit` : ""));
    }
  }

  const wanted = readChoice().get("scene");
  for (const box of boxes) {
    box.checked = scenes.some((one) => one.key === wanted) ? box.value === wanted : box.checked;
    box.addEventListener("change", () => {
      keepChoice("scene", box.value);
      show();
    });
  }
  show();
  document.addEventListener("theme", show);
})();
