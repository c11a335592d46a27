"""A password stands in no file or line that a person could pass on, and need not be in a URL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from database_servers import PASSWORD, QUOTED, Server
from luciola.cli.main import main
from luciola.errors import DatabaseError
from luciola.sql.database.address import display_name
from luciola.sql.database.sandbox import Sandbox
from luciola.sql.database.url import parse_url
from support import write_model

VARIABLES = {"postgresql": "PGPASSWORD", "mariadb": "MYSQL_PWD"}
PAIR = {"question": "How many shops are there?", "query": "SELECT count(*) FROM shop"}
PIECES = (PASSWORD, QUOTED, "p@ss", "p%40ss")


def test_a_hidden_password_is_read_as_none() -> None:
    for url in ("postgresql://me:***@host/name", "postgresql://me@host/name?sslpassword=***"):
        assert display_name(url) == url
        address = parse_url(url)
        assert address.password == ""
        assert address.options == {}
    assert parse_url("postgresql://me:%2A%2A%2A@host/name").password == "***"


def test_the_path_of_a_key_is_no_secret() -> None:
    url = "postgresql://me:pw@host/name?sslkey=/me/my.key&passfile=/me/pw&sslpassword=x"
    shown = "postgresql://me:***@host/name?sslkey=/me/my.key&passfile=/me/pw&sslpassword=***"
    assert display_name(url) == shown


@pytest.mark.parametrize("system", ["postgresql", "mariadb"])
def test_a_run_keeps_no_password_and_goes_on_without_it(
    system: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Trained with the password in the URL; found again, evaluated and asked with it elsewhere."""
    server: Server = request.getfixturevalue(f"{system}_server")
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    Path("pairs.jsonl").write_text(json.dumps(PAIR) + "\n")
    model = write_model(tmp_path / "model", context=1024)
    url = server.url("shopdb")
    hidden = display_name(url)
    quick = ["max_steps=2", "batch=1", "precision=fp32", "device=cpu", "adapter=full"]
    train = ["sql", "train", url, "--pairs", "pairs.jsonl", f"model={model}", *quick]
    assert main([*train, "track=[tensorboard]"]) == 0
    said = capfd.readouterr()
    assert f"Ask it: luciola sql ask {hidden} " in said.out
    (run,) = Path("runs").iterdir()
    monkeypatch.setenv(VARIABLES[system], PASSWORD)
    assert main(["sql", "train", str(run / "recipe.yaml")]) == 0
    assert "finished already" in "".join(capfd.readouterr())
    judge = ["sql", "eval", hidden, "--pairs", "pairs.jsonl", "--model", str(run / "model")]
    assert main([*judge, "--device", "cpu", "--json", "eval.json", "--report", "eval.md"]) == 0
    assert main(["sql", "ask", hidden, PAIR["question"], "--device", "cpu"]) in (0, 1)
    more = capfd.readouterr()
    assert f"model {run / 'model'}, the newest trained on {hidden}" in more.err
    shown = said.out + said.err + more.out + more.err
    assert not [piece for piece in PIECES if piece in shown]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"recipe.yaml", "specialist.json", "eval.json"} <= {path.name for path in files}
    assert not [(p, word) for p in files for word in PIECES if word.encode() in p.read_bytes()]


@pytest.mark.parametrize("system", ["postgresql", "mariadb"])
def test_where_none_is_given_the_error_says_where_one_is_looked_for(
    system: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    server: Server = request.getfixturevalue(f"{system}_server")
    monkeypatch.delenv(VARIABLES[system], raising=False)
    url = display_name(server.url("shopdb"))
    with Sandbox(url) as sandbox, pytest.raises(DatabaseError, match="wants a password") as caught:
        sandbox.check()
    assert VARIABLES[system] in str(caught.value.remedy)


def test_a_password_file_of_postgresql_is_used(
    postgresql_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".pgpass"
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    file.write_text(f"127.0.0.1:{postgresql_server.port}:shopdb:reader:{escaped}\n")
    file.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGPASSFILE", str(file))
    with Sandbox(display_name(postgresql_server.url("shopdb"))) as sandbox:
        assert sandbox.run("SELECT count(*) FROM shop").rows == ((3,),)
