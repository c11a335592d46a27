"""Answers judged on a server: each by itself, whatever happens to its connection."""

from __future__ import annotations

import threading
import time

import pytest

from database_servers import Server
from luciola.cli.scoring import summary
from luciola.specialist.evaluating import judge_predictions
from luciola.specialist.pairs import Pair

GOLD = "SELECT name FROM shop WHERE id = 1"
DEEP = "SELECT " + "(" * 400 + "1" + ")" * 400 + " FROM shop"


def test_each_answer_on_a_server_keeps_its_own_verdict(postgresql_server: Server) -> None:
    answers = [GOLD, DEEP, "SELECT nam FROM shop", GOLD + " AND true"]
    place = postgresql_server.url("shopdb")
    pairs = [Pair("Who?", GOLD)] * len(answers)
    found = judge_predictions(pairs, answers, [place] * len(answers), workers=2)
    outcomes = [verdict.outcome for verdict in found.verdicts]
    assert outcomes[0] == outcomes[3] == "right"
    assert outcomes[1] in ("wrong result", "invalid")
    assert outcomes[2] == "column"


def test_a_lost_connection_costs_one_answer_and_no_other(postgresql_server: Server) -> None:
    """An administrator ends the connection while the second of four queries runs."""
    psycopg = pytest.importorskip("psycopg")
    ended: list[int] = []

    def end_the_slow_one() -> None:
        admin = postgresql_server.url("postgres", "postgres")
        with psycopg.connect(admin, autocommit=True) as connection:
            for _ in range(300):
                found = connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'active' "
                    "AND usename = 'reader' AND query LIKE '%generate_series%'"
                ).fetchall()
                if found:
                    ended.append(len(found))
                    return
                time.sleep(0.05)

    slow = "SELECT count(*) FROM generate_series(1, 1000000000)"
    answers = [GOLD, slow, GOLD + " AND true", "SELECT nam FROM shop"]
    place = postgresql_server.url("shopdb")
    pairs = [Pair("Who?", GOLD)] * len(answers)
    ending = threading.Thread(target=end_the_slow_one)
    ending.start()
    found = judge_predictions(pairs, answers, [place] * 4, workers=1, timeout_s=10)
    ending.join()
    assert ended == [1]
    assert [one.outcome for one in found.verdicts] == ["right", "not judged", "right", "column"]
    assert "terminating connection" in found.verdicts[1].reason
    assert "the database cannot be read: 1" in summary(found)
