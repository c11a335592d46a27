"""What people ask every day must run; a guard that refuses it protects nothing worth having."""

from __future__ import annotations

from pathlib import Path

import pytest

from luciola.errors import SqlError
from luciola.sql.database.sandbox import Sandbox

HERE = Path(__file__).parent / "ordinary"
SYSTEMS = ["postgresql", "mariadb", "duckdb"]


def queries(system: str) -> list[str]:
    return (HERE / f"{system}.sql").read_text().splitlines()


@pytest.mark.parametrize(
    "database_url", [*SYSTEMS, "postgresql admin", "mariadb admin"], indirect=True
)
def test_a_hundred_ordinary_queries_run(database_url: str, request: pytest.FixtureRequest) -> None:
    system = database_url.partition(":")[0]
    found = queries(system)
    assert len(found) >= 100
    refused = []
    with Sandbox(database_url, timeout_s=20) as sandbox:
        for sql in found:
            try:
                sandbox.run(sql)
            except SqlError as error:
                refused.append(f"{sql}\n    {error}")
    assert not refused, "\n".join(refused)
