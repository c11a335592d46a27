"""No statement takes more than 1 GB, neither in its worker nor in the process that compares."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import luciola

GB = 10**9
NUMBERS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {}) SELECT "
HALF = NUMBERS.format(390_000)
HEAVY = {
    "as many rows as may be, in another order of columns": (
        HALF + "x, x + 1e18, x * 1e9, -x FROM c",
        HALF + "-x, x * 1e9, x, x + 1e18 FROM c",
    ),
    "rows of 1,900 empty texts": (HALF + ", ".join(["''"] * 1900) + " FROM c",),
    "a text of other planes": ("SELECT replace(hex(zeroblob(4000000)), '0', '😀')",),
    "sorting what is too much": (HALF + "zeroblob(5000) FROM c ORDER BY random()",),
    "a wide blob again and again": (NUMBERS.format(9) + "zeroblob(15000000) FROM c",),
    "a group as one text": (NUMBERS.format(4_000_000) + "json_group_array(x) FROM c",),
}
CODE = """
import resource, sys
from pathlib import Path
from luciola.sql.database.judging import judging_sandbox
from luciola.sql.official.execution import Judge
from luciola.sql.rules import spider

with judging_sandbox(timeout_s=60, workers=1) as sandbox:
    judge = Judge(sandbox, spider(keep_distinct=True), plug_value=False)
    outcome = judge.judge(sys.argv[2], sys.argv[3] + " -- again", [Path(sys.argv[1])])
status = Path("/proc/self/status").read_text()
own = int(status.split("VmHWM:")[1].split()[0])  # ru_maxrss would count the parent's, too
workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(own * 1024, workers * 1024, outcome)
"""


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=pytest.mark.slow if "may be" in one else ()) for one in HEAVY],
)
def test_judging_takes_less_than_a_gigabyte_in_any_process(name: str, shop: Path) -> None:
    """The wider limits, with gold's result and the answer's in memory at the same time."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(shop), HEAVY[name][0], HEAVY[name][-1]],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(luciola.__file__).parents[1])},
    )
    comparing, worker, *_ = done.stdout.split()
    assert int(worker) < GB, done.stdout
    assert int(comparing) < GB, done.stdout
