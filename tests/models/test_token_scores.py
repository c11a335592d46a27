"""Scores piece by piece equal those of whole logits, whatever the head is; no piece is large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from luciola.data.rows import packed_rows, padded_rows
from luciola.models.batch import Batch, logits_of
from luciola.models.head import Finish, Head, head_of, read
from luciola.models.logit_arithmetic import Wanted
from luciola.models.plain_linear import plain_linear
from luciola.models.precision import computing
from luciola.models.roles import Policy
from luciola.models.switching import using_adapter
from luciola.models.token_scores import Reference, TokenScores, pieces, token_scores
from luciola.objectives.distributions import entropy, token_logprobs
from luciola.objectives.kl import full_kl
from support import VOCABULARY, build_llama

N, H, V = 23, 7, 31
FINISHES = [Finish(), Finish(2.0, 1.0, None), Finish(1.0, 3.0, 5.0)]


class Frame:
    """A head and a reference of their own in float64, and everything asked of them."""

    def __init__(self, finish: Finish, temperature: float, *, bias: bool = True) -> None:
        torch.manual_seed(0)
        self.layers = [nn.Linear(H, V, bias=bias).double() for _ in range(2)]
        self.inputs, self.others = torch.randn(2, N, H, dtype=torch.float64)
        self.targets = torch.randint(V, (N,))
        self.finish, self.wanted = finish, Wanted(temperature, best=True, entropy=True)

    def scores(self, inputs: Tensor, size: int = 5) -> TokenScores:
        """Piece by piece."""
        now, then = (Head(layer, self.finish) for layer in self.layers)
        return token_scores(
            inputs, now, self.targets, wanted=self.wanted, reference=Reference(self.others, then),
            tokens_at_once=size,
        )  # fmt: skip

    def whole(self, inputs: Tensor) -> TokenScores:
        """From all logits at once."""
        both = zip(self.layers, (inputs, self.others), strict=True)
        now, then = (self.finish.finished(layer(x)) / self.wanted.temperature for layer, x in both)
        return TokenScores(
            token_logprobs(now, self.targets),
            now.gather(1, self.targets[:, None])[:, 0],
            now.argmax(-1),
            entropy(now),
            full_kl(now, then.detach()),
        )


def differentiable(scores: TokenScores) -> list[Tensor]:
    """All of them but the best tokens."""
    found = [scores.logprobs, scores.target_logits, scores.entropies, scores.kls]
    assert all(one is not None for one in found)
    return [one for one in found if one is not None]


@pytest.mark.parametrize("finish", FINISHES, ids=str)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("bias", [True, False])
def test_scores_and_gradients_are_those_of_whole_logits(
    finish: Finish, temperature: float, bias: bool
) -> None:
    """In float64, with a random weight on every score of every token."""
    frame = Frame(finish, temperature, bias=bias)
    found: list[list[Tensor]] = []
    for how in (frame.scores, frame.whole):
        inputs = frame.inputs.clone().requires_grad_()
        scores = how(inputs)
        torch.manual_seed(1)
        total = sum((torch.randn_like(one) * one).sum() for one in differentiable(scores))
        assert isinstance(total, Tensor)
        trained = [inputs, *frame.layers[0].parameters()]
        assert scores.best is not None
        gradients = torch.autograd.grad(total, trained)
        found.append([scores.best.double(), *differentiable(scores), *gradients])
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("finish", FINISHES, ids=str)
def test_gradients_are_those_of_small_differences(finish: Finish) -> None:
    frame = Frame(finish, 0.7)
    inputs = frame.inputs.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: differentiable(frame.scores(x)), (inputs,))


@pytest.mark.parametrize("size", [1, 4, N, 1000])
def test_the_size_of_a_piece_changes_nothing(size: int) -> None:
    frame = Frame(Finish(), 1.0)
    one, other = (differentiable(frame.scores(frame.inputs, n)) for n in (size, 5))
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("count", "size"), [(0, 3), (1, 3), (3, 3), (4, 3), (100, 7)])
def test_pieces_cover_every_token_once_and_are_alike(count: int, size: int) -> None:
    made = pieces(count, size)
    assert [i for one in made for i in range(one.start, one.stop)] == list(range(count))
    lengths = [one.stop - one.start for one in made]
    assert max(lengths) <= size and max(lengths) - min(lengths) <= 1


def test_no_tokens_give_no_scores_and_gradients_of_zero() -> None:
    head = nn.Linear(H, V)
    inputs = torch.zeros(0, H, requires_grad=True)
    scores = token_scores(inputs, Head(head), torch.zeros(0, dtype=torch.int64))
    scores.logprobs.sum().backward()
    assert scores.logprobs.shape == (0,)
    assert head.weight.grad is not None and not head.weight.grad.any()


def test_tokens_and_targets_must_fit() -> None:
    with pytest.raises(ValueError, match=r"inputs \(N, H\) and targets \(N,\)"):
        token_scores(torch.zeros(3, H), Head(nn.Linear(H, V)), torch.zeros(2, dtype=torch.int64))


class Largest(TorchDispatchMode):
    """The most numbers of any tensor that an operator makes."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self.size = max(self.size, tensor.untyped_storage().nbytes() // 4)
        return result


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("autocast", [False, True])
def test_whole_logits_are_never_there(lora: bool, autocast: bool) -> None:
    """512 tokens of a vocabulary of 50,000 in pieces of 64, forward and backward: nothing is as
    large as half of the logits, and the largest is a piece, or the head's own gradient.
    """
    inner, vocabulary, count = 16, 50_000, 512
    head: Any = nn.Linear(inner, vocabulary, bias=False)
    if lora:
        import peft

        layers = nn.ModuleDict({"lm_head": head})
        settings = peft.LoraConfig(r=2, target_modules=["lm_head"])
        head = getattr(peft.inject_adapter_in_model(settings, layers), "lm_head")  # noqa: B009
    states = torch.randn(count, inner, requires_grad=True)
    targets = torch.randint(vocabulary, (count,))
    largest = Largest()
    kind = torch.bfloat16 if autocast else None
    wanted = Wanted(0.7, best=True, entropy=True)
    with largest:
        scores = token_scores(
            states, Head(head, autocast=kind), targets, wanted=wanted, tokens_at_once=64
        )
        assert scores.entropies is not None
        (scores.logprobs.sum() + scores.entropies.sum()).backward()
    assert states.grad is not None
    assert 64 * vocabulary <= largest.size < count * vocabulary / 4


