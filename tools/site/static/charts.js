"use strict";
// The charts of the report, drawn by Plotly from the numbers in the page.

(() => {
  const numbers = JSON.parse(document.getElementById("numbers").textContent);
  const keys = Object.keys(numbers);
  if (!keys.length) return;
  const dashes = ["solid", "dash", "dot", "dashdot"];
  const symbols = { tensorflow_eager: "circle", pytorch: "square", jax_flax: "triangle-up" };
  const hidden = new Set();
  let current = keys.includes(readChoice().get("experiment")) ? readChoice().get("experiment") : keys[0];

  // A colour of the style sheet, as the browser resolves it now.
  const probe = document.body.appendChild(document.createElement("i"));
  probe.hidden = true;
  function colour(name, alpha = 1) {
    probe.style.color = `var(--${name})`;
    const rgb = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).join(",");
    return `rgba(${rgb},${alpha})`;
  }

  const round = (value, digits) => value.toLocaleString("en", { maximumFractionDigits: digits });

  function layout(x, y, more = {}) {
    const axis = (title) => ({
      title: { text: title, standoff: 8, font: { size: 13 } }, automargin: true, gridcolor: colour("line"),
      zeroline: false, linecolor: colour("line"), ticks: "",
    });
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("ink") },
      margin: { l: 56, r: 14, t: 30, b: 48 }, showlegend: false, hovermode: "closest",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("quiet", 0.55), activecolor: colour("ink") },
      hoverlabel: { bgcolor: colour("paper"), bordercolor: colour("line"), font: { color: colour("ink"), size: 13 }, align: "left" },
      xaxis: axis(x), yaxis: axis(y), ...more,
    };
  }

  // A line with its markers and, of several runs, the band of their range.
  function lines(group, part, x, unit, dash, name = "") {
    const data = group[part], tone = group.framework, found = [];
    if (group.runs > 1) {
      const edge = { x: data[x], mode: "lines", line: { width: 0 }, hoverinfo: "skip" };
      found.push({ ...edge, y: data.low });
      found.push({ ...edge, y: data.high, fill: "tonexty", fillcolor: colour(tone, 0.18) });
    }
    const text = data.mid.map((mid, i) => {
      const digits = unit === "%" ? 2 : 4, n = data.runs[i];
      const range = n > 1 ? `<br>${round(data.low[i], digits)} to ${round(data.high[i], digits)} in ${n} runs` : "";
      return `<b>${group.label}</b>${name}<br>epoch ${data.epoch[i]}, ${round(data.seconds[i], 1)} s<br>` +
        `${round(mid, digits)} ${unit}${range}`;
    });
    found.push({
      x: data[x], y: data.mid, mode: "lines+markers", text, hovertemplate: "%{text}<extra></extra>",
      line: { color: colour(tone), dash: dash || dashes[group.variant % 4], width: 2.2 },
      marker: { symbol: symbols[tone], size: dash ? 5 : 8, color: colour(tone) },
    });
    return found;
  }

  function rates(experiment, groups) {
    const traces = [{
      x: experiment.schedule.epoch, y: experiment.schedule.rate, mode: "lines",
      line: { color: colour("quiet"), width: 1.6 }, hovertemplate: "schedule<br>epoch %{x:.2f}: %{y:.4f}<extra></extra>",
    }];
    groups.forEach((group, i) => traces.push({
      x: group.lr.map((p) => p[0]), y: group.lr.map((p) => p[1]), mode: "markers", cliponaxis: false,
      marker: { symbol: symbols[group.framework] + "-open", size: 17 - 4 * (i % 4), color: colour(group.framework), line: { width: 2 } },
      hovertemplate: `<b>${group.label}</b><br>epoch %{x:.2f}: %{y:.4f}<extra></extra>`,
    }));
    return traces;
  }

  function bars(groups, part, unit) {
    return [{
      type: "bar", orientation: "h", y: groups.map((g) => g.label), x: groups.map((g) => g.speeds[part].mid), width: 0.6,
      marker: { color: groups.map((g) => colour(g.framework, g.variant ? 0.6 : 0.95)) },
      error_x: {
        symmetric: false, color: colour("ink"), thickness: 1.3, width: 5,
        visible: groups.some((g) => g.speeds[part].high > g.speeds[part].low),
        array: groups.map((g) => g.speeds[part].high - g.speeds[part].mid),
        arrayminus: groups.map((g) => g.speeds[part].mid - g.speeds[part].low),
      },
      text: groups.map((g) => round(g.speeds[part].mid, part === "images" ? 0 : 1)), textposition: "inside",
      insidetextanchor: "start", insidetextfont: { color: "#fff", size: 13 },
      hovertemplate: `<b>%{y}</b><br>%{x:,.1f} ${unit}<extra></extra>`,
    }];
  }

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
    const flat = layout("", "", { margin: { l: 10, r: 14, t: 28, b: 44 } });
    flat.yaxis = { ...flat.yaxis, autorange: "reversed", showgrid: false, automargin: true, ticksuffix: "  " };
    const bar = (title) => ({ ...flat, xaxis: { ...flat.xaxis, title: { text: title } } });
    const plots = {
      seconds: [each("accuracy", "seconds", "%"), overSeconds],
      epochs: [each("accuracy", "epoch", "%"), overEpochs("test accuracy, %")],
      loss: [
        [...each("train_loss", "epoch", "", "dot", ", training"), ...each("test_loss", "epoch", "", "", ", test")],
        overEpochs("mean loss of an image"),
      ],
      lr: [rates(experiment, groups), overEpochs("rate for the mean loss", { rangemode: "tozero" })],
      speed: [bars(groups, "images", "images/s"), bar("images per second")],
      compile: [bars(groups, "compile", "s"), bar("seconds")],
    };
    const options = { responsive: true, displaylogo: false, displayModeBar: "hover", modeBarButtonsToRemove: ["sendChartToCloud", "lasso2d", "select2d", "autoScale2d"] };
    for (const [name, [traces, form]] of Object.entries(plots)) {
      Plotly.react("chart-" + name, traces, form, options);
    }
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
