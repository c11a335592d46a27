// Colours of the tokens: orange below the centre, blue above it, nothing at it. Blue and orange are
// told apart with every common colour blindness; the bar under a token says the sign without colour.

const BLUE = "33, 102, 172";
const ORANGE = "224, 130, 20";
const STRONGEST = 0.62;

/** How a column is coloured over the whole run, so that steps can be compared. */
function scaleOf(answers, name) {
  const values = answers.flatMap((answer) => answer[name] ?? []).map(Number).filter(isNumber);
  values.sort((a, b) => a - b);
  const quantile = (share) => values[Math.round(share * (values.length - 1))] ?? 0;
  const centre = COLUMNS[name].centre;
  if (centre === undefined) return { low: quantile(0.02), high: quantile(1) };
  const reach = Math.max(centre - quantile(0.02), quantile(0.98) - centre) || Math.max(centre - quantile(0), quantile(1) - centre);
  return { centre, low: centre - (reach || 1), high: centre + (reach || 1) };
}

/** From −1 (orange) over 0 to 1 (blue); without a centre from 0 (high) to −1 (low). */
function strength(scale, value) {
  const number = Number(value);
  if (!isNumber(number)) return 0;
  const whole = scale.high - scale.low || 1;
  if (scale.centre === undefined) return Math.max(-1, Math.min(0, (number - scale.high) / whole));
  return Math.max(-1, Math.min(1, (number - scale.centre) / (whole / 2)));
}

function tint(share) {
  const alpha = (STRONGEST * Math.sqrt(Math.abs(share))).toFixed(3);
  return `rgba(${share < 0 ? ORANGE : BLUE}, ${Math.abs(share) < 0.01 ? 0 : alpha})`;
}

function legend(scale, name) {
  if (name === "clipped") {
    return [make("span", { class: "swatch" }), "clipped"].map((part, place) => {
      if (place === 0) part.style.background = tint(1);
      return part;
    });
  }
  const bar = make("span", { class: "bar" });
  const stops = Array.from({ length: 21 }, (_, i) => scale.low + ((scale.high - scale.low) * i) / 20);
  bar.style.background = `linear-gradient(to right, ${stops.map((value) => tint(strength(scale, value))).join(", ")})`;
  const middle = scale.centre === undefined ? [] : [make("span", { class: "middle" }, shown(scale.centre))];
  return [make("span", {}, shown(scale.low)), make("span", { class: "gauge" }, bar, ...middle),
    make("span", {}, shown(scale.high)), make("span", { class: "hint" }, COLUMNS[name].means)];
}