def whole(model: Any, batch: Batch, autocast: bool) -> Tensor:
    """Log-probabilities of the labels by the model's own logits."""
    with computing(batch.ids.device, autocast):
        return token_logprobs(logits_of(model, batch).float(), batch.labels)


def gradients(model: nn.Module, logprobs: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    logprobs.sum().backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def gemma() -> Any:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    return Gemma2ForCausalLM(
        Gemma2Config(**SMALL, head_dim=8, final_logit_softcapping=3.0, query_pre_attn_scalar=8)
    )


def cohere() -> Any:
    from transformers import CohereConfig, CohereForCausalLM

    return CohereForCausalLM(CohereConfig(**SMALL, logit_scale=0.25))


def granite() -> Any:
    from transformers import GraniteConfig, GraniteForCausalLM

    return GraniteForCausalLM(GraniteConfig(**SMALL, logits_scaling=4.0))


def phi() -> Any:
    """Its head has a bias and is not tied."""
    from transformers import PhiConfig, PhiForCausalLM

    return PhiForCausalLM(PhiConfig(**SMALL))


def lora_on_the_head() -> Any:
    import peft

    settings = peft.LoraConfig(r=4, target_modules=["q_proj", "lm_head"])
    return scrambled(peft.get_peft_model(untied(), settings))


def copied_head() -> Any:
    import peft

    settings = peft.LoraConfig(r=4, target_modules=["q_proj"], modules_to_save=["lm_head"])
    return scrambled(peft.get_peft_model(untied(), settings))


def untied() -> Any:
    base: Any = build_llama()
    base.lm_head.weight = nn.Parameter(base.lm_head.weight.detach().clone())
    base.config.tie_word_embeddings = False
    return base


def new_rows() -> Any:
    import peft

    settings = peft.LoraConfig(r=4, target_modules=["q_proj"], trainable_token_indices=[3, 5])
    return scrambled(peft.get_peft_model(build_llama(), settings))


def scrambled(model: Any) -> Any:
    """With B = 0 an adapter does nothing."""
    torch.manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and ("lora_B" in name or "delta" in name):
                parameter.add_(torch.randn_like(parameter) / 3)
    return model


SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
    "attn_implementation": "eager", "pad_token_id": 0,
}  # fmt: skip
MODELS = [
    build_llama, gemma, cohere, granite, phi, lora_on_the_head, copied_head, new_rows,
]  # fmt: skip


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
def test_every_head_gives_what_the_model_gives(
    build: Callable[[], Any], autocast: bool, samples: Any
) -> None:
    """Log-probabilities, and the gradient of every trained weight, in pieces of 4 tokens."""
    torch.manual_seed(0)
    model = build().train()
    batch = Batch.of(padded_rows(samples([12, 9]), 100)[0], "cpu")
    expected = whole(model, batch, autocast)
    wanted = gradients(model, expected)
    with computing(batch.ids.device, autocast):
        reading = read(model, batch)
        assert reading.head.module is not None
        found = token_scores(reading.inputs, reading.head, batch.labels, tokens_at_once=4).logprobs
    # what is added up in bfloat16 over all tokens, or in float32 over pieces, differs by rounding
    close = 0.05 if autocast else 1e-4
    torch.testing.assert_close(found, expected, rtol=close, atol=close)
    made = gradients(model, found)
    assert made.keys() == wanted.keys()
    for name, gradient in wanted.items():
        scale = gradient.abs().max().clamp(min=1e-6)
        torch.testing.assert_close(made[name] / scale, gradient / scale, rtol=close, atol=close)


