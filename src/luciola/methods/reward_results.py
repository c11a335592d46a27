"""What is left of a reward model's training: the model with its card, and how far to trust it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from luciola.config.preference import RewardConfig
from luciola.conversation.render import Renderer
from luciola.data.rows import Row, padded_rows
from luciola.methods.comparing import Comparing
from luciola.methods.judgement import Bin, JudgedPair, calibration, judgement
from luciola.methods.normalization import ANSWERS, POLICY, gain_and_bias, normalizing_samples
from luciola.methods.pairing import ComparisonBatch
from luciola.models.batch import Batch
from luciola.models.classifier import RewardModel, choose_pad
from luciola.models.save import save_model
from luciola.models.scorer import RewardCard, at_ends
from luciola.runs.atomic import write_atomically
from luciola.runs.curve import curve_svg
from luciola.runs.report import table
from luciola.types import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MOST_JUDGED = 64
"""Training comparisons that are judged where nothing is held out."""
CHART = "calibration.svg"


@dataclass
class RewardResults:
    """The end of a run; `report` comes first, and fills in the rest.

    Args:
        config: the recipe.
        method: with the model as it shall be saved.
        tokenizer: with the template that it was trained with.
    """

    config: RewardConfig
    method: Comparing
    tokenizer: PreTrainedTokenizerBase
    card: RewardCard = field(default_factory=RewardCard)
    bins: Sequence[Bin] = ()
    judged: Mapping[str, Any] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """Judge the model, and find gain and bias; in every process."""
        self.method.roles.eval()
        data = self.method.plan.data
        held_out = len(data.held_out) > 0
        numbers = data.held_out if held_out else range(min(data.num_training, MOST_JUDGED))
        pairs = self._judge(numbers)
        self.bins = calibration(pairs)
        on = "held-out pairs" if held_out else "pairs that it was trained on"
        self.judged = {"judged_on": on, **judgement(pairs)}
        gain, bias, count = self._scale()
        self.card = RewardCard(
            gain=gain,
            bias=bias,
            as_chat=data.is_chat,
            system=self.config.system,
            max_length=self.config.max_length,
            max_prompt_length=self.config.kept_prompt,
            normalized_on=_whose(self.config.normalize_on, count),
        )
        return {"judgement": self.judged, "gain": gain, "bias": bias}

    def save(self, roles: nn.Module, folder: Path) -> None:
        """The classifier, or its adapter, with its tokenizer and card."""
        assert isinstance(roles, RewardModel)  # `prepare` made it
        choose_pad(roles.model, self.tokenizer, set(Renderer(self.tokenizer).end_ids()))
        save_model(roles.model, self.tokenizer, folder, name=self.config.model)
        self.card.write(folder)

    def sections(self, folder: Path) -> dict[str, str | Mapping[str, Any]]:
        """Parts of the report: how calibrated, how fond of length, how normalised."""
        percent = [(100 * b.predicted, 100 * b.observed) for b in self.bins]
        series = {"as it should be": [(50.0, 50.0), (100.0, 100.0)], "observed": percent}
        chart = curve_svg(series, x_label="predicted, %", y_label="observed, %")
        write_atomically(folder / CHART, chart)
        rows = [f"| {b.predicted:.3f} | {b.observed:.3f} | {b.pairs:,} |" for b in self.bins]
        head = ["| predicted | observed | pairs |", "| --- | --- | --- |"]
        text = (
            "How often the answer that scores higher is the better one, against the probability "
            f"that the scores give it (on {self.judged['judged_on']})."
        )
        calibrated = "\n".join([text, "", f"![Calibration]({CHART})", "", *head, *rows])
        return {
            "Calibration": calibrated,
            "Length": _about_length(self.judged),
            "Normalisation": f"score = {self.card.gain:.6g} · raw + {self.card.bias:.6g}, so that "
            f"{self.card.normalized_on} have mean 0 and variance 1.",
        }

    def _judge(self, numbers: Sequence[int]) -> list[JudgedPair]:
        def read(batches: Iterable[ComparisonBatch]) -> list[JudgedPair]:
            found: list[JudgedPair] = []
            for batch in batches:
                found += self._pairs(batch, self.method.roles(batch.batch).tolist())
            return found

        method = self.method
        return method.world.gather(
            method.without_gradients(lambda: method.plan.lay_out(numbers), read)
        )

    def _pairs(self, batch: ComparisonBatch, scores: Sequence[float]) -> list[JudgedPair]:
        counts = batch.counts.tolist()
        pairs = zip(
            batch.winners.tolist(), batch.losers.tolist(), batch.shares.tolist(), strict=True
        )
        return [
            JudgedPair(scores[w], scores[x], counts[w], counts[x], share) for w, x, share in pairs
        ]

    def _scale(self) -> tuple[float, float, int]:
        """Gain, bias, and of how many answers."""
        device = self.method.world.device
        data = self.method.plan.data
        samples = normalizing_samples(self.config, data, self.tokenizer, device)
        gain, bias = gain_and_bias(self._scores(samples))
        return gain, bias, len(samples)

    def _scores(self, samples: Sequence[Tokens]) -> list[float]:
        """Raw scores; the same in every process, so that all have the same gain."""
        method = self.method
        model = method.world.unwrap(method.roles)

        def read(rows: Iterable[Row]) -> list[float]:
            scores: list[float] = []
            for row in rows:
                scores += model(Batch.of(at_ends(row), method.world.device)).tolist()
            return scores

        return method.without_gradients(lambda: padded_rows(samples, method.plan.capacity), read)


def _about_length(judged: Mapping[str, Any]) -> str:
    """The figures of `length_bias`, and what to make of them."""
    keys = (
        "score_length_correlation",
        "longer_is_better",
        "prefers_longer",
        "accuracy_longer",
        "accuracy_shorter",
    )
    text = table({key: judged[key] for key in keys})
    data, model = judged["longer_is_better"], judged["prefers_longer"]
    if data is None or model is None:
        return text
    return (
        f"{text}\n\nThe longer answer is the better one in {data:.0%} of the pairs, and the model "
        f"prefers it in {model:.0%}. A model that prefers length more often than people did will "
        "be exploited by a policy that writes more."
    )


def _whose(normalize_on: str, count: int) -> str:
    """Whose answers gave gain and bias, in words."""
    known = {ANSWERS: "the training data", POLICY: "the model before training, sampled"}
    return f"{count:,} answers of {known.get(normalize_on, normalize_on)}"
