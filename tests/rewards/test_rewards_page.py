"""The examples of docs/rewards.md run, and give what the page says."""

from __future__ import annotations

import doctest
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from luciola.errors import RewardError
from luciola.rewards.building import build_reward
from luciola.rewards.rules import lexicon
from luciola.rewards.spec import KINDS, parse
from luciola.types import Answered
from support import VOCABULARY, build_tokenizer

PAGE = (Path(__file__).parents[2] / "docs" / "rewards.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
PORT = "8017"


@pytest.fixture
def port() -> Iterator[str]:
    """A server that scores an answer by its length, on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            scores = [len(answer) for answer in body["answers"]]
            self.wfile.write(json.dumps({"scores": scores}).encode())

        def log_message(self, *arguments: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield str(server.server_port)
    server.shutdown()
    server.server_close()


def write_sentiment(folder: Path) -> None:
    torch.manual_seed(0)
    labels = {0: "negative", 1: "positive"}
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        id2label=labels,
        label2id={name: index for index, name in labels.items()},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)


def test_the_pages_examples_give_what_it_says(tmp_path: Path, port: str) -> None:
    files = [block for block in BLOCKS if not block.startswith(">>>")]
    sessions = [block for block in BLOCKS if block.startswith(">>>")]
    assert (len(files), len(sessions)) == (1, 4)
    (tmp_path / "my_rewards.py").write_text(files[0])
    write_sentiment(tmp_path / "sentiment")
    text = "\n".join(sessions).replace(PORT, port)
    test = doctest.DocTestParser().get_doctest(text, {}, "docs/rewards.md", None, 0)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=0).run(test, out=said.append)
    assert result.failed == 0, "".join(said)
    assert result.attempted >= 12


def test_every_kind_is_on_the_page_and_every_written_reward_is_understood() -> None:
    for kind in KINDS:
        assert re.search(rf"^\| .*`{kind}[`:]", PAGE, re.MULTILINE), kind
    for text in re.findall(r"^  - (\S+) +#", PAGE, re.MULTILINE):
        parse(text)


def test_the_page_counts_the_words_of_the_list() -> None:
    assert f"a list of {len(lexicon().values)} English words" in PAGE


def test_the_pages_error_is_what_is_said(tmp_path: Path) -> None:
    (tmp_path / "my_rewards.py").write_text(
        "def share(answer):\n    return 1 / len(answer.split())\n"
    )
    with pytest.raises(RewardError) as caught:
        build_reward("my_rewards.py:share").score([Answered("6 x 7?", " ")])
    assert f"error: {caught.value}\n" in PAGE
