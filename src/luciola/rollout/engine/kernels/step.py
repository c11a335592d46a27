"""The decode step put together from the kernels."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, float16

from luciola.rollout.engine import slots as at
from luciola.rollout.engine.choosing import Mode, advance, chosen
from luciola.rollout.engine.decoding import Step
from luciola.rollout.engine.forward import embedded, hidden, logits
from luciola.rollout.engine.kernels import norms
from luciola.rollout.engine.kernels.attention import attend
from luciola.rollout.engine.kernels.head import choose_and_append
from luciola.rollout.engine.kernels.projections import norm_gated, norm_qkv, project_add
from luciola.rollout.engine.kernels.reading import KernelReader, turns_of
from luciola.rollout.engine.network import Network
from luciola.rollout.engine.slots import Slots

NARROW = 1280
"""Widths up to which products are fused with what surrounds them; above, reading the weights is
most of the time."""
LEAST_HALF = 16
"""Of a head: the smallest tile of a matrix product."""


def kernel_step(network: Network, slots: Slots, ends: Tensor) -> Step:
    """As `decoding.plain_step`."""
    states_of = kernel_states(network)

    def step(rows: int, length: int, mode: Mode) -> None:
        states = states_of(network, slots, rows, length)
        if mode.plain:
            choose_and_append(network, states, slots, ends, greedy=mode.greedy)
            return
        scores = logits(network, states)
        advance(slots, rows, *chosen(scores, slots, rows, length, mode), ends)

    return step


def kernel_states(network: Network) -> Callable[[Network, Slots, int, int], Tensor]:
    """As `decoding.decoded_states`, in the way that suits the network."""
    return narrow_states if fits_narrow(network) else wide_states


def fits_narrow(network: Network) -> bool:
    """Whether a network has nothing but what the fused products know."""
    width, half = network.embedding.shape[1], network.head_size // 2
    layer = network.layers[0]
    tables = network.tables(1)
    return (
        width <= NARROW
        and network.embedding.dtype != float16  # inputs are scaled before they are normed
        and network.gated
        and network.activation_name in (*norms.SILU, *norms.TANH_GELU)
        and not network.parallel
        and half >= LEAST_HALF
        and half & (half - 1) == 0
        and all(cos.shape[1] == half for cos, _ in tables)
        and layer.before_attention.kind == "rms"
        and all(
            one.out.bias is None
            and one.up.bias is None
            and one.down.bias is None
            and one.after_attention is None
            and one.after_mlp is None
            for one in network.layers
        )
    )


def narrow_states(network: Network, slots: Slots, rows: int, length: int) -> Tensor:
    """(B, width) before the head, in five kernels a layer."""
    positions = slots.table[at.POSITION, :rows]
    x = embedded(network, slots.table[at.TOKEN, :rows], positions)
    silu = network.activation_name in norms.SILU
    for index, layer in enumerate(network.layers):
        keys, values = slots.cache[index, 0], slots.cache[index, 1]
        queries = norm_qkv(
            x, layer, network, turns_of(slots.tables, layer), positions, keys, values
        )
        attended = attend(queries, keys, values, positions, length, layer, network)
        x = project_add(attended, layer.out.weight, x)
        x = project_add(norm_gated(x, layer, silu=silu), layer.down.weight, x)
    return norms.norm(x, network.last_norm)


def wide_states(network: Network, slots: Slots, rows: int, length: int) -> Tensor:
    """(B, width) before the head, with the library's products."""
    positions = slots.table[at.POSITION, :rows]
    x = embedded(network, slots.table[at.TOKEN, :rows], positions)
    return hidden(network, x, KernelReader(network, slots, positions, length), norms)
