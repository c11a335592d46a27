"""What lasts all through a run, by hand; cards; the table."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from luciola.errors import ConfigError
from luciola.memory.cards import CUDA_BYTES, GIB, SIZES, Card, named_card
from luciola.memory.forecast import Forecast, table
from luciola.memory.lasting import Kept, Quantised, dequantised_bytes, lasting


class Roles(nn.Module):
    """A frozen matrix of 256 x 512, a trained one of 64 x 128, and a reference."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.ModuleDict(
            {
                "frozen": nn.Linear(512, 256, bias=False, dtype=torch.bfloat16),
                "adapter": nn.Linear(128, 64, bias=False),
            }
        )
        self.model["frozen"].requires_grad_(False)
        self.reference = nn.Linear(128, 8, bias=False).requires_grad_(False)


def test_parts_by_hand() -> None:
    """131,072 numbers in bfloat16; 8,192 trained in float32 with a gradient, two states (and the
    step's count, a block) and an average; 1,024 of the reference.
    """
    assert lasting(Roles().to("meta"), Kept(averages=True)) == {
        "weights": 262_144,
        "adapters": 32_768,
        "gradients": 32_768,
        "optimizer": 2 * 32_768 + 512,
        "average of the weights": 32_768,
        "reference": 4_096,
    }


def test_eight_bit_states_by_hand() -> None:
    """Two bytes a number, and two float32 for 256 numbers: 16,384 + 256, in blocks of 512."""
    assert lasting(Roles(), Kept(optimizer="adamw8bit"))["optimizer"] == 16_896 + 512


def test_four_bit_weights_by_hand() -> None:
    """131,072 numbers are 65,536 bytes, 2,048 constants of a byte, and 8 float32 for these; the
    reference's 1,024 are 512, 16 and 4. Unpacked, the largest takes two bytes a number.
    """
    parts = lasting(Roles(), Kept(quantised=Quantised(4)))
    assert parts["weights"] == 65_536
    assert parts["reference"] == 512
    assert parts["quantisation constants"] == 2_048 + 8 * 4 + 16 + 4
    assert dequantised_bytes(Roles()) == 262_144


def test_an_output_head_keeps_its_type_where_the_rest_is_in_few_bits() -> None:
    """16 x 512 more numbers of two bytes, and no constants for them."""
    roles = Roles()
    head = nn.Linear(512, 16, bias=False, dtype=torch.bfloat16)
    roles.model["lm_head"] = head.requires_grad_(False)
    before, after = (lasting(r, Kept(quantised=Quantised(4))) for r in (Roles(), roles))
    assert after["weights"] - before["weights"] == 16 * 512 * 2
    assert after["quantisation constants"] == before["quantisation constants"]


def test_a_copy_to_sample_from_is_of_the_base_alone() -> None:
    """131,072 numbers of four bytes; neither the adapter's nor the reference's."""
    assert lasting(Roles(), Kept(sampling_bytes=4))["copy to sample from"] == 131_072 * 4


def test_tied_weights_count_once() -> None:
    roles = Roles()
    roles.model["tied"] = nn.Linear(512, 256, bias=False).requires_grad_(False)
    before = lasting(roles, Kept())["weights"]
    roles.model["tied"].weight = roles.model["frozen"].weight
    assert lasting(roles, Kept())["weights"] < before


@pytest.mark.parametrize(
    ("name", "size"), [("H100", SIZES["h100"]), ("RTX 4090", SIZES["rtx4090"]), ("24GB", 24.0)]
)
def test_cards_have_names_or_sizes(name: str, size: float) -> None:
    assert named_card(name).total_bytes == int(size * GIB)


@pytest.mark.parametrize("name", ["rtx4091", "0GB", "GB", ""])
def test_a_card_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no card that is known"):
        named_card(name)
    assert not named_card("T4").has_bfloat16


FORECAST = Forecast(
    lasting={"weights": 3 * GIB, "gradients": GIB},
    phases={"update": {"mlp": 2 * GIB}, "rollouts": {"KV cache": 2 * GIB}},
    micro_tokens=64,
)


def test_gradients_belong_to_the_update() -> None:
    assert FORECAST.highest == "update"
    assert FORECAST.peak == 6 * GIB
    assert FORECAST.of_phase("rollouts") == 5 * GIB
    assert FORECAST.largest(2) == [("weights", 3 * GIB), ("mlp", 2 * GIB)]


def test_gradients_that_a_step_makes_are_not_counted_beside_those_that_last() -> None:
    for made, kept in ((1, 2), (2, 1)):
        phases = {"update": {"mlp": GIB, "gradients": made * GIB}}
        both = Forecast({"weights": GIB, "gradients": kept * GIB}, phases, micro_tokens=64)
        assert both.parts("update") == {"weights": GIB, "gradients": 2 * GIB, "mlp": GIB}


def test_a_card_must_hold_more_than_the_tensors() -> None:
    """6 GiB of tensors; 4 % of the card and CUDA's own are not theirs."""
    least = int((6 * GIB + CUDA_BYTES) / 0.96) + 2
    assert FORECAST.fits(Card("just", least))
    assert not FORECAST.fits(Card("short", least - 4096))


def test_the_table_shows_what_was_measured() -> None:
    text = table(FORECAST, Card("small", 4 * GIB), {"weights": 2 * GIB})
    assert "weights                3.00 GiB   measured 2.00 GiB (+50.0%)" in text
    assert "DOES NOT FIT" in text
    assert "(at the peak of rollouts: 5.00 GiB)" in text
