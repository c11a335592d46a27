"""Firefly's train_args files, run unchanged: `luciola train sft their_args.json`.

Its chat formats are in `conversation.firefly`, its conversations in `data.readers.firefly`; here
are its settings (`keys`, `arguments`), its pre-training blocks (`blocks`), and the way from a file
to a run (`running`).
"""

from luciola.compat.firefly.arguments import Translation, is_train_args, translate
from luciola.compat.firefly.running import recipe, run

__all__ = ["Translation", "is_train_args", "recipe", "run", "translate"]
