"use strict";
// What the charts of all pages share: colours, axes, bars, bands.

const plots = (() => {
  const dashes = ["solid", "dash", "dot", "dashdot"];
  const symbols = { tensorflow_eager: "circle", pytorch: "square", jax_flax: "triangle-up" };

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

  // A layout for bars that lie, the first one above.
  function flat(title, more = {}) {
    const form = layout(title, "", { margin: { l: 10, r: 14, t: 28, b: 44 }, ...more });
    form.yaxis = { ...form.yaxis, autorange: "reversed", showgrid: false, ticksuffix: "  " };
    form.xaxis.rangemode = "tozero";
    return form;
  }

  // Bars of {label, framework, mid, low, high, pale, words}.
  function bars(list, unit, digits, more = {}) {
    return {
      type: "bar", orientation: "h", y: list.map((b) => b.label), x: list.map((b) => b.mid), width: 0.6,
      marker: { color: list.map((b) => colour(b.framework, b.pale ? 0.6 : 0.95)) },
      error_x: {
        symmetric: false, color: colour("ink"), thickness: 1.3, width: 5,
        visible: list.some((b) => b.high > b.low),
        array: list.map((b) => b.high - b.mid), arrayminus: list.map((b) => b.mid - b.low),
      },
      text: list.map((b) => b.words || round(b.mid, digits)), textposition: "inside",
      insidetextanchor: "start", insidetextfont: { color: "#fff", size: 13 },
      hovertemplate: list.map((b) =>
        `<b>${b.label}</b><br>${round(b.mid, digits)} ${unit}` +
        (b.high > b.low ? `<br>${round(b.low, digits)} to ${round(b.high, digits)}` : "") +
        `${b.more || ""}<extra></extra>`),
      ...more,
    };
  }

  // The edges of a range, filled in between.
  function band(x, low, high, tone) {
    const edge = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip" };
    return [{ ...edge, y: low }, { ...edge, y: high, fill: "tonexty", fillcolor: colour(tone, 0.18) }];
  }

  const options = { responsive: true, displaylogo: false, displayModeBar: "hover", modeBarButtonsToRemove: ["sendChartToCloud", "lasso2d", "select2d", "autoScale2d"] };
  const draw = (name, traces, form) => Plotly.react("chart-" + name, traces, form, options);

  return { dashes, symbols, colour, round, layout, flat, bars, band, draw };
})();
