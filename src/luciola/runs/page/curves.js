// Curves over the run, as SVG: the whole batch from metrics.jsonl where it is there, and the traced
// answers. A line marks the step that is shown; a click goes to the traced step nearest to it.

const WIDTH = 330;
const HEIGHT = 170;
const EDGE = { left: 48, right: 10, top: 26, bottom: 26 };

const sumOf = (numbers) => numbers.filter(isNumber).reduce((total, number) => total + number, 0);
const meanOf = (numbers) => sumOf(numbers) / numbers.filter(isNumber).length;

// metric: the name of the whole batch's figure in metrics.jsonl.
const CURVES = [
  { title: "Score of an answer", metric: "score/mean", traced: (answer) => answer.score },
  { title: "KL of an answer, nats", metric: "objective/kl",
    traced: (answer) => (answer.kls?.length ? sumOf(answer.kls) : NaN) },
  { title: "Share of clipped tokens", metric: "policy/clip_fraction",
    traced: (answer) => (answer.clipped?.length ? meanOf(answer.clipped.map(Number)) : NaN) },
  { title: "Spread of the advantages", metric: "advantages/std",
    traced: (answer) => settingOf(answer, "advantage_std") ?? NaN },
];

function tracedPoints(steps, traced) {
  const points = steps.map(({ step, answers }) => [step, meanOf(answers.map(traced))]);
  return points.filter(([, value]) => isNumber(value));
}

/** Round numbers from just below the least to just above the largest value. */
function ticks(low, high, wanted = 4) {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / wanted));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= (span / wanted) * 0.999);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(Math.ceil(high / step - 1e-9), first + 1);
  return Array.from({ length: last - first + 1 }, (_, place) => Number(((first + place) * step).toPrecision(12)));
}

/** A chart of series {name, kind, points}; `choose` gets the step that was clicked. */
function chart(title, series, choose) {
  const points = series.flatMap((one) => one.points);
  const xs = points.map(([x]) => x);
  const ys = ticks(Math.min(...points.map(([, y]) => y)), Math.max(...points.map(([, y]) => y)));
  const [left, right] = [Math.min(...xs), Math.max(...xs, Math.min(...xs) + 1)];
  const x = (value) => EDGE.left + ((value - left) / (right - left)) * (WIDTH - EDGE.left - EDGE.right);
  const y = (value) => HEIGHT - EDGE.bottom - ((value - ys[0]) / (ys.at(-1) - ys[0])) * (HEIGHT - EDGE.top - EDGE.bottom);
  const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "chart", "aria-label": describe(title, series) });
  svg.append(draw("text", { x: 4, y: 14, class: "title" }, title));
  for (const tick of ys) {
    svg.append(draw("line", { x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y(tick), y2: y(tick), class: "grid" }));
    svg.append(draw("text", { x: EDGE.left - 6, y: y(tick) + 4, class: "number end" }, shown(tick)));
  }
  svg.append(draw("text", { x: EDGE.left, y: HEIGHT - 8, class: "number" }, `step ${shown(left)}`));
  svg.append(draw("text", { x: WIDTH - EDGE.right, y: HEIGHT - 8, class: "number end" }, shown(right)));
  for (const one of series) svg.append(...lineNodes(one, x, y));
  const cursor = draw("line", { y1: EDGE.top - 4, y2: HEIGHT - EDGE.bottom, class: "cursor" });
  svg.append(cursor);
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width) * WIDTH;
    choose(left + ((place - EDGE.left) / (WIDTH - EDGE.left - EDGE.right)) * (right - left));
  });
  const move = (step) => {
    const place = Math.max(EDGE.left, Math.min(WIDTH - EDGE.right, x(step)));
    cursor.setAttribute("x1", place);
    cursor.setAttribute("x2", place);
  };
  return { svg, move };
}

function lineNodes({ name, kind, points }, x, y) {
  const path = points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ");
  const nodes = [draw("polyline", { points: path, class: `line ${kind}` }, draw("title", {}, name))];
  if (kind === "batch" && points.length > 1) return nodes;
  const dots = points.length > 60 ? [] : points;
  return [...nodes, ...dots.map(([a, b]) => draw("circle", { cx: x(a), cy: y(b), r: 2.6, class: `dot ${kind}` },
    draw("title", {}, `${name}, step ${shown(a)}: ${shown(b)}`)))];
}

/** The chart in words. */
function describe(title, series) {
  const parts = series.map(({ name, points }) =>
    `${name} from ${shown(points[0][1])} at step ${shown(points[0][0])} to ${shown(points.at(-1)[1])} at step ${shown(points.at(-1)[0])}`);
  return `${title}: ${parts.join("; ")}`;
}

/** The charts that this run has figures for. */
function charts(steps, metrics, choose) {
  return CURVES.flatMap(({ title, metric, traced }) => {
    const series = [];
    if (metrics[metric]) series.push({ name: `whole batch (${metric})`, kind: "batch", points: metrics[metric] });
    const points = tracedPoints(steps, traced);
    if (points.length) series.push({ name: "traced answers", kind: "traced", points });
    return series.length ? [chart(title, series, choose)] : [];
  });
}
