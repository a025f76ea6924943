"use strict";
// The charts of the report, drawn by Plotly from the numbers in the page.

(() => {
  const numbers = JSON.parse(document.getElementById("numbers").textContent);
  const keys = Object.keys(numbers);
  if (!keys.length) return;
  const { dashes, symbols, color, round, layout, bars, band } = plots;
  const hidden = new Set();
  let current = keys.includes(readChoice().get("experiment")) ? readChoice().get("experiment") : keys[0];

  // A line with its markers and, of several runs, the band of their range.
  function lines(group, part, x, unit, dash, name = "") {
    const data = group[part], tone = group.framework, found = [];
    if (group.runs > 1) found.push(...band(data[x], data.low, data.high, tone));
    const text = data.mid.map((mid, i) => {
      const digits = unit === "%" ? 2 : 4, n = data.runs[i];
      const range = n > 1 ? `<br>${round(data.low[i], digits)} to ${round(data.high[i], digits)} in ${n} runs` : "";
      return `<b>${group.label}</b>${name}<br>epoch ${data.epoch[i]}, ${round(data.seconds[i], 1)} s<br>` +
        `${round(mid, digits)} ${unit}${range}`;
    });
    found.push({
      x: data[x], y: data.mid, mode: "lines+markers", text, hovertemplate: "%{text}<extra></extra>",
      line: { color: color(tone), dash: dash || dashes[group.variant % 4], width: 2.2 },
      marker: { symbol: symbols[tone], size: dash ? 5 : 8, color: color(tone) },
    });
    return found;
  }

  function rates(experiment, groups) {
    const traces = [{
      x: experiment.schedule.epoch, y: experiment.schedule.rate, mode: "lines",
      line: { color: color("quiet"), width: 1.6 }, hovertemplate: "schedule<br>epoch %{x:.2f}: %{y:.4f}<extra></extra>",
    }];
    groups.forEach((group, i) => traces.push({
      x: group.lr.map((p) => p[0]), y: group.lr.map((p) => p[1]), mode: "markers", cliponaxis: false,
      marker: { symbol: symbols[group.framework] + "-open", size: 17 - 4 * (i % 4), color: color(group.framework), line: { width: 2 } },
      hovertemplate: `<b>${group.label}</b><br>epoch %{x:.2f}: %{y:.4f}<extra></extra>`,
    }));
    return traces;
  }

  const speeds = (groups, part) => groups.map((group) => (
    { ...group.speeds[part], label: group.label, framework: group.framework, pale: Math.min(group.variant, 2) }));

  function draw() {
    const experiment = numbers[current];
    const groups = experiment.groups.filter((group) => !hidden.has(group.label));
    const steps = experiment.epochs <= 12 ? { dtick: 1 } : {};
    const overEpochs = (title, more = {}) => {
      const form = layout("epoch", title);
      form.xaxis = { ...form.xaxis, ...steps };
      form.yaxis = { ...form.yaxis, ...more };
      return form;
    };
    const overSeconds = layout("training seconds", "test accuracy, %");
    overSeconds.xaxis.rangemode = "tozero";
    const each = (...words) => groups.flatMap((group) => lines(group, ...words));
    const all = {
      seconds: [each("accuracy", "seconds", "%"), overSeconds],
      epochs: [each("accuracy", "epoch", "%"), overEpochs("test accuracy, %")],
      loss: [
        [...each("train_loss", "epoch", "", "dot", ", training"), ...each("test_loss", "epoch", "", "", ", test")],
        overEpochs("mean loss of an image"),
      ],
      lr: [rates(experiment, groups), overEpochs("rate for the mean loss", { rangemode: "tozero" })],
      speed: bars(speeds(groups, "images"), "images/s", 0),
      compile: bars(speeds(groups, "compile"), "seconds", 1),
    };
    for (const name of ["speed", "compile"]) plots.fit(name, groups);
    for (const [name, [traces, form]] of Object.entries(all)) plots.draw(name, traces, form);
    for (const part of document.querySelectorAll(".of-experiment")) {
      part.hidden = part.dataset.experiment !== current;
    }
  }

  function listCurves() {
    const field = document.getElementById("curves");
    for (const old of field.querySelectorAll("label")) old.remove();
    hidden.clear();
    for (const group of numbers[current].groups) {
      const label = field.appendChild(document.createElement("label"));
      const box = label.appendChild(document.createElement("input"));
      box.type = "checkbox";
      box.checked = true;
      box.value = group.label;
      const dot = label.appendChild(document.createElement("span"));
      dot.className = `dot ${group.framework}`;
      label.append(" " + group.label);
      if (group.runs > 1) {
        label.appendChild(document.createElement("small")).textContent = ` ${group.runs} runs`;
      }
      box.addEventListener("change", () => {
        if (box.checked) hidden.delete(group.label);
        else hidden.add(group.label);
        draw();
      });
    }
  }

  for (const box of document.querySelectorAll("#experiments input")) {
    box.checked = box.value === current;
    box.addEventListener("change", () => {
      current = box.value;
      keepChoice("experiment", current);
      listCurves();
      draw();
    });
  }
  listCurves();
  draw();
  document.addEventListener("theme", draw);
})();
