// The page itself: what is chosen (step, prompt, token, colour), in the address too, and redrawing.

const DATA = JSON.parse(byId("data").textContent);
const STEPS = stepsOf(DATA.answers);
const PROMPTS = [...new Set(DATA.answers.map((answer) => answer.prompt_index))];
const NAMES = Object.keys(COLUMNS).filter((name) => DATA.answers.some((answer) => answer[name]?.length));
const SCALES = Object.fromEntries(NAMES.map((name) => [name, scaleOf(DATA.answers, name)]));
const chosen = { place: STEPS.length - 1, prompt: PROMPTS[0], token: 0, colour: NAMES[0] };
let pinned = 0;
let drawn = [];

/** The traced iterations in order: {iteration, step, answers}. */
function stepsOf(answers) {
  const steps = new Map();
  for (const answer of answers) {
    const { iteration, step } = answer;
    if (!steps.has(iteration)) steps.set(iteration, { iteration, step, answers: [] });
    steps.get(iteration).answers.push({ ...answer, score: answer.score ?? NaN });
  }
  return [...steps.values()];
}

/** The answer that is shown; nothing where this step has none for the prompt. */
function current() {
  return STEPS[chosen.place].answers.find((answer) => answer.prompt_index === chosen.prompt);
}

function nearest(step) {
  const distances = STEPS.map((one) => Math.abs(one.step - step));
  return distances.indexOf(Math.min(...distances));
}

function readAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const number = (name) => Number.parseInt(wanted.get(name), 10);
  if (isNumber(number("step"))) chosen.place = nearest(number("step"));
  if (PROMPTS.includes(number("prompt"))) chosen.prompt = number("prompt");
  if (NAMES.includes(wanted.get("colour"))) chosen.colour = wanted.get("colour");
  if (isNumber(number("token"))) pinned = number("token");
}

function writeAddress() {
  const { prompt, colour } = chosen;
  const step = STEPS[chosen.place].step;
  history.replaceState(null, "", `#${new URLSearchParams({ step, prompt, token: pinned, colour })}`);
}

function drawAnswer() {
  const answer = current();
  const { iteration, step } = STEPS[chosen.place];
  byId("step").value = chosen.place;
  byId("step").setAttribute("aria-valuetext", `step ${step}, iteration ${iteration}`);
  byId("step-shown").textContent = `${step} (iteration ${iteration}, ${chosen.place + 1} of ${STEPS.length})`;
  byId("prompt").value = chosen.prompt;
  byId("colour").value = chosen.colour;
  for (const { move } of drawn) move(step);
  byId("prompt-text").textContent = answer ? DATA.prompts[answer.prompt] : "";
  byId("answer-facts").textContent = answer ? facts(answer) : "";
  const strip = byId("tokens");
  if (!answer?.tokens.length) {
    strip.replaceChildren(answer ? "The answer is empty." : "This prompt was not traced at this step.");
    byId("table").replaceChildren();
    return drawToken();
  }
  strip.dir = direction(answer.tokens.join(""));
  strip.replaceChildren(...tokenButtons(answer, chosen.colour, SCALES[chosen.colour]));
  const has_column = Boolean(answer[chosen.colour]?.length);
  byId("legend").replaceChildren(...(has_column ? legend(SCALES[chosen.colour], chosen.colour) : ["This answer has no such column."]));
  drawSettings(answer);
  drawTable(answer);
  pinned = Math.max(0, Math.min(pinned, answer.tokens.length - 1));
  choose(pinned);
}

function facts(answer) {
  const ends = { end: "ended by itself", length: "cut at the length limit", stop: "ended at a stop text", refused: "refused" };
  const parts = Object.entries(answer.parts).map(([name, value]) => `${name} ${shown(value)}`);
  const score = isNumber(answer.score) ? `, score ${shown(answer.score)}` : "";
  const together = parts.length > 1 ? ` (${parts.join(", ")})` : "";
  const count = answer.tokens.length;
  return `${answer.method}, ${count} token${count === 1 ? "" : "s"}, ${ends[answer.finish]}${score}${together}`;
}

function drawTable(answer) {
  if (!byId("all").open) return;
  byId("table").replaceChildren(make("caption", {}, `Step ${STEPS[chosen.place].step}, prompt ${chosen.prompt}`), ...tableNodes(answer));
  markRow();
}

function markRow() {
  for (const row of byId("table").querySelectorAll("tbody tr")) {
    row.classList.toggle("chosen", Number(row.dataset.index) === chosen.token);
  }
}

function drawSettings(answer) {
  const entries = Object.entries(answer.settings);
  byId("settings").replaceChildren(...entries.flatMap(([name, value]) => [make("dt", {}, name),
    make("dd", {}, isNumber(value) ? shown(value) : String(value))]));
}

