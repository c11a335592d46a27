"""The one module that a run trains: its roles over one set of base weights, and their precision."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from luciola.models.batch import Batch
from luciola.models.head import read
from luciola.models.layout import moved
from luciola.models.logit_arithmetic import Wanted
from luciola.models.precision import Autocast, computing
from luciola.models.token_scores import TokenScores, token_scores


class Policy(nn.Module):
    """A causal language model as the only role: the forward pass of fine-tuning and of preference
    methods.

    Args:
        model: bare, or inside peft.
        autocast: compute in half precision where that is safe, weights staying as they are.
        neftune_alpha: noise on the input embeddings while training (see `embedding_noise`); 0:
            none.
    """

    def __init__(
        self, model: nn.Module, *, autocast: Autocast = False, neftune_alpha: float = 0.0
    ) -> None:
        super().__init__()
        self.model = model
        self.autocast = autocast
        self.neftune_alpha = neftune_alpha
        self._lengths: Tensor | None = None
        if neftune_alpha:
            embeddings = model.get_input_embeddings()  # type: ignore[operator]
            embeddings.register_forward_hook(self._add_noise)

    def forward(self, batch: Batch, wanted: Wanted | None = None) -> TokenScores:
        """Scores of the batch's trained tokens: their log-probabilities, and what is wanted."""
        self._lengths = example_lengths(batch) if self.neftune_alpha else None
        with computing(batch.ids.device, self.autocast):
            reading = read(self.model, batch)
            return token_scores(reading.inputs, reading.head, batch.labels, wanted=wanted)

    def _add_noise(self, module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        if not self.model.training or self._lengths is None:  # it may be asked something meanwhile
            return output
        return embedding_noise(output, self._lengths, self.neftune_alpha)


def embedding_noise(embeddings: Tensor, lengths: Tensor, alpha: float) -> Tensor:
    """NEFTune: embeddings + U(-a, a) with a = alpha / sqrt(L · H).

    Source: Jain et al. 2023, section 2, https://arxiv.org/abs/2310.05914. L is the example's own
    length, so that packing does not change the noise's size; the original takes the padded length
    of the batch.
    Args:
        embeddings: (B, T, H).
        lengths: (B, T) or (B, 1), tokens of the example that each position belongs to.
    """
    scale = alpha / (lengths.to(embeddings.dtype) * embeddings.shape[-1]).sqrt()
    return embeddings + torch.empty_like(embeddings).uniform_(-1, 1) * scale[..., None]


def example_lengths(batch: Batch) -> Tensor:
    """(B, 1) or (1, T) int64 length of the example at each position; a prefix counts for itself."""
    if batch.layout is None:
        assert batch.mask is not None  # a padded batch has one
        return batch.mask.sum(1, keepdim=True)
    lengths, parents = batch.layout.lengths, batch.layout.parents
    totals = [n + (lengths[p] if p >= 0 else 0) for n, p in zip(lengths, parents, strict=True)]
    each = torch.tensor(totals).repeat_interleave(torch.tensor(lengths))
    return moved(each, batch.ids.device)[None]
