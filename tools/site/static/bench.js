"use strict";
// The charts of the benchmark, drawn from the numbers in the page.

(() => {
  const { symbols, colour, round, layout, flat, bars, band, draw } = plots;
  const { scenes, scale, axes } = JSON.parse(document.getElementById("numbers").textContent);
  const boxes = [...document.querySelectorAll("#scenes input")];
  const percent = (ratio) => (ratio === null ? "" : ` · ${round(ratio, 0)} %`);

  // The height that so many bars need.
  function fit(name, count) {
    document.getElementById("chart-" + name).style.height = `${100 + 34 * count}px`;
  }

  function drawSteps(scene) {
    const list = scene.step.map((bar) => ({
      ...bar, pale: !bar.strong, words: round(bar.mid, 0) + percent(bar.ratio),
      more: bar.ratio === null ? "" : `<br>${round(bar.ratio, 1)} % of the limit`,
    }));
    const form = flat("images per second");
    if (scene.limit) {
      form.shapes = [{ type: "line", x0: scene.limit, x1: scene.limit, y0: 0, y1: 1, yref: "paper", line: { color: colour("ink"), dash: "dash", width: 1.5 } }];
      form.annotations = [{ x: scene.limit, y: 1, yref: "paper", yanchor: "bottom", xanchor: "right", showarrow: false, text: `limit ${round(scene.limit, 0)}` }];
      form.xaxis.range = [0, 1.03 * Math.max(scene.limit, ...list.map((bar) => bar.high))];
    }
    fit("step", list.length);
    draw("step", [bars(list, "images/s", 0)], form);
  }

  // Two or three bars for each label: what they are stands in them.
  function drawGrouped(name, rows, kinds, more) {
    const given = kinds.filter(([key]) => rows.some((row) => row[key]));
    const traces = given.map(([key, words], place) => {
      const list = rows.filter((row) => row[key]).map((row) => ({
        ...row[key], label: row.label, framework: row.framework,
        words: `${words} ${round(row[key].mid, 0)}`, more: `<br>${words}${more(row, key)}`,
      }));
      const trace = bars(list, "images/s", 0, { width: undefined, name: words });
      trace.marker.color = list.map((bar) => colour(bar.framework, [0.95, 0.72, 0.5][place]));
      if (place === 2) trace.insidetextfont = { color: colour("ink"), size: 13 };
      return trace;
    });
    fit(name, given.length * rows.length);
    draw(name, traces, flat("images per second", { barmode: "group", bargap: 0.25 }));
  }

  function drawScale(axis) {
    const traces = [];
    for (const [place, one] of scale[axis].entries()) {
      const tone = one.framework;
      traces.push(...band(one.x, one.low, one.high, tone));
      traces.push({
        x: one.x, y: one.mid, mode: "lines+markers", line: { color: colour(tone), width: 2.2 },
        marker: { symbol: symbols[tone], size: 8, color: colour(tone) },
        text: one.x.map((x, i) =>
          `<b>${one.label}</b><br>${axes[axis].split(",")[0]} ${x}; ${one.fixed}<br>` +
          `${round(one.mid[i], 3)} ms an image, ${round(one.speed[i], 0)} images/s`),
        hovertemplate: "%{text}<extra></extra>", name: String(place),
      });
    }
    const ticks = [...new Set(scale[axis].flatMap((one) => one.x))].sort((a, b) => a - b);
    const form = layout(axes[axis], "milliseconds an image");
    form.xaxis = { ...form.xaxis, type: "log", tickmode: "array", tickvals: ticks, ticktext: ticks.map(String) };
    form.yaxis = { ...form.yaxis, type: "log", dtick: "D2" };
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
      drawGrouped("epoch", scene.pairs, [["step", "step"], ["epoch", "epoch"]],
        (row) => `<br>an epoch's image takes ${round(row.cost, 1)} % more`);
    }
    if (scene.keras.length) {
      drawGrouped("keras", scene.keras, [["step", "step"], ["epoch", "epoch"], ["fit", "Keras fit"]],
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
