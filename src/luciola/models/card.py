"""The model card of a merged model: what it was made from, how, and how the merge was checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luciola.models.source import Source
from luciola.runs.folder import RECIPE, REPORT
from luciola.runs.report import table

if TYPE_CHECKING:
    from luciola.models.merge import Merge


def model_card(adapter: Source, base: Source, merge: Merge) -> str:
    """Markdown with the front matter that model hubs read."""
    name = base_name(base)
    parts = [
        f"---\nbase_model: {json.dumps(name)}\nlibrary_name: transformers\n"
        "pipeline_tag: text-generation\n---",
        f"# {merge.folder.name}",
        f"{name} with an adapter merged into its weights ({merge.dtype}). "
        "Loads with plain transformers, tokenizer and chat template included.",
        "## The merge\n\n" + table(_figures(merge)),
    ]
    run = adapter.path.parent
    if (run / RECIPE).is_file():
        recipe = (run / RECIPE).read_text(encoding="utf-8").strip()
        parts.append(f"## The recipe\n\n```yaml\n{recipe}\n```")
        parts += _report(run / REPORT)
    return "\n\n".join(parts) + "\n"


def base_name(base: Source) -> str:
    """The base as others can find it: a hub id, a bundled name, or the folder's own name."""
    return base.location if base.kind == "hub" else base.path.name


def _figures(merge: Merge) -> Mapping[str, Any]:
    return {
        "weights": merge.dtype,
        "tokens compared": merge.seen.tokens,
        "KL before and after, mean (nats)": merge.seen.kl_mean,
        "KL before and after, largest (nats)": merge.seen.kl_max,
        "same most likely token": f"{merge.seen.same_choice:.1%}",
        "logits moved by (RMS)": merge.seen.distance,
        "noise of the rounding's size moves them by (RMS)": merge.rounding.distance,
        "the adapter moves them by (RMS)": merge.effect,
    }


def _report(file: Path) -> list[str]:
    """The figures of the run, where it came to its end."""
    try:
        figures = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return ["## The run\n\n" + table(figures)]
