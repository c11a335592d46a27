"""The page of a trace, read by a real browser where there is one, and as text."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from html import unescape
from pathlib import Path

import pytest

from luciola.runs import page as page_module
from luciola.runs.page import trace_page
from luciola.runs.trace import AnswerTrace
from synthetic_trace import complete, grpo_answer, ppo_answer, ppo_run

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
HOSTILE = "</script><script>document.title='taken over'</script><img src=x onerror=alert(1)>"


def by_hand(**changes: object) -> AnswerTrace:
    """Two tokens. The first: kl 0.2, r = -0.05·0.2 = -0.01, δ = -0.01 + 0.5 - 0.3 = 0.19; the
    second: kl 0, r = 1, δ = 1 - 0.5 = 0.5. So A = 0.19 + 0.95·0.5 = 0.665 and 0.5, R = 0.965 and 1.
    ρ = exp(0.3) = 1.34986 is above 1.2 and the first advantage, whitened, is 1: clipped.
    """
    values: dict[str, object] = {
        "tokens": ["Yes", "!"],
        "logprobs": [-1.0, -0.5],
        "ref_logprobs": [-1.2, -0.5],
        "values": [0.3, 0.5],
        "new_logprobs": [-0.7, -0.6],
        "new_values": [0.35, 0.6],
        "score": 1.0,
        "iteration": 3,
        "step": 12,
        "prompt_index": 0,
        "prompt": "Polite?",
    }
    return complete(**{**values, **changes})  # type: ignore[arg-type]


def seen(page: str, folder: Path, address: str = "") -> str:
    """What Chromium has made of the page, as HTML."""
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8", errors="replace")
    command = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu"]
    command += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=1000"]
    command += ["--dump-dom", f"{path.as_uri()}#{address}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return re.sub(r"<script.*?</script>|<style.*?</style>", "", done.stdout, flags=re.DOTALL)


def text(html: str) -> str:
    """The words of the page with single blanks."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html)))


