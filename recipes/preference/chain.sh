#!/usr/bin/env bash
# The whole of RLHF on a file of comparisons: imitate the chosen answers (SFT), learn what makes them
# better (reward model), and answer better than both by trying (PPO). Each step goes on from the one
# before, is found again by the same command, and can be resumed.
#
#   recipes/preference/chain.sh COMPARISONS OUT [MODEL] [SETTING=VALUE ...]
#
# Settings hold for all three steps; SFT, REWARD and PPO in the environment hold for one:
#   PPO="iterations=20 rollouts=64" recipes/preference/chain.sh comparisons.json runs/chain
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
comparisons="$1" out="$2" model="${3:-smollm2-135m}"
shift $(($# < 3 ? $# : 3))
python="${PYTHON:-python3}"
train() { "$python" -m luciola train "$@"; }

"$python" "$here/split.py" "$comparisons" "$out"
# shellcheck disable=SC2086  # settings are several words
train sft model="$model" data="$out/chosen.jsonl" out="$out/sft" epochs=1 "$@" ${SFT:-}
# shellcheck disable=SC2086
train reward model="$out/sft/model" data="$out/comparisons.jsonl" \
    eval_data="$out/held_out.jsonl" out="$out/reward" "$@" ${REWARD:-}
# shellcheck disable=SC2086
train ppo model="$out/sft/model" prompts="$out/prompts.jsonl" \
    eval_prompts="$out/eval_prompts.jsonl" reward="model:$out/reward/model" \
    value_init="$out/reward/model" missing_end_penalty=1 out="$out/ppo" "$@" ${PPO:-}
"$python" -m luciola trace "$out/ppo"
echo "Scores before and after, by step, are under \"evaluations\" in $out/ppo/report.json"
