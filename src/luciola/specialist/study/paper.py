"""What was published, to stand beside one's own figures: EM and EX on Spider's 1,034 questions.

Source: Gao et al. 2023, https://arxiv.org/abs/2308.15363. Zero-shot and organization figures are
read off the bars of its figures 1 to 4 as drawn in the authors' repository (BeachWang/DAIL-SQL),
within 0.1 points; the selection figures are in that repository's README. EX is on the original
databases.
"""

from __future__ import annotations

from types import MappingProxyType

SOURCE = "Gao et al. 2023, arXiv 2308.15363"
MODELS = ("GPT-4", "GPT-3.5-TURBO", "TEXT-DAVINCI-003", "Vicuna-33B")
Pair = tuple[float, float]
"""EM and EX, percent."""

ZERO_SHOT = MappingProxyType(
    {
        "BS_P": ((48.5, 74.3), (45.5, 72.5), (29.9, 65.5), (10.8, 28.9)),
        "TR_P": ((41.4, 72.3), (43.2, 71.9), (33.7, 67.4), (18.3, 37.1)),
        "OD_P": ((47.5, 73.9), (48.8, 75.5), (35.5, 70.5), (19.1, 42.7)),
        "CR_P": ((22.1, 72.3), (34.6, 74.4), (31.7, 71.7), (6.9, 43.7)),
        "AS_P": ((39.4, 73.6), (37.9, 69.5), (23.2, 63.6), (8.6, 30.6)),
    }
)
"""By representation; a pair for each of `MODELS`. OD_P with the rule, the others without."""

FOREIGN_KEYS = MappingProxyType(
    {
        "BS_P": ((48.4, 76.9), (47.9, 74.5), (32.4, 66.3), (11.1, 33.9)),
        "TR_P": ((41.9, 72.1), (44.3, 73.5), (34.1, 69.2), (17.9, 37.9)),
        "OD_P": ((46.1, 74.5), (51.5, 78.4), (34.3, 72.6), (15.9, 41.1)),
        "AS_P": ((39.7, 76.2), (38.9, 70.6), (23.0, 63.2), (7.4, 28.2)),
    }
)
"""The same with foreign keys."""

OD_P_WITHOUT_RULE = ((42.7, 72.1), (42.5, 73.5), (33.1, 69.2), (15.6, 40.3))
RULE = MappingProxyType(
    {
        "TR_P": ((43.5, 72.9), (46.4, 73.4), (36.8, 68.9), (21.2, 38.0)),
        "OD_P": ZERO_SHOT["OD_P"],
        "CR_P": ((26.6, 73.7), (37.9, 76.6), (36.8, 72.6), (8.5, 47.6)),
        "AS_P": ((43.0, 74.8), (40.2, 70.4), (27.1, 66.5), (10.9, 31.4)),
    }
)
"""With the rule "with no explanation"; without it is `ZERO_SHOT`, and for OD_P the line above."""

SHOTS = (1, 3, 5)
SELECTION = MappingProxyType(
    {
        "RANDOM": (
            ((41.7, 77.4), (45.9, 73.9), (38.2, 70.6), (14.4, 47.9)),
            ((48.9, 79.4), (49.0, 73.6), (41.7, 71.6), (16.8, 46.9)),
            ((51.6, 79.5), (52.9, 75.7), (49.0, 72.1), None),
        ),
        "QTS_S": (
            ((53.3, 78.8), (51.9, 74.3), (44.1, 72.3), (16.5, 48.5)),
            ((56.3, 79.2), (53.8, 74.7), (52.2, 74.1), (21.1, 47.1)),
            ((58.2, 79.9), (55.9, 75.1), (54.8, 73.2), None),
        ),
        "MQS_S": (
            ((58.2, 79.1), (57.4, 76.0), (47.9, 75.0), (21.4, 48.7)),
            ((66.1, 81.5), (61.1, 77.3), (59.7, 77.0), (27.7, 52.3)),
            ((66.8, 82.0), (62.3, 77.9), (64.7, 78.6), None),
        ),
        "DAIL_S": (
            ((62.1, 80.2), (59.5, 75.5), (51.9, 76.9), (22.8, 49.2)),
            ((69.1, 81.7), (63.9, 77.8), (64.4, 79.5), (30.7, 53.6)),
            ((71.9, 82.4), (66.7, 78.1), (67.7, 80.5), None),
        ),
    }
)
"""By selection, then by `SHOTS`: CR_P with FI_O; Vicuna-33B's context held no 5 examples."""

ORGANIZATION_SHOTS = (0, 1, 3, 5, 7, 9)
ORGANIZATION = MappingProxyType(
    {
        "GPT-4": MappingProxyType(
            {
                "FI_O": (72.3, 80.2, 81.7, 82.4, None, None),
                "SO_O": (72.3, 79.2, 80.2, 80.9, 81.1, 81.0),
                "DAIL_O": (72.3, 80.9, 82.4, 82.5, 83.5, 83.4),
            }
        ),
        "GPT-3.5-TURBO": MappingProxyType(
            {
                "FI_O": (74.4, 75.5, 77.8, 78.1, None, None),
                "SO_O": (74.4, 76.3, 77.9, 78.8, 78.5, 78.0),
                "DAIL_O": (74.4, 77.5, 76.7, 79.0, 78.2, 77.9),
            }
        ),
        "TEXT-DAVINCI-003": MappingProxyType(
            {
                "FI_O": (71.7, 76.9, 79.5, 80.5, None, None),
                "SO_O": (71.7, 72.4, 74.3, 75.0, 74.8, 74.9),
                "DAIL_O": (71.7, 73.2, 74.6, 75.3, 74.4, 74.4),
            }
        ),
        "Vicuna-33B": MappingProxyType(
            {
                "FI_O": (43.7, 49.2, 53.6, None, None, None),
                "SO_O": (43.7, 48.3, 51.4, 51.1, 50.1, 49.9),
                "DAIL_O": (43.7, 46.8, 49.9, 49.2, 51.7, 51.8),
            }
        ),
    }
)
"""EX by `ORGANIZATION_SHOTS`: CR_P with DAIL_S; FI_O ends where the context does."""


def effect(after: tuple[Pair, ...], before: tuple[Pair, ...]) -> tuple[float, ...]:
    """Points of EX that each model gains."""
    return tuple(round(b[1] - a[1], 1) for a, b in zip(before, after, strict=True))


def keys_effect() -> dict[str, tuple[float, ...]]:
    """By representation, what foreign keys gain, points of EX for each of `MODELS`."""
    return {name: effect(pairs, ZERO_SHOT[name]) for name, pairs in FOREIGN_KEYS.items()}


def rule_effect() -> dict[str, tuple[float, ...]]:
    """By representation, what the rule gains."""
    before = {**ZERO_SHOT, "OD_P": OD_P_WITHOUT_RULE}
    return {name: effect(pairs, before[name]) for name, pairs in RULE.items()}