def data(page: str) -> dict[str, object]:
    """The data that the page carries."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    loaded: dict[str, object] = json.loads(found[1])
    return loaded


@needs_browser
def test_the_arithmetic_of_the_chosen_token_is_written_out(tmp_path: Path) -> None:
    page = trace_page([by_hand(), *ppo_run(2)], run="r")
    shown = text(seen(page, tmp_path, "step=12&prompt=0&token=0"))
    assert "Token 0 Yes" in shown
    assert "probability π 36.8 %" in shown
    assert "kl = ln π − ln π_ref = −1 − (−1.2) = 0.2" in shown
    assert "r = −β · kl + score = −0.05 × 0.2 + 0 = −0.01" in shown
    assert "δ = r + γ · V(next) − V = −0.01 + 1 × 0.5 − 0.3 = 0.19" in shown
    assert "A = δ + γ · λ · A(next) = 0.19 + 1 × 0.95 × 0.5 = 0.665" in shown
    assert "A = 0.19 + 0.95 × 0.5" in shown
    assert "R = A + V = 0.665 + 0.3 = 0.965" in shown
    assert "(A − mean) / spread, of the iteration = (0.665 − 0.5825) / 0.0825 = 1" in shown
    assert "ρ = exp(ln π_new − ln π) = exp(−0.7 − (−1)) = 1.35" in shown
    assert "trust interval 0.8 to 1.2 Clipped: ρ is above it" in shown
    assert "loss = −min(ρ · A, clip(ρ) · A) = −min(1.35 × 1, 1.2 × 1) = −1.2" in shown
    assert "from 36.8 % to 49.7 %. Past the clip it is pushed no further." in shown
    assert "used another rule" not in shown


@needs_browser
def test_the_last_token_has_the_score_and_nothing_after_it(tmp_path: Path) -> None:
    shown = text(seen(trace_page([by_hand()], run="r"), tmp_path, "token=1"))
    assert "= −0.05 × 0 + 1 = 1 β = 0.05 is the price of a nat. The score is paid on" in shown
    assert "= 1 + 1 × 0 − 0.5 = 0.5" in shown
    assert "worse than expected (advantage −1)" in shown
    # V_new = 0.6 from 0.5, within ±0.2: ½ (0.6 - 1)² = 0.08
    assert "½ max((0.6 − 1)², (0.6 − 1)²) = 0.08" in shown


@needs_browser
def test_a_result_that_is_not_the_runs_own_is_said(tmp_path: Path) -> None:
    answer = by_hand()
    wrong = AnswerTrace(**{**answer.__dict__, "returns": [0.5, 1.0]})
    shown = text(seen(trace_page([wrong], run="r"), tmp_path, "token=0"))
    assert "= 0.665 + 0.3 = 0.5 This page gets 0.965; the run used another rule here." in shown
    assert shown.count("used another rule") == 1


@needs_browser
def test_step_prompt_and_column_come_from_the_address(tmp_path: Path) -> None:
    answers = ppo_run(5, prompts=3)
    page = trace_page(answers, run="r")
    html = seen(page, tmp_path, "step=13&prompt=2&token=99&colour=ratios")
    wanted = next(a for a in answers if (a.iteration, a.prompt_index) == (3, 2))
    shown = text(html)
    assert "12 (iteration 3, 3 of 5)" in shown
    assert f"Token {len(wanted.tokens) - 1} <|im_end|>" in shown
    assert html.count('class="token') == len(wanted.tokens)
    assert "ratio ρ 1." in html or "ratio ρ 0." in html
    assert html.count('class="chosen"') == 1


@needs_browser
def test_a_method_without_critic_shows_its_group_and_no_values(tmp_path: Path) -> None:
    shown = text(seen(trace_page([grpo_answer(["a", " b"])], run="r"), tmp_path, "token=0"))
    assert "spread of the group = (1.5 − 1) / 0.4 = 1.25" in shown
    assert "cut at the length limit" in shown
    assert "TD error" not in shown
    assert "The critic expects" not in shown


@needs_browser
def test_a_baseline_is_taken_from_the_answers_reward_as_it_is_compared(tmp_path: Path) -> None:
    """RLOO: the score 1.5, less a KL penalty of 0.2, against 1."""
    full = grpo_answer(["a", " b"])
    changes = {
        "settings": {"group_score": 1.3, "baseline": 1.0},
        "rewards": [-0.1, 1.4],
        "advantages": [0.3, 0.3],
        "policy_losses": [-0.3 * lp for lp in full.new_logprobs],
    }
    answer = AnswerTrace(**{**full.__dict__, **changes})
    shown = text(seen(trace_page([answer], run="r"), tmp_path, "token=0"))
    assert "A = Σ r − baseline = 1.3 − 1 = 0.3" in shown
    assert "loss = −ln π_new · A" in shown
    assert "trust interval" not in shown


@needs_browser
def test_what_a_model_writes_never_becomes_markup(tmp_path: Path) -> None:
    tokens = ["a", HOSTILE, "<!--", "&amp;", "\n", "\t", "", "\u2028", "日本"]
    answer = ppo_answer(tokens)
    html = seen(trace_page([answer], run="<b>run</b>"), tmp_path, "token=1")
    assert "<title>Trace of &lt;b&gt;run&lt;/b&gt;</title>" in html
    assert "<img" not in html
    shown = text(html)
    assert f"Token 1 {HOSTILE.replace(' ', '·')}" in shown
    for word in ("<!--", "&amp;", "↵", "⇥", "∅", "⟨U+2028⟩", "日本"):
        assert word in shown, word


@needs_browser
def test_keys_go_from_token_to_token_and_from_step_to_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ["ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp", "ArrowUp", "ArrowDown"]
    script = f"""for (const key of {json.dumps(keys)})
        document.body.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));"""
    plain = page_module._part
    monkeypatch.setattr(
        page_module, "_part", lambda name: plain(name) + (script if name == "page.js" else "")
    )
    html = seen(trace_page(ppo_run(5), run="r"), tmp_path, "step=16&token=3")
    shown = text(html)
    assert "Token 4 " in shown
    assert "12 (iteration 3, 3 of 5)" in shown
    assert html.count('aria-current="true"') == html.count('tabindex="0"') - 1 == 1


@needs_browser
def test_pointing_at_a_token_shows_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = """document.querySelectorAll(".token")[5].dispatchEvent(
        new MouseEvent("mouseover", { bubbles: true }));"""
    plain = page_module._part
    monkeypatch.setattr(
        page_module, "_part", lambda name: plain(name) + (script if name == "page.js" else "")
    )
    shown = text(seen(trace_page(ppo_run(2), run="r"), tmp_path, "step=4&token=1"))
    assert "Token 5 " in shown
    assert "Token 1 " not in shown
    for phase in ("1 Sampling", "2 Feedback", "3 Learning"):
        assert phase in shown


@needs_browser
def test_curves_join_the_batch_with_the_traced_answers(tmp_path: Path) -> None:
    metrics = [
        {"step": step, "eval/score": 9, "score/mean": step / 2, "lr": 0.1} for step in range(1, 9)
    ]
    html = seen(trace_page(ppo_run(2), metrics, run="r"), tmp_path)
    assert "whole batch (score/mean) from 0.5 at step 1 to 4 at step 8; traced answers from" in html
    assert html.count('class="chart"') == 4
    assert '<option value="lr">lr</option>' in html


@needs_browser
def test_answers_that_are_empty_or_missing_are_said(tmp_path: Path) -> None:
    head = {"iteration": 9, "step": 9, "method": "ppo", "prompt": "p", "finish": "end"}
    empty = AnswerTrace(**head, prompt_index=0, tokens=[])  # type: ignore[arg-type]
    page = trace_page([*ppo_run(2), empty], run="r")
    assert "The answer is empty." in text(seen(page, tmp_path, "step=9&prompt=0"))
    missing = text(seen(page, tmp_path, "step=9&prompt=1"))
    assert "This prompt was not traced at this step." in missing


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = trace_page([by_hand()], run="r")
    assert not re.search(r"(?:src|href)\s*=|url\(|@import|fetch\(|XMLHttpRequest", page)
    addresses = set(re.findall(r"https?://[^\s\"']+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, never loaded
    assert "default-src 'none'; script-src 'sha256-" in page


def test_nothing_in_the_data_can_end_their_element() -> None:
    page = trace_page([ppo_answer(["a", HOSTILE, "<!--", "@@script@@", "\u2028"])], run="r")
    inside = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert inside is not None
    assert not set("<>&\u2028") & set(inside[1])
    (answer,) = data(page)["answers"]  # type: ignore[misc]
    assert answer["tokens"] == ["a", HOSTILE, "<!--", "@@script@@", "\u2028"]


def test_of_an_answer_that_was_traced_twice_the_later_counts() -> None:
    first, second = ppo_answer(["old"], score=1.0), ppo_answer(["new"], score=2.0)
    (answer,) = data(trace_page([first, second], run="r"))["answers"]  # type: ignore[misc]
    assert answer["tokens"] == ["new"]


def test_prompts_are_kept_once() -> None:
    kept = data(trace_page(ppo_run(6, prompts=2), run="r"))
    assert kept["prompts"] == [f"Prompt number {index}: be polite." for index in range(2)]


def test_prompts_that_read_alike_stay_apart() -> None:
    """Two conversations may end with the same turn."""
    answers = [
        AnswerTrace(**{**ppo_answer([word], prompt_index=index).__dict__, "prompt": "Go on."})
        for index, word in enumerate(("one", "two"))
    ]
    kept = data(trace_page(answers, run="r"))
    assert kept["prompts"] == ["Go on.", "Go on."]
    assert [answer["prompt"] for answer in kept["answers"]] == [0, 1]  # type: ignore[attr-defined]


def test_a_hundred_iterations_of_four_prompts_stay_below_five_megabytes() -> None:
    answers: Sequence[AnswerTrace] = ppo_run(100, prompts=4, length=50)
    assert len(trace_page(answers, run="r").encode()) < 5_000_000
