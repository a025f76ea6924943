"use strict";
// What the charts of all pages share: colors, axes, bars, bands.

const plots = (() => {
  const dashes = ["solid", "dash", "dot", "dashdot"];
  const symbols = { tensorflow_eager: "circle", pytorch: "square", jax_flax: "triangle-up" };

  // A color of the style sheet, as the browser resolves it now.
  const probe = document.body.appendChild(document.createElement("i"));
  probe.hidden = true;
  function color(name, alpha = 1) {
    probe.style.color = `var(--${name})`;
    const rgb = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).join(",");
    return `rgba(${rgb},${alpha})`;
  }

  const round = (value, digits) => value.toLocaleString("en", { maximumFractionDigits: digits });

  function layout(x, y, more = {}) {
    const axis = (title) => ({
      title: { text: title, standoff: 8, font: { size: 13 } }, automargin: true, gridcolor: color("line"),
      zeroline: false, linecolor: color("line"), ticks: "",
    });
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: color("ink") },
      margin: { l: 56, r: 14, t: 30, b: 48 }, showlegend: false, hovermode: "closest",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: color("quiet", 0.55), activecolor: color("ink") },
      hoverlabel: { bgcolor: color("paper"), bordercolor: color("line"), font: { color: color("ink"), size: 13 }, align: "left" },
      xaxis: axis(x), yaxis: axis(y), ...more,
    };
  }

  // Bars that lie, the first one above: {label, framework, mid, low, high,
  // pale, words, more, gap}. The numbers stand in the labels, where they are
  // readable however short a bar is.
  function bars(list, unit, digits) {
    let place = 0;
    const y = list.map((bar, i) => (place += i && bar.gap ? 1.5 : 1));
    const range = (bar) => (bar.high > bar.low ? `<br>${round(bar.low, digits)} to ${round(bar.high, digits)}` : "");
    const form = layout(unit, "", { margin: { l: 10, r: 14, t: 28, b: 44 } });
    form.yaxis = {
      ...form.yaxis, range: [place + 0.6, 0.4], showgrid: false, tickvals: y,
      ticktext: list.map((bar) => `${bar.label}  <br><b>${round(bar.mid, digits)}</b>${bar.words || ""}  `),
    };
    form.xaxis = { ...form.xaxis, rangemode: "tozero", tickangle: 0, nticks: 6 };
    const trace = {
      type: "bar", orientation: "h", y, x: list.map((bar) => bar.mid), width: 0.66,
      marker: { color: list.map((bar) => color(bar.framework, 0.95 - 0.3 * (bar.pale || 0))) },
      error_x: {
        symmetric: false, color: color("ink"), thickness: 1.3, width: 5,
        visible: list.some((bar) => bar.high > bar.low),
        array: list.map((bar) => bar.high - bar.mid), arrayminus: list.map((bar) => bar.mid - bar.low),
      },
      hovertemplate: list.map((bar) =>
        `<b>${bar.label}</b><br>${round(bar.mid, digits)} ${unit}${range(bar)}${bar.more || ""}<extra></extra>`),
    };
    return [[trace], form];
  }

  // The height in pixels that so many bars need.
  function fit(name, list) {
    document.getElementById("chart-" + name).style.height = `${84 + 38 * list.length}px`;
  }

  // The edges of a range, filled in between.
  function band(x, low, high, tone) {
    const edge = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip" };
    return [{ ...edge, y: low }, { ...edge, y: high, fill: "tonexty", fillcolor: color(tone, 0.18) }];
  }

  const options = { responsive: true, displaylogo: false, displayModeBar: "hover", modeBarButtonsToRemove: ["sendChartToCloud", "lasso2d", "select2d", "autoScale2d"] };
  const draw = (name, traces, form) => Plotly.react("chart-" + name, traces, form, options);

  return { dashes, symbols, color, round, layout, bars, band, fit, draw };
})();
