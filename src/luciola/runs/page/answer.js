// The answer as coloured tokens, the chosen token's panel, and the table of all tokens.

function tokenButtons(answer, name, scale) {
  return answer.tokens.flatMap((text, index) => {
    const has_column = Boolean(answer[name]?.length);
    const share = has_column ? strength(scale, answer[name][index]) : 0;
    const figure = has_column ? `, ${COLUMNS[name].name} ${cell(answer, name, index) || "no"}` : "";
    const button = make("button", { type: "button", class: "token", "data-index": index, tabindex: -1,
      "aria-label": `token ${index}: ${visible(text)}${figure}` }, ...tokenNodes(text));
    button.style.background = tint(share);
    if (scale.centre !== undefined && Math.abs(share) > 0.05) button.classList.add(share > 0 ? "above" : "below");
    return text.includes("\n") ? [button, make("br")] : [button];
  });
}

/** The figure under the pointer stays short: what the colour shows, in words. */
function stepNodes(step) {
  const nodes = [make("dt", {}, step.name)];
  const body = make("dd");
  if (step.equation) body.append(...equationNodes(step.equation));
  else body.append(make("strong", { class: "value", dir: "auto" }, step.value));
  if (step.says) body.append(make("p", { class: "says" }, step.says));
  if (step.terms?.length > 1) body.append(termsNode(step.terms));
  return [...nodes, body];
}

function equationNodes({ symbols, numbers, result, stored }) {
  const final = isNumber(stored) ? stored : result;
  const nodes = [make("span", { class: "symbols" }, symbols)];
  const sum = make("span", { class: "sum" });
  if (numbers) sum.append(`= ${numbers} `);
  sum.append("= ", make("strong", { class: "value" }, shown(final)));
  nodes.push(sum);
  if (!agrees(result, stored)) {
    nodes.push(make("span", { class: "differs" }, `This page gets ${shown(result)}; the run used another rule here.`));
  }
  return nodes;
}

const SHOWN_TERMS = 5;

/** The sum of later surprises: bars, and the first ones in figures. */
function termsNode(terms) {
  const first = terms.slice(0, SHOWN_TERMS).map(({ factor, delta }, place) =>
    place === 0 ? shown(delta) : `${shown(factor)} × ${operand(delta)}`);
  const left = terms.length - SHOWN_TERMS;
  const more = left > 0 ? ` + … (${left} more)` : "";
  return make("details", { class: "terms" }, make("summary", {}, "written out over the later tokens"),
    make("p", { class: "sum" }, `A = ${first.join(" + ")}${more}`), termBars(terms));
}

function termBars(terms) {
  const heights = terms.slice(0, 40).map(({ factor, delta }) => factor * delta);
  const most = Math.max(...heights.map(Math.abs)) || 1;
  const svg = draw("svg", { viewBox: "0 0 320 60", role: "img", class: "bars",
    "aria-label": "What each later token's TD error adds to this advantage" });
  svg.append(draw("line", { x1: 0, x2: 320, y1: 30, y2: 30, class: "axis" }));
  heights.forEach((height, place) => {
    const size = (28 * Math.abs(height)) / most;
    svg.append(draw("rect", { x: place * 8 + 1, width: 6, y: height > 0 ? 30 - size : 30, height: size,
      class: height > 0 ? "plus" : "minus" }, draw("title", {}, `+${place} tokens: ${shown(height)}`)));
  });
  return svg;
}

function phaseNodes(answer, index) {
  const phases = [["1 Sampling", "the policy writes", sampling], ["2 Feedback", "how good was it?", feedback],
    ["3 Learning", "what changed", learning]];
  return phases.map(([title, aside, steps], place) => {
    const list = make("dl");
    for (const step of steps(answer, index)) list.append(...stepNodes(step));
    return make("section", { class: `phase phase-${place + 1}` }, make("h3", {}, `${title} `, make("small", {}, aside)), list);
  });
}

function tableNodes(answer) {
  const names = columnsOf(answer);
  const heads = names.map((name) => make("th", { scope: "col", title: COLUMNS[name].means }, COLUMNS[name].name));
  const head = make("tr", {}, make("th", { scope: "col" }, "#"), make("th", { scope: "col" }, "token"), ...heads);
  const rows = answer.tokens.map((text, index) => make("tr", { "data-index": index }, make("td", {}, String(index)),
    make("th", { scope: "row", dir: "auto" }, visible(text)), ...names.map((name) => make("td", {}, cell(answer, name, index)))));
  return [make("thead", {}, head), make("tbody", {}, ...rows)];
}
