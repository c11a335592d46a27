// Each figure of a token as an equation: symbols, the run's numbers, the result.
// An equation is {symbols, numbers, result, stored}: `result` is reckoned here, `stored` is the run's.

const TOLERANCE = 2e-3;

/** Whether the page's result is the run's, up to rounding. */
function agrees(result, stored) {
  if (!isNumber(stored) || !isNumber(result)) return true;
  return Math.abs(result - stored) <= TOLERANCE * Math.max(0.05, Math.abs(result), Math.abs(stored));
}

const at = (answer, name, index) => answer[name]?.[index];
const isLast = (answer, index) => index + 1 >= answer.tokens.length;
/** The entry of the next token; after the last one there is nothing to come. */
const next = (answer, name, index) => (isLast(answer, index) ? 0 : at(answer, name, index + 1));

const KL_ESTIMATORS = {
  k1: { symbols: "kl = ln π − ln π_ref", of: (a, b) => a - b, text: (a, b) => `${shown(a)} − ${operand(b)}` },
  abs: { symbols: "kl = |ln π − ln π_ref|", of: (a, b) => Math.abs(a - b),
    text: (a, b) => `|${shown(a)} − ${operand(b)}|` },
  k2: { symbols: "kl = ½ (ln π − ln π_ref)²", of: (a, b) => 0.5 * (a - b) ** 2,
    text: (a, b) => `½ (${shown(a)} − ${operand(b)})²` },
  k3: { symbols: "kl = exp(ln π_ref − ln π) − 1 − (ln π_ref − ln π)",
    of: (a, b) => Math.exp(b - a) - 1 - (b - a),
    text: (a, b) => `exp(${shown(b - a)}) − 1 − ${operand(b - a)}` },
};

function klEquation(answer, index) {
  const rule = KL_ESTIMATORS[settingOf(answer, "kl_estimator") ?? "k1"];
  const [now, reference] = [at(answer, "logprobs", index), at(answer, "ref_logprobs", index)];
  const stored = at(answer, "kls", index);
  if (!rule || !isNumber(reference)) {
    return { symbols: "kl = Σ π (ln π − ln π_ref), over the whole vocabulary", numbers: "", result: stored, stored };
  }
  return { symbols: rule.symbols, numbers: rule.text(now, reference), result: rule.of(now, reference), stored };
}

function rewardEquation(answer, index) {
  const coefficient = settingOf(answer, "kl_coef") ?? 0;
  const [kl, score] = [at(answer, "kls", index) ?? 0, at(answer, "scores", index) ?? 0];
  return {
    symbols: "r = −β · kl + score",
    numbers: `${shown(-coefficient)} × ${operand(kl)} + ${operand(score)}`,
    result: -coefficient * kl + score,
    stored: at(answer, "rewards", index),
  };
}

/** The reward that the TD error was made of; where it was whitened and not kept, from the TD error. */
function usedReward(answer, index) {
  if (has(answer, "whitened_rewards", index)) return at(answer, "whitened_rewards", index);
  if (!settingOf(answer, "whiten_rewards")) return at(answer, "rewards", index);
  const gamma = settingOf(answer, "gamma") ?? 1;
  return at(answer, "deltas", index) - gamma * next(answer, "values", index) + at(answer, "values", index);
}

function deltaEquation(answer, index) {
  const gamma = settingOf(answer, "gamma") ?? 1;
  const [reward, value] = [usedReward(answer, index), at(answer, "values", index)];
  const following = next(answer, "values", index);
  return {
    symbols: "δ = r + γ · V(next) − V",
    numbers: `${shown(reward)} + ${shown(gamma)} × ${operand(following)} − ${operand(value)}`,
    result: reward + gamma * following - value,
    stored: at(answer, "deltas", index),
  };
}

const rawName = (answer) => (answer.raw_advantages?.length ? "raw_advantages" : "advantages");

function gaeEquation(answer, index) {
  const [gamma, lam] = [settingOf(answer, "gamma") ?? 1, settingOf(answer, "lam") ?? 1];
  const [delta, following] = [at(answer, "deltas", index), next(answer, rawName(answer), index)];
  return {
    symbols: "A = δ + γ · λ · A(next)",
    numbers: `${shown(delta)} + ${shown(gamma)} × ${shown(lam)} × ${operand(following)}`,
    result: delta + gamma * lam * following,
    stored: at(answer, rawName(answer), index),
  };
}

/** The recursion written out: how much each later surprise adds. Whitened advantages have none. */
function gaeTerms(answer, index) {
  const decay = (settingOf(answer, "gamma") ?? 1) * (settingOf(answer, "lam") ?? 1);
  return answer.deltas.slice(index).map((delta, later) => ({ later, factor: decay ** later, delta }));
}

