"""The output head and the choice of a token, over tiles of the vocabulary.

No logits are written: each program keeps of its tile the best token with noise added, that token's
score, and the tile's sum of exponentials; a second kernel puts the tiles together and appends the
token to its row. Gumbel noise is that of `rollout.noise`, by the same hash.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from luciola.rollout.engine import slots as at
from luciola.rollout.engine.kernels.launching import early, follow
from luciola.rollout.engine.kernels.projections import precision
from luciola.rollout.engine.network import Network
from luciola.rollout.engine.slots import Slots


@triton.jit
def _mixed(state):
    """splitmix64's finaliser; see `rollout.noise`."""
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB
    return state ^ (state >> 31)


@triton.jit
def _gumbel(start, token):
    """Noise of a token, from its row's mixed key and position."""
    state = _mixed(start + token.to(tl.uint64) * 0x9E3779B97F4A7C15)
    u = ((state >> 32).to(tl.float32) + 0.5) * 2.3283064365386963e-10
    u = tl.minimum(u, 0.99999994039535522)
    # log1p(-u): log(w) · u / (1 - w) with the rounded w = 1 - u is exact to a few steps
    w = 1.0 - u
    small = w == 1.0
    log = tl.where(small, -u, tl.log(w) * u / tl.where(small, 1.0, 1.0 - w))
    return -tl.log(-log)