def test_the_adapters_that_act_are_those_of_the_forward_pass(samples: Any) -> None:
    """A head is computed again in the backward pass, when the switch is over."""
    model = lora_on_the_head().train()
    batch = Batch.of(packed_rows(samples([12, 9]), 100)[0], "cpu")
    with using_adapter(model, None):
        expected = whole(model, batch, autocast=False).detach()
        reading = read(model, batch)
    assert plain_linear(reading.head) is not None, "without its adapter it is one product"
    found = token_scores(reading.inputs, reading.head, batch.labels, tokens_at_once=4).logprobs
    torch.testing.assert_close(found, expected)
    assert plain_linear(head_of(model)) is None


def test_a_first_pass_leaves_every_weight_its_gradient(samples: Any) -> None:
    """Asking a model about its head is a pass without gradients; autocast would keep its casts."""
    batch = Batch.of(packed_rows(samples([12, 9]), 100)[0], "cpu")
    policy = Policy(build_llama(), autocast=True)
    first, second = (gradients(policy, policy(batch).logprobs) for _ in range(2))
    assert first.keys() == second.keys() == dict(policy.named_parameters()).keys()
    torch.testing.assert_close(first, second, rtol=0, atol=0)


class Shifting(nn.Module):
    """A model that adds something to its logits that no config speaks of."""

    def __init__(self) -> None:
        super().__init__()
        self.model = build_llama()
        self.config = self.model.config

    def get_output_embeddings(self) -> nn.Module:
        return self.model.lm_head

    def forward(self, **inputs: Any) -> Any:
        found = self.model(**inputs)
        found.logits = found.logits + torch.linspace(0, 3, found.logits.shape[-1])
        return found


def test_a_model_with_ways_of_its_own_is_read_whole_and_says_so(
    samples: Any, caplog: pytest.LogCaptureFixture
) -> None:
    model, batch = Shifting(), Batch.of(packed_rows(samples([12, 9]), 100)[0], "cpu")
    policy = Policy(model)
    expected = whole(model, batch, autocast=False)
    wanted = gradients(policy, expected)
    with caplog.at_level("WARNING"):
        scores = policy(batch)
    assert "more memory, same result" in caplog.text
    torch.testing.assert_close(scores.logprobs, expected)
    torch.testing.assert_close(gradients(policy, scores.logprobs), wanted)
    assert read(model, batch).states.shape[1] == 32


def test_a_cap_that_small_logits_would_hide_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh model's logits are near 0, where a cap of 3 does next to nothing."""
    assert head_of(gemma()).finish == Finish(cap=3.0)
    monkeypatch.setattr("luciola.models.head.CAPS", ())  # its config calls it otherwise
    assert head_of(gemma()).module is None
