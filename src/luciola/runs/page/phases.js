// The three phases of one token: sampling, feedback, learning. Each is a list of steps:
// {name, says, equation?, value?}; what the method does not have is left out.

const equationStep = (name, equation, says) => ({ name, equation, says });
const valueStep = (name, value, says) => ({ name, value, says });

function sampling(answer, index) {
  const logprob = at(answer, "logprobs", index);
  const temperature = settingOf(answer, "temperature");
  const steps = [valueStep("token", visible(answer.tokens[index]),
    answer.ids?.length ? `id ${answer.ids[index]} in the vocabulary` : "")];
  if (isNumber(logprob)) {
    steps.push(valueStep("log-prob  ln π", shown(logprob),
      "How likely the policy found this token after all before it, in nats."));
    steps.push(valueStep("probability  π", percent(logprob), `exp(${shown(logprob)})` +
      (isNumber(temperature) ? `, at temperature ${shown(temperature)}` : "")));
  }
  return steps;
}

function feedback(answer, index) {
  return [...penalty(answer, index), ...criticism(answer, index), ...advantage(answer, index)];
}

function penalty(answer, index) {
  const steps = [];
  if (has(answer, "ref_logprobs", index)) {
    const reference = at(answer, "ref_logprobs", index);
    steps.push(valueStep("reference  ln π_ref", shown(reference), `${percent(reference)} under the model before training`));
  }
  if (has(answer, "kls", index)) {
    steps.push(equationStep("KL", klEquation(answer, index), "How far the policy has moved here."));
  }
  if (has(answer, "scores", index) && !has(answer, "rewards", index)) {
    steps.push(valueStep("score", shown(at(answer, "scores", index)), "The part of the answer's score on this token."));
  }
  if (has(answer, "rewards", index)) {
    const beta = `β = ${shown(settingOf(answer, "kl_coef") ?? 0)} is the price of a nat. `;
    const score = at(answer, "scores", index) ? "The score is paid on this token." : "The score is paid elsewhere: 0 here.";
    steps.push(equationStep("reward  r", rewardEquation(answer, index), beta + score));
  }
  if (settingOf(answer, "whiten_rewards") && has(answer, "deltas", index)) {
    steps.push(valueStep("whitened reward", shown(usedReward(answer, index)), "Divided by the spread of the iteration's rewards; used from here on."));
  }
  return steps;
}

function criticism(answer, index) {
  const steps = [];
  if (has(answer, "values", index)) {
    steps.push(valueStep("value  V", shown(at(answer, "values", index)), "The critic expects this much from here to the end, before the token."));
    const end = isLast(answer, index);
    steps.push(valueStep("next value  V(next)", shown(next(answer, "values", index)),
      end ? "The answer is over: nothing more to come." : "And this much after it."));
  }
  if (has(answer, "deltas", index) && has(answer, "values", index)) {
    steps.push(equationStep("TD error  δ", deltaEquation(answer, index), "The surprise of this one token."));
  }
  return steps;
}

function advantage(answer, index) {
  const steps = [];
  if (has(answer, "deltas", index) && answer.raw_advantages?.length) {
    steps.push({ ...equationStep("advantage  A", gaeEquation(answer, index),
      "This surprise, and the later ones, each step further away counting γλ as much."), terms: gaeTerms(answer, index) });
  } else if (has(answer, "deltas", index) && !settingOf(answer, "whiten_advantages")) {
    steps.push(equationStep("advantage  A", gaeEquation(answer, index), "This surprise, and the later ones, fading."));
  } else if (has(answer, rawName(answer), index)) {
    steps.push(equationStep("advantage  A", groupEquation(answer, index),
      isOneForAll(answer) ? "The same for every token of the answer: there is no critic." : "There is no critic."));
  }
  if (has(answer, "returns", index) && has(answer, "values", index)) {
    steps.push(equationStep("return  R", returnEquation(answer, index), "What the critic should have said; it learns this."));
  }
  if (settingOf(answer, "whiten_advantages") && has(answer, "raw_advantages", index)) {
    steps.push(equationStep("whitened advantage  Â", whiteningEquation(answer, index), "What learning uses."));
  }
  return steps;
}

function learning(answer, index) {
  const steps = [];
  if (has(answer, "new_logprobs", index)) {
    const [before, after] = [at(answer, "logprobs", index), at(answer, "new_logprobs", index)];
    steps.push(valueStep("log-prob after  ln π_new", shown(after), `Probability ${percent(before)} before, ${percent(after)} after.`));
  }
  if (has(answer, "ratios", index)) {
    steps.push(equationStep("ratio  ρ", ratioEquation(answer, index), "How many times as likely as when sampled."));
    const bounds = interval(answer);
    if (bounds) steps.push(valueStep("trust interval", `${shown(bounds[0])} to ${shown(bounds[1])}`, clipSays(answer, index, bounds)));
  }
  if (has(answer, "policy_losses", index) && has(answer, "advantages", index)) {
    steps.push(equationStep("policy loss", policyLossEquation(answer, index), "This token's part, before averaging over the batch."));
  }
  if (has(answer, "new_values", index) && has(answer, "returns", index)) {
    steps.push(valueStep("value after  V_new", shown(at(answer, "new_values", index)),
      `From ${shown(at(answer, "values", index))}, towards the return ${shown(at(answer, "returns", index))}.`));
    steps.push(equationStep("value loss", valueLossEquation(answer, index), "The critic's error, squared."));
  }
  return steps;
}

function clipSays(answer, index, bounds) {
  const ratio = at(answer, "ratios", index);
  if (at(answer, "clipped", index)) {
    const side = ratio > bounds[1] ? "above" : "below";
    return `Clipped: ρ is ${side} it, on the side the advantage pushes to, so learning pushes no further.`;
  }
  if (ratio < bounds[0] || ratio > bounds[1]) {
    return "Outside, but against the advantage: not clipped, learning pulls it back.";
  }
  return "Inside: not clipped, the gradient flows.";
}

/** One sentence for someone who reads no formula. */
function verdict(answer, index) {
  const good = at(answer, "advantages", index);
  const [before, after] = [at(answer, "logprobs", index), at(answer, "new_logprobs", index)];
  if (!isNumber(good)) return "";
  const judged = Math.abs(good) < 1e-9 ? "as expected" : good > 0 ? "better than expected" : "worse than expected";
  const start = `This token turned out ${judged} (advantage ${shown(good)}). `;
  if (!isNumber(after)) return start;
  const change = `from ${percent(before)} to ${percent(after)}`;
  if (percent(before) === percent(after)) return `${start}Its probability stayed at ${percent(after)}.`;
  const moved = `${start}After learning it was ${after > before ? "likelier" : "less likely"}: ${change}.`;
  const against = good !== 0 && (after > before) !== (good > 0);
  const why = " That is against its own advantage: a step serves all tokens of the batch at once.";
  return moved + (against ? why : at(answer, "clipped", index) ? " Past the clip it is pushed no further." : "");
}
