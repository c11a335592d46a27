"""`python -m luciola` is `luciola`; so torchrun starts it: `torchrun … -m luciola train sft …`."""

import sys

from luciola.cli.main import main

sys.exit(main())