@triton.jit
def _tiles(
    states, weight, bias, temperatures, keys, counts, parts_best, parts_token, parts_score,
    parts_max, parts_sum, rows, width, vocabulary, softcap,
    DRAWS: tl.constexpr, CAPPED: tl.constexpr, BIAS: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    follow(EARLY)
    m = (tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)).to(tl.int64)
    tile = tl.program_id(1)
    tiles = tl.num_programs(1)
    n = (tile * BLOCK_N + tl.arange(0, BLOCK_N)).to(tl.int64)
    here, there = m < rows, n < vocabulary
    y = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    for start in range(0, width, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        inside = k < width
        left = tl.load(states + m[:, None] * width + k, mask=here[:, None] & inside, other=0.0)
        right = tl.load(
            weight + n[None] * width + k[:, None], mask=inside[:, None] & there, other=0.0
        )
        y += tl.dot(left, right, input_precision=PRECISION)
    if BIAS:
        y += tl.load(bias + n, mask=there, other=0.0).to(tl.float32)
    if CAPPED:
        y = softcap * (1.0 - 2.0 / (tl.exp(2.0 * y / softcap) + 1.0))
    noisy = y
    if DRAWS:
        temperature = tl.load(temperatures + m, mask=here, other=0.0)
        draws = temperature > 0
        y = y / tl.where(draws, temperature, 1.0)[:, None]
        key = tl.load(keys + m, mask=here, other=0).to(tl.uint64, bitcast=True)
        count = tl.load(counts + m, mask=here, other=0).to(tl.uint64, bitcast=True)
        begin = _mixed(key + _mixed(count + 1))
        noise = _gumbel(begin[:, None], n[None])
        noisy = y + tl.where(draws[:, None], noise, 0.0)
    y = tl.where(there, y, -float("inf"))
    noisy = tl.where(there, noisy, -float("inf"))
    best = tl.max(noisy, 1)
    token = tl.argmax(noisy, 1, tie_break_left=True)
    score = tl.sum(tl.where(tl.arange(0, BLOCK_N)[None] == token[:, None], y, 0.0), 1)
    highest = tl.max(y, 1)
    total = tl.sum(tl.exp(y - highest[:, None]), 1)
    place = m * tiles + tile
    tl.store(parts_best + place, best, mask=here)
    tl.store(parts_token + place, token + tile * BLOCK_N, mask=here)
    tl.store(parts_score + place, score, mask=here)
    tl.store(parts_max + place, highest, mask=here)
    tl.store(parts_sum + place, total, mask=here)


@triton.jit
def _append(
    parts_best, parts_token, parts_score, parts_max, parts_sum, tiles,
    table, ids, logprobs, ends, slots, length,
    TOKEN: tl.constexpr, POSITION: tl.constexpr, COUNT: tl.constexpr, LIMIT: tl.constexpr,
    FINISH: tl.constexpr, ENDED: tl.constexpr, FULL: tl.constexpr, ENDS: tl.constexpr,
    BLOCK: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    follow(EARLY)
    row = tl.program_id(0).to(tl.int64)
    tile = tl.arange(0, BLOCK)
    inside = tile < tiles
    place = row * tiles + tile
    best = tl.load(parts_best + place, mask=inside, other=-float("inf"))
    where = tl.argmax(best, 0, tie_break_left=True)
    chosen = row * tiles + where
    token = tl.load(parts_token + chosen).to(tl.int64)
    score = tl.load(parts_score + chosen)
    highest = tl.load(parts_max + place, mask=inside, other=-float("inf"))
    top = tl.max(highest, 0)
    sums = tl.load(parts_sum + place, mask=inside, other=0.0)
    logprob = score - top - tl.log(tl.sum(sums * tl.exp(highest - top), 0))
    if tl.load(table + FINISH * slots + row) == 0:
        position = tl.load(table + POSITION * slots + row) + 1
        count = tl.load(table + COUNT * slots + row) + 1
        tl.store(table + TOKEN * slots + row, token)
        tl.store(table + POSITION * slots + row, position)
        tl.store(table + COUNT * slots + row, count)
        kept = row * length + tl.minimum(position, length - 1)
        tl.store(ids + kept, token)
        tl.store(logprobs + kept, logprob)
        finish = tl.where(count >= tl.load(table + LIMIT * slots + row), FULL, 0)
        for index in range(ENDS):
            finish = tl.where(tl.load(ends + index) == token, ENDED, finish)
        tl.store(table + FINISH * slots + row, finish.to(tl.int64))


def choose_and_append(
    network: Network,
    states: Tensor,
    slots: Slots,
    ends: Tensor,
    *,
    greedy: bool,
    config: dict[str, int] | None = None,
) -> None:
    """The next token of the first B rows, from states (B, width) before the head: as
    `choosing.chosen` and `advance` without filters and penalties.
    """
    rows, width = states.shape
    vocabulary = len(network.head.weight)
    options = config or tile_config(rows, states.dtype)
    tiles = triton.cdiv(vocabulary, options["BLOCK_N"])
    parts = states.new_empty(4, rows, tiles, dtype=torch.float32)
    tokens = states.new_empty(rows, tiles, dtype=torch.int32)
    bias = network.head.bias
    _tiles[(triton.cdiv(rows, options["BLOCK_M"]), tiles)](
        states, network.head.weight, states if bias is None else bias,
        slots.settings[at.TEMPERATURE], slots.table[at.KEY], slots.table[at.COUNT],
        parts[0], tokens, parts[1], parts[2], parts[3],
        rows, width, vocabulary, network.head_softcap or 1.0,
        DRAWS=not greedy, CAPPED=network.head_softcap is not None, BIAS=bias is not None,
        PRECISION=precision(states), **options, **early(states),
    )  # fmt: skip
    block = triton.next_power_of_2(tiles)
    _append[(rows,)](
        parts[0], tokens, parts[1], parts[2], parts[3], tiles,
        slots.table, slots.ids, slots.logprobs, ends, slots.rows, slots.length,
        TOKEN=at.TOKEN, POSITION=at.POSITION, COUNT=at.COUNT, LIMIT=at.LIMIT, FINISH=at.FINISH,
        ENDED=at.ENDED, FULL=at.FULL, ENDS=len(ends), BLOCK=block,
        num_warps=min(8, max(1, block // 256)), **early(states),
    )  # fmt: skip


def tile_config(rows: int, dtype: torch.dtype) -> dict[str, int]:
    """Sizes of the tiles for so many rows."""
    if dtype == torch.float32:
        return {"BLOCK_M": 16, "BLOCK_N": 64, "BLOCK_K": 32, "num_warps": 4, "num_stages": 2}
    if rows <= 16:
        return {"BLOCK_M": 16, "BLOCK_N": 128, "BLOCK_K": 64, "num_warps": 4, "num_stages": 4}
    if rows <= 32:
        return {"BLOCK_M": 32, "BLOCK_N": 128, "BLOCK_K": 64, "num_warps": 4, "num_stages": 4}
    if rows <= 64:
        return {"BLOCK_M": 64, "BLOCK_N": 64, "BLOCK_K": 64, "num_warps": 4, "num_stages": 4}
    return {"BLOCK_M": 64, "BLOCK_N": 128, "BLOCK_K": 64, "num_warps": 8, "num_stages": 3}
