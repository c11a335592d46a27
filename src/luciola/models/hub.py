"""Asking the model hub once, and quickly, before anything is loaded from it.

Left to themselves, transformers and the hub client try for three quarters of a minute before they
say that there is no network.
"""

from __future__ import annotations

import logging

from luciola.errors import ModelError
from luciola.models.source import ways

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0


def is_reachable(model: str) -> bool:
    """True where the hub has `model` and lets us have it; False where there is no hub to ask.

    Raises: ModelError where the hub answers that there is no such model, or that it is locked.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        HfApi().model_info(model, timeout=TIMEOUT_S)
    except GatedRepoError as error:
        raise ModelError(
            f"the hub gives out {model} only to people who accepted its terms",
            remedy="Accept them on the model's page, then set HF_TOKEN.",
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"there is no model {model!r} on the hub, or it is private",
            remedy="Check the spelling; for a private model set HF_TOKEN.",
        ) from error
    except Exception as error:  # offline: the HTTP library and its errors differ between versions
        log.debug("the hub did not answer: %s", error)
        return False
    return True


def not_in_cache(model: str) -> ModelError:
    """The error for a hub model that can neither be downloaded nor found on this machine."""
    return ModelError(
        f"{model!r} is no folder here, and the model hub cannot be reached to download it",
        remedy=f"Check the network. {ways(model)}",
    )
