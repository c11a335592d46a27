// The columns of a trace: what each is called, means, and how it is coloured.
// centre: the value without colour; a column without one is coloured from its least to its largest.

const COLUMNS = {
  advantages: { name: "advantage", centre: 0,
    means: "How much better (blue) or worse (orange) this token turned out than expected; learning pushes by it." },
  raw_advantages: { name: "advantage before whitening", centre: 0,
    means: "The advantage in units of reward, before the iteration's were brought to mean 0 and spread 1." },
  logprobs: { name: "log-prob when sampled",
    means: "Logarithm of the probability that the policy gave this token when it wrote it, in nats." },
  ref_logprobs: { name: "log-prob under the reference",
    means: "The same under the reference: the model as it was before this training." },
  kls: { name: "KL to the reference", centre: 0,
    means: "How far the policy has moved from the reference at this token, in nats; its price is part of the reward." },
  scores: { name: "score on this token", centre: 0,
    means: "The part of the answer's score that this token gets; usually all of it is on the last one." },
  rewards: { name: "reward", centre: 0, means: "The score on this token minus the price of its KL." },
  whitened_rewards: { name: "whitened reward", centre: 0,
    means: "The reward, divided by the spread of the iteration's rewards." },
  values: { name: "value", centre: 0,
    means: "What the critic, before this token, expects of all rewards from here to the end." },
  deltas: { name: "TD error δ", centre: 0,
    means: "Reward plus the critic's next expectation, minus the one before: the surprise of one token." },
  returns: { name: "return", centre: 0,
    means: "What the value should have been, judging by this answer; the critic learns it." },
  new_logprobs: { name: "log-prob after learning",
    means: "Log-probability of the same token, after this iteration's learning." },
  new_values: { name: "value after learning", centre: 0, means: "The critic's expectation after learning." },
  ratios: { name: "ratio ρ", centre: 1,
    means: "Probability after learning divided by that when sampled: above 1 the token became likelier." },
  clipped: { name: "clipped", centre: 0,
    means: "Whether the ratio left the trust interval on the side that the advantage pushes to; then learning pushes no further." },
  policy_losses: { name: "policy loss", centre: 0,
    means: "This token's part of what learning makes small." },
};

const settingOf = (answer, name) => answer.settings[name];
const has = (answer, name, index) => isNumber(answer[name]?.[index]);
const columnsOf = (answer) => Object.keys(COLUMNS).filter((name) => answer[name]?.length);

/** A cell of the table. */
function cell(answer, name, index) {
  const value = answer[name][index];
  return name === "clipped" ? (value ? "clipped" : "") : shown(value);
}
