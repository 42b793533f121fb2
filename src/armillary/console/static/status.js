// Curves that can be read point by point, in the place of those that the page was drawn with; asked for anew each minute.

const MINUTE_MS = 60000;
const section = document.querySelector("[data-hours]");
const plots = section ? [...section.querySelectorAll(".plot")] : [];
let drawn = [];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const COLOURS = ["--blue", "--orange", "--red", "--green", "--purple", "--sky"];
const DASHES = [[], [7, 3], [2, 3], [10, 3, 2, 3], [], []];
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

function size(bytes) {
  let unit = 0;
  while (bytes >= 1000 && unit < UNITS.length - 1) { bytes /= 1000; unit += 1; }
  return `${Number(bytes.toPrecision(3))} ${UNITS[unit]}`;
}

function span(seconds) {
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
  if (seconds < 3600) return `${Number((seconds / 60).toPrecision(3))} min`;
  return seconds < 86400 ? `${Number((seconds / 3600).toPrecision(3))} h` : `${Number((seconds / 86400).toPrecision(3))} d`;
}

function words(unit) {
  const said = { size, span }[unit] || ((value) => String(Number(value.toPrecision(4))));
  return (value) => (value === null || value === undefined ? "–" : said(value));
}

// Where samples are missing the line is interrupted: a point without values stands there.
function interrupted(told) {
  const at = [], places = [];
  told.at.forEach((moment, place) => {
    if (place && moment - told.at[place - 1] > 2.5 * told.step_s) { at.push(moment - told.step_s); places.push(null); }
    at.push(moment);
    places.push(place);
  });
  return { at, of: (values) => places.map((place) => (place === null ? null : values[place])) };
}

function options(chart, told, width, height) {
  const say = words(chart.unit);
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return {
    width, height, tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    legend: { show: true, live: true }, cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    scales: { x: { range: [told.begin, told.end] }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: [
      { ...axis, space: 70, size: 26, values: [[86400, "{MM}-{DD}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", null, null, null, null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]] },
      { ...axis, size: 62, values: (_, ticks) => ticks.map(say) },
    ],
    series: [
      { label: "UTC", value: "{YYYY}-{MM}-{DD} {HH}:{mm}" },
      ...chart.lines.map((line, place) => ({ label: line.name, stroke: colour(COLOURS[place % 6]), dash: DASHES[place % 6], width: 1.6, value: (_, value) => say(value), points: { size: 4 } })),
    ],
  };
}

async function draw() {
  if (document.hidden) return;
  const answer = await fetch(`/status/curves?hours=${section.dataset.hours}`, { headers: { Accept: "application/json" } });
  if (!answer.ok) return;
  const told = await answer.json();
  const points = interrupted(told);
  drawn.forEach((one) => one.destroy());
  drawn = plots.map((plot, place) => {
    const chart = told.charts[place];
    plot.replaceChildren();
    plot.classList.add("alive");
    return new uPlot(options(chart, told, plot.clientWidth, 150), [points.at, ...chart.lines.map((line) => points.of(line.values))], plot);
  });
}

if (plots.length) {
  const again = () => draw().catch(() => {});
  addEventListener("resize", () => drawn.forEach((one, place) => one.setSize({ width: plots[place].clientWidth, height: 150 })));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  // The library is there once everything that was deferred has run.
  again();
  setInterval(again, MINUTE_MS);
}