function returnEquation(answer, index) {
  const [advantage, value] = [at(answer, rawName(answer), index), at(answer, "values", index)];
  return { symbols: "R = A + V", numbers: `${shown(advantage)} + ${operand(value)}`,
    result: advantage + value, stored: at(answer, "returns", index) };
}

function whiteningEquation(answer, index) {
  const [mean, std] = [settingOf(answer, "advantage_mean"), settingOf(answer, "advantage_std")];
  const [raw, stored] = [at(answer, "raw_advantages", index), at(answer, "advantages", index)];
  const symbols = "Â = (A − mean) / spread, of the iteration";
  if (!isNumber(mean) || !isNumber(std)) return { symbols, numbers: "", result: stored, stored };
  return { symbols, numbers: `(${shown(raw)} − ${operand(mean)}) / ${shown(std)}`,
    result: (raw - mean) / std, stored };
}

/** Whether the whole answer has one advantage. */
function isOneForAll(answer) {
  const column = answer[rawName(answer)] ?? [];
  return column.every((value) => value === column[0]);
}

/** Without a critic: the answer against the others to its prompt, by its score as the method takes
    it, or where tokens have rewards (the KL is in them) by their sum. */
function groupEquation(answer, index) {
  const stored = at(answer, rawName(answer), index);
  const baseline = settingOf(answer, "group_mean") ?? settingOf(answer, "baseline");
  const own = settingOf(answer, "group_score") ?? answer.score;
  const std = settingOf(answer, "group_std");
  const name = isNumber(settingOf(answer, "group_mean")) ? "mean of the group" : "baseline";
  const word = answer.rewards?.length ? "Σ r" : "score";
  if (!isNumber(baseline) || !isNumber(own)) {
    const symbols = isOneForAll(answer) ? "A from the scores of the other answers to this prompt" :
      "A from the rewards to come, against those of the iteration";
    return { symbols, numbers: "", result: stored, stored };
  }
  const difference = `${shown(own)} − ${operand(baseline)}`;
  if (!isNumber(std)) {
    return { symbols: `A = ${word} − ${name}`, numbers: difference, result: own - baseline, stored };
  }
  return { symbols: `A = (${word} − ${name}) / spread of the group`, numbers: `(${difference}) / ${shown(std)}`,
    result: (own - baseline) / std, stored };
}

function ratioEquation(answer, index) {
  const [before, after] = [at(answer, "logprobs", index), at(answer, "new_logprobs", index)];
  return { symbols: "ρ = exp(ln π_new − ln π)", numbers: `exp(${shown(after)} − ${operand(before)})`,
    result: Math.exp(after - before), stored: at(answer, "ratios", index) };
}

/** The trust interval of the ratio, or nothing where the method has none. */
function interval(answer) {
  const clip = settingOf(answer, "clip");
  if (!isNumber(clip) || !answer.ratios?.length) return null;
  return [1 - clip, 1 + (settingOf(answer, "clip_high") ?? clip)];
}

const clamp = (value, [low, high]) => Math.min(Math.max(value, low), high);

function policyLossEquation(answer, index) {
  const [advantage, stored] = [at(answer, "advantages", index), at(answer, "policy_losses", index)];
  const bounds = interval(answer);
  if (!bounds) {
    const logprob = at(answer, "new_logprobs", index) ?? at(answer, "logprobs", index);
    return { symbols: "loss = −ln π_new · A", numbers: `${shown(-logprob)} × ${operand(advantage)}`,
      result: -logprob * advantage, stored };
  }
  const ratio = at(answer, "ratios", index);
  const held = clamp(ratio, bounds);
  return {
    symbols: "loss = −min(ρ · A, clip(ρ) · A)",
    numbers: `−min(${shown(ratio)} × ${operand(advantage)}, ${shown(held)} × ${operand(advantage)})`,
    result: -Math.min(ratio * advantage, held * advantage),
    stored,
  };
}

function valueLossEquation(answer, index) {
  const width = settingOf(answer, "clip_value");
  const [before, after] = [at(answer, "values", index), at(answer, "new_values", index)];
  const target = at(answer, "returns", index);
  const plain = 0.5 * (after - target) ** 2;
  if (!width) {  // 0: no limit
    return { symbols: "value loss = ½ (V_new − R)²", numbers: `½ (${shown(after)} − ${operand(target)})²`, result: plain };
  }
  const held = clamp(after, [before - width, before + width]);
  return {
    symbols: "value loss = ½ max((V_new − R)², (clip(V_new) − R)²)",
    numbers: `½ max((${shown(after)} − ${operand(target)})², (${shown(held)} − ${operand(target)})²)`,
    result: Math.max(plain, 0.5 * (held - target) ** 2),
  };
}
