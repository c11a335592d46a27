"""The network of a model that may be trained on, read anew where its tensors have moved."""

from __future__ import annotations

from typing import Any

import torch

from luciola.models.quantization import is_quantised
from luciola.rollout.engine.families import read
from luciola.rollout.engine.network import Network
from luciola.rollout.engine.weights import UnknownNetworkError, Weights


class Source:
    """A model and the network made of it.

    Args:
        model: a causal language model, bare or inside a peft adapter.
        adopt: its parameters may become views of the engine's, because nobody trains or saves it.

    Raises: UnknownNetworkError for a model that the engine does not know.
    """

    def __init__(self, model: Any, *, adopt: bool = False) -> None:
        self.model, self.adopt = model, adopt
        self._read()

    def _read(self) -> None:
        with torch.no_grad():
            dtype = self.model.get_input_embeddings().weight.dtype
            if is_quantised(self.model):
                dtype = torch.bfloat16  # as its products are computed
            self.weights = Weights(dtype, adopt=self.adopt)
            try:
                self.network: Network = read(self.model, self.weights)
            except (AttributeError, KeyError, TypeError) as error:  # a part that others have
                raise UnknownNetworkError(f"{type(self.model).__name__}: {error}") from error

    def moved(self) -> bool:
        """Whether tensors that are used where they lie are no longer there."""
        return self.weights.moved()

    def refresh(self) -> bool:
        """Take over the weights as they are; True where the network had to be read anew."""
        if self.weights.moved():
            self._read()
            return True
        self.weights.refresh()
        return False
