// Numbers and tokens as a person reads them.

const MINUS = "−";
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** Four significant digits without idle zeros: 0.0312, −1.25, 1,204, 3.1e−7. */
function shown(value) {
  if (!isNumber(value)) return "no number";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e6 || size < 5e-5) return value.toExponential(2).replaceAll("-", MINUS);
  const decimals = size >= 1000 ? 0 : Math.min(5, Math.max(0, 3 - Math.floor(Math.log10(size))));
  const text = value.toLocaleString("en", { maximumFractionDigits: decimals });
  return (text === "-0" ? "0" : text).replace("-", MINUS);
}

/** The same as an operand: a negative number stands in brackets. */
const operand = (value) => (value < 0 ? `(${shown(value)})` : shown(value));

function percent(logprob) {
  const share = 100 * Math.exp(logprob);
  if (!isNumber(share)) return "no number";
  if (share > 0 && share < 0.001) return "below 0.001 %";
  return `${share >= 99.995 ? 100 : Number(share.toPrecision(3))} %`;
}

const MARKS = { " ": "·", "\n": "↵", "\r": "␍", "\t": "⇥", "\u00a0": "⍽", "\u200b": "∅" };
const HIDDEN = /[\u0000-\u001f\u007f-\u00a0\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff ]/u;

/** What stands for a character that cannot be seen. */
function mark(character) {
  const code = character.codePointAt(0);
  return MARKS[character] ?? `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

/** Text in one line, invisible characters as marks: for labels and table cells. */
function visible(text) {
  if (text === "") return "∅";
  return Array.from(text, (c) => (HIDDEN.test(c) ? mark(c) : c)).join("");
}

/** An element with attributes and children; text goes in as text, never as markup. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** The same for SVG. */
function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const byId = (id) => document.getElementById(id);

/** Token text in which spaces show and line breaks break. */
function tokenNodes(text) {
  if (text === "") return [make("span", { class: "mark" }, "∅")];
  const nodes = [];
  for (const character of text) {
    if (HIDDEN.test(character)) nodes.push(make("span", { class: "mark" }, mark(character)));
    else if (nodes.at(-1) instanceof Text) nodes.at(-1).data += character;
    else nodes.push(document.createTextNode(character));
  }
  return nodes;
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/u;
const LETTER = /\p{L}/u;

/** The direction of the first letter in a text. */
function direction(text) {
  const letter = text.match(LETTER);
  return letter && RIGHT_TO_LEFT.test(letter[0]) ? "rtl" : "ltr";
}
