"""The form of requests and replies of OpenAI-compatible servers, and their dialects.

    POST …/chat/completions {"model": …, "messages": [{"role": "user", "content": PROMPT}], …}
    POST …/completions      {"model": …, "prompt": PROMPT, …}

Reference: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from luciola.http.words import cut, is_page, message_of, page, read_json
from luciola.sql.asking.cache import moved
from luciola.sql.asking.model import Sampling

ADDRESS = (
    "Check the address (it mostly ends in /v1) and what stands between: a proxy or a login page "
    "answers in a server's place."
)
TOO_LONG = re.compile(
    r"context[ _-]?(length|window|size)|max_model_len|maximum (context|prompt|input)"
    r"|too many (input )?tokens|(prompt|input) is too long|max_new_tokens`? must be <=",
    re.IGNORECASE,
)
"""What OpenAI, vLLM, llama.cpp, TGI and others say of a prompt that does not fit."""


@dataclass(frozen=True)
class Dialect:
    """What a server has been found to understand.

    Args:
        several: more than one answer in one reply.
        seeds: a seed for what is drawn.
        limit: what it calls the most tokens of an answer.
        heats: a temperature; without, it takes its own, which is mostly 1.
        narrows: a share of the probability, top_p.
        stops: texts that end an answer; without, the answer is cut at them here.
    """

    several: bool = True
    seeds: bool = True
    limit: str = "max_tokens"
    heats: bool = True
    narrows: bool = True
    stops: bool = True

    def without(self, refusal: str, answers: int) -> Dialect | None:
        """The dialect after a request for so many answers was refused; None if nothing helps."""
        if "max_completion_tokens" in refusal and self.limit == "max_tokens":
            return replace(self, limit="max_completion_tokens")
        named = refused_setting(refusal)
        for setting, part in SETTINGS.items():
            if named == setting and getattr(self, part):
                return replace(self, **{part: False})  # type: ignore[arg-type]
        if self.several and answers > 1:
            return replace(self, several=False)
        return None

    def differs(self, other: Dialect) -> list[str]:
        """What this one does otherwise than another, in words."""
        words = {
            "several": "it is asked for one answer at a time",
            "seeds": "it is asked without a seed",
            "limit": f"it is asked with {self.limit}",
            "heats": "it takes only its own temperature (mostly 1), so none is sent",
            "narrows": "it is asked without top_p",
            "stops": "it is asked without stop, and its answers are cut here",
        }
        return [said for part, said in words.items() if getattr(self, part) != getattr(other, part)]


SETTINGS = {
    "temperature": "heats",
    "top_p": "narrows",
    "stop": "stops",
    "seed": "seeds",
    "n": "several",
}
"""A setting's name in a request, and the part of a dialect that it belongs to."""
REFUSED = re.compile(
    r"""['"`\s.](?P<name>temperature|top_p|stop|seed|n)['"`]?[\s:,'"`]""", re.IGNORECASE
)
OF_REFUSAL = re.compile(
    r"support|only|unknown|unrecogni|unexpected|not (?:permitted|allowed)|extra|invalid|deprecated",
    re.IGNORECASE,
)


def refused_setting(refusal: str) -> str:
    """The setting that a refusal is about; "" where it names none."""
    content = read_json(refusal)
    error = content.get("error", content) if isinstance(content, dict) else None
    param = error.get("param") if isinstance(error, dict) else None
    if isinstance(param, str) and param in SETTINGS:
        return param
    said = f" {message_of(refusal)} "
    found = REFUSED.search(said) if OF_REFUSAL.search(said) else None
    return found["name"].lower() if found else ""


@dataclass(frozen=True)
class Reply:
    """What a reply says, or what came instead of one.

    Args:
        texts: those that are no nonsense.
        prompt_tokens: of the prompt once, as the server counts, or 0.
        answer_tokens: of everything written.
        counted: whether the server counted; True where it read nothing.
        requests: how often the model read the prompt.
        problem: why a text is missing; "" where none is.
        is_final: whether asking again would give the same problem.
        is_prompts: whether the problem is this prompt's length, and the server is well.
        remedy: what to do if the problem lasts; "" where the server's owner has to look.
        pause_s: how long the server wants to be left alone; None where it does not say.
        cut: places of the texts that ended only because all tokens were written.
    """

    texts: tuple[str, ...] = ()
    prompt_tokens: int = 0
    answer_tokens: int = 0
    counted: bool = True
    requests: int = 0
    problem: str = ""
    is_final: bool = False
    is_prompts: bool = False
    remedy: str = ""
    pause_s: float | None = None
    cut: tuple[int, ...] = ()

    def followed_by(self, later: Reply) -> Reply:
        """Both together, with the problem that the later one has."""
        return replace(
            later,
            texts=self.texts + later.texts,
            prompt_tokens=max(self.prompt_tokens, later.prompt_tokens),
            answer_tokens=self.answer_tokens + later.answer_tokens,
            counted=self.counted and later.counted,
            requests=self.requests + later.requests,
            cut=self.cut + moved(later.cut, len(self.texts)),
        )