/** Show a token in the panel. */
function choose(index) {
  chosen.token = index;
  for (const button of byId("tokens").querySelectorAll(".token")) {
    const here = Number(button.dataset.index) === index;
    button.tabIndex = here ? 0 : -1;
    if (here) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  markRow();
  drawToken();
}

function pin(index) {
  pinned = index;
  choose(index);
  writeAddress();
}

function drawToken() {
  const answer = current();
  const exists = answer && chosen.token < answer.tokens.length;
  byId("token-title").replaceChildren(...(exists ? [`Token ${chosen.token} `, make("bdi", {}, visible(answer.tokens[chosen.token]))] : ["No token"]));
  byId("verdict").textContent = exists ? verdict(answer, chosen.token) : "";
  const open = [...byId("phases").querySelectorAll("details")].some((terms) => terms.open);
  byId("phases").replaceChildren(...(exists ? phaseNodes(answer, chosen.token) : []));
  for (const terms of byId("phases").querySelectorAll("details")) terms.open = open;
}

function goToStep(place) {
  chosen.place = Math.max(0, Math.min(STEPS.length - 1, place));
  drawAnswer();
  writeAddress();
}

function onTokenKey(event) {
  const last = (current()?.tokens.length ?? 1) - 1;
  const forward = byId("tokens").dir === "rtl" ? "ArrowLeft" : "ArrowRight";
  const back = forward === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
  const moves = { [forward]: () => pin(Math.min(last, pinned + 1)), [back]: () => pin(Math.max(0, pinned - 1)),
    Home: () => pin(0), End: () => pin(last),
    ArrowUp: () => goToStep(chosen.place - 1), ArrowDown: () => goToStep(chosen.place + 1) };
  if (!moves[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  moves[event.key]();
  byId("tokens").querySelector("[aria-current]")?.focus({ preventScroll: true });
}

function drawMore() {
  const name = byId("more").value;
  byId("more-curve").replaceChildren();
  drawn = drawn.filter(({ extra }) => !extra);
  if (!name) return;
  const one = chart(name, [{ name, kind: "batch", points: DATA.metrics[name] }], (step) => goToStep(nearest(step)));
  byId("more-curve").append(one.svg);
  one.move(STEPS[chosen.place].step);
  drawn.push({ ...one, extra: true });
}

function listen() {
  const strip = byId("tokens");
  const indexOf = (event) => event.target.closest("[data-index]")?.dataset.index;
  const run = (action) => (event) => indexOf(event) !== undefined && action(Number(indexOf(event)));
  strip.addEventListener("mouseover", run(choose));
  strip.addEventListener("mouseleave", () => choose(pinned));
  strip.addEventListener("click", run(pin));
  strip.addEventListener("focusin", run((index) => index !== pinned && pin(index)));
  byId("table").addEventListener("click", run(pin));
  document.addEventListener("keydown", (event) => {
    if (event.target === document.body || strip.contains(event.target)) onTokenKey(event);
  });
  byId("step").addEventListener("input", (event) => goToStep(Number(event.target.value)));
  byId("prompt").addEventListener("change", (event) => {
    chosen.prompt = Number(event.target.value);
    goToStep(chosen.place);
  });
  byId("colour").addEventListener("change", (event) => {
    chosen.colour = event.target.value;
    goToStep(chosen.place);
  });
  byId("more").addEventListener("change", drawMore);
  byId("all").addEventListener("toggle", () => current() && drawTable(current()));
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => {
    readAddress();
    drawAnswer();
  });
}

function begin() {
  byId("run").textContent = DATA.run;
  byId("step").max = STEPS.length - 1;
  const promptLabel = (index) => visible(DATA.prompts[DATA.answers.find((answer) => answer.prompt_index === index).prompt]);
  byId("prompt").append(...PROMPTS.map((index) => make("option", { value: index },
    `${index}: ${promptLabel(index).replaceAll("·", " ").slice(0, 40)}`)));
  byId("colour").append(...NAMES.map((name) => make("option", { value: name }, COLUMNS[name].name)));
  byId("glossary").append(...NAMES.flatMap((name) => [make("dt", {}, COLUMNS[name].name), make("dd", {}, COLUMNS[name].means)]));
  drawn = charts(STEPS, DATA.metrics, (step) => goToStep(nearest(step)));
  byId("curves").append(...drawn.map(({ svg }) => svg), curveLegend());
  const names = Object.keys(DATA.metrics).sort();
  byId("more-label").hidden = !names.length;
  byId("more").append(make("option", { value: "" }, "none"), ...names.map((name) => make("option", { value: name }, name)));
  listen();
  readAddress();
  drawAnswer();
}

function curveLegend() {
  const entry = (kind, text) => make("span", {}, make("span", { class: `key ${kind}` }), text);
  return make("p", { class: "hint" }, entry("batch", "the whole batch "), entry("traced", "the traced answers. "), "Click a chart to go to a step.");
}

begin();