def body_of(
    model: str, prompt: str, sampling: Sampling, dialect: Dialect, *, chat: bool, answers: int
) -> bytes:
    """The request for some answers; a seed is sent only where something is drawn."""
    message = {"messages": [{"role": "user", "content": prompt}]} if chat else {"prompt": prompt}
    settings: dict[str, Any] = {"temperature": sampling.temperature} if dialect.heats else {}
    settings |= {"top_p": sampling.top_p} if dialect.narrows else {}
    settings |= {dialect.limit: sampling.max_tokens}
    settings |= {"n": answers} if answers > 1 else {}
    settings |= {"stop": list(sampling.stop)} if sampling.stop and dialect.stops else {}
    settings |= {"seed": sampling.seed} if dialect.seeds and sampling.temperature else {}
    return json.dumps({"model": model, **message, **settings}).encode()


def read_reply(text: str, *, chat: bool) -> Reply:
    """The texts of a reply, or what is wrong with it; never raises."""
    content = read_json(text)
    if not isinstance(content, dict):
        return _no_reply(text)
    read_tokens, written_tokens, counted = _usage(content)
    whole = Reply((), read_tokens, written_tokens, counted, requests=1)
    choices = content.get("choices")
    if not isinstance(choices, list) or not choices:
        said = message_of(text) if content.get("error") else cut(text)
        return replace(whole, problem=f"answered without choices: {said!r}")
    read = [_text(choice, chat) for choice in choices]
    problems = [(problem, final) for _, problem, final in read if problem]
    problem, is_final = problems[0] if problems else ("", False)
    good = [
        (text, choice) for (text, wrong, _), choice in zip(read, choices, strict=True) if not wrong
    ]
    endings = [_ending(choice) for _, choice in good]
    unfinished = tuple(place for place, ending in enumerate(endings) if ending == "length")
    texts = tuple(text for text, _ in good)
    return replace(whole, texts=texts, problem=problem, is_final=is_final, cut=unfinished)


def _no_reply(text: str) -> Reply:
    """What came instead of an answer, and what to do about it."""
    if not text.strip():
        problem = "answered with an empty reply"
    elif is_page(text):
        problem = f"answered with {page(text)} instead of JSON"
    else:
        problem = f"answered no JSON object: {cut(text)!r}"
    return Reply(problem=problem, counted=False, requests=1, remedy=ADDRESS)


def _usage(content: dict[str, Any]) -> tuple[int, int, bool]:
    usage = content.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    found = [counts.get(name) for name in ("prompt_tokens", "completion_tokens")]
    counted = isinstance(found[0], int)  # a completion of 0 tokens may be left out
    read, written = (count if isinstance(count, int) and count > 0 else 0 for count in found)
    return read, written, counted


def _text(choice: Any, chat: bool) -> tuple[str, str, bool]:
    """A choice's text, or its problem and whether that is final."""
    choice = choice if isinstance(choice, dict) else {}
    message = choice.get("message") if chat else {"content": choice.get("text")}
    message = message if isinstance(message, dict) else {}
    ending = choice.get("finish_reason")
    if ending == "content_filter":
        return "", "held the answer back (content filter)", True
    if refusal := message.get("refusal"):
        return "", f"refused to answer: {cut(str(refusal))!r}", True
    text = _joined(message.get("content"))
    if text.strip():
        return text.encode(errors="replace").decode(), "", False  # halves of characters
    if ending == "length":
        return "", "used all tokens of the answer before it said anything", True
    return "", "answered with an empty text", False


def _ending(choice: Any) -> Any:
    return choice.get("finish_reason") if isinstance(choice, dict) else None


def _joined(content: Any) -> str:
    """Content as text; some servers write it in parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def code_of(text: str) -> str:
    """The error's code and kind in one text, for looking for words in it."""
    content = read_json(text)
    error = content.get("error", content) if isinstance(content, dict) else None
    error = error if isinstance(error, dict) else {}
    return " ".join(str(error.get(name) or "") for name in ("code", "type", "param"))
