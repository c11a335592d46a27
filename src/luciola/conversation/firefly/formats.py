"""Firefly's 23 chat formats as data, and where they depart from the model's own.

A format is what stands around the system message, a user turn and an answer. Each of these is
turned into tokens apart from the others, and of an answer all is trained, its end mark and a line
break behind it included. Source: Firefly of October 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from luciola.errors import TemplateError

SCHEME = "firefly:"


@dataclass(frozen=True)
class Special:
    """A special token that is put in by its id, not by its text; `label` is how it is shown."""

    token: str
    label: str


@dataclass(frozen=True)
class Ending:
    """The text of the tokenizer's end token."""


@dataclass(frozen=True)
class Content:
    """The message's text."""


@dataclass(frozen=True)
class Round:
    """The number of the question, from 1."""


Part = str | Special | Ending | Content | Round
Parts = tuple[Part, ...]
CONTENT = Content()
EOS = Special("", "EOS")
"""The tokenizer's end token, whatever it is."""


@dataclass(frozen=True)
class Format:
    """One chat format.

    Args:
        user, assistant: what a turn becomes; the user's ends with where the answer begins.
        system: what a system message becomes; None: there is no place for one.
        default: the system message of conversations without one; None: none is put in.
        stop: the text that ends an answer; None: the tokenizer's end token.
        opening: what every conversation begins with.
        also_ends: tokens that end an answer besides, as the model may go on with the next role.
        departs: what differs from the model's own template; empty: nothing that is known.
    """

    user: Parts
    assistant: Parts
    system: Parts | None = None
    default: str | None = None
    stop: str | None = "</s>"
    opening: tuple[Special, ...] = ()
    also_ends: tuple[Special, ...] = ()
    departs: str = ""

    @property
    def shows_system(self) -> bool:
        """Whether the text of a system message appears."""
        return self.system is not None and CONTENT in self.system


def _parts(text: str) -> Parts:
    """`{}` in a text is the message's content."""
    before, _, after = text.partition("{}")
    return tuple(part for part in (before, CONTENT, after) if part)


def _plain(
    user: str,
    assistant: str,
    *,
    stop: str = "</s>",
    system: str | None = None,
    default: str | None = None,
    departs: str = "",
) -> Format:
    return Format(
        _parts(user),
        (CONTENT, assistant.removeprefix("{}")),
        None if system is None else _parts(system),
        default,
        stop,
        departs=departs,
    )


def _opened(mark: str, user: str, assistant: str, *, stop: str, departs: str = "") -> Format:
    """A begin mark in the place of a system message, whose text goes nowhere."""
    return Format(_parts(user), _parts(assistant), (mark,), "", stop, departs=departs)


def _chatml(default: str | None) -> Format:
    return _plain(
        "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n",
        "{}<|im_end|>\n",
        stop="<|im_end|>",
        system="<|im_start|>system\n{}<|im_end|>\n",
        default=default,
    )


INTERNLM = (
    "You are an AI assistant whose name is InternLM (书生·浦语).\n"
    "- InternLM (书生·浦语) is a conversational language model that is developed by Shanghai AI "
    "Laboratory (上海人工智能实验室). It is designed to be helpful, honest, and harmless.\n"
    "- InternLM (书生·浦语) can understand and communicate fluently in the language chosen by the "
    "user such as English and 中文."
)
CHATGLM3 = (
    "You are ChatGLM3, a large language model trained by Zhipu.AI. Follow the user's instructions "
    "carefully. Respond using markdown."
)
VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions."
)
LLAMA2 = (
    "You are a helpful, respectful and honest assistant. Always answer as helpfully as possible, "
    "while being safe. Your answers should not include any harmful, unethical, racist, sexist, "
    "toxic, dangerous, or illegal content. Please ensure that your responses are socially unbiased "
    "and positive in nature.\n\nIf a question does not make any sense, or is not factually "
    "coherent, explain why instead of answering something not correct. If you don't know the "
    "answer to a question, please don't share false information."
)
HELPFUL = "You are a helpful assistant."
"""These are the models' own default system messages."""
GLM_OPENING = (Special("[gMASK]", "gMASK"), Special("sop", "sop"))

_MISTRAL = _opened(
    "<s>",
    "[INST]{}[/INST]",
    "{}</s>",
    stop="</s>",
    departs="no spaces inside [INST] and before the answer; the system message is left out",
)

FORMATS: dict[str, Format] = {
    "default": Format(
        _parts("User: {}\nAssistant: "),
        (CONTENT, " ", Ending()),
        _parts("System: {}\n\n"),
        None,
        None,
    ),
    "internlm": _plain(
        "<|User|>:{}\n<|Bot|>:", "{}</s>\n", system="<|System|>:{}\n", default=INTERNLM
    ),
    "internlm2": _chatml(INTERNLM),
    "qwen": _chatml(HELPFUL),
    "yi": _chatml(None),
    "orion": _opened("<s>", "Human: {}\n\nAssistant: </s>", "{}</s>", stop="</s>"),
    "deepseek": _plain(
        "User: {}\n\nAssistant: ",
        "{}<｜end▁of▁sentence｜>",
        stop="<｜end▁of▁sentence｜>",
        departs="no begin token; the system message is left out",
    ),
    "chatglm2": Format(
        ("[Round ", Round(), "]\n\n问：", CONTENT, "\n\n答："), (CONTENT, EOS), opening=GLM_OPENING
    ),
    "chatglm3": Format(
        (Special("<|user|>", "USER"), CONTENT, Special("<|assistant|>", "ASSISTANT")),
        (CONTENT, EOS),
        (Special("<|system|>", "SYSTEM"), CONTENT),
        CHATGLM3,
        opening=GLM_OPENING,
        also_ends=(Special("<|user|>", "USER"), Special("<|observation|>", "OBSERVATION")),
        departs="no line break after the role tokens, and answers end with the end token",
    ),
    "ziya2": _plain("<human>:{} <bot>:", "{}</s>"),
    "xverse": _plain("Human: {}\n\nAssistant: ", "{}<|endoftext|>", stop="<|endoftext|>"),
    "minicpm": _plain("<用户>{}<AI>", "{}</s>", departs="no begin token"),
    "minicpm3": _chatml(HELPFUL),
    "zephyr": _plain(
        "<|user|>\n{}</s>\n<|assistant|>\n",
        "{}</s>\n",
        system="<|system|>\n{}</s>",
        departs="no line break between the system message and the first question",
    ),
    "mistral": _MISTRAL,
    "mixtral": _MISTRAL,
    "baichuan": _plain("<reserved_102>{}<reserved_103>", "{}</s>"),
    "baichuan2": _plain("<reserved_106>{}<reserved_107>", "{}</s>"),
    "vicuna": _plain(
        "USER: {} ASSISTANT:",
        "{}</s>",
        system="{}\n",
        default=VICUNA,
        departs="no begin token, a line break after the system message, no space before the answer",
    ),
    "llama2": _plain(
        "[INST]{}[/INST]",
        "{} </s>",
        system="<<SYS>>\n{}\n<</SYS>>\n\n",
        default=LLAMA2,
        departs="no begin token, the system message before [INST] instead of inside, no spaces "
        "inside [INST]",
    ),
    "llama3": _plain(
        "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "{}<|eot_id|>",
        stop="<|eot_id|>",
        system="<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n{}<|eot_id|>",
        departs="the begin token only where there is a system message",
    ),
    "gemma": _opened(
        "<bos>",
        "<start_of_turn>user\n{}<end_of_turn>\n<start_of_turn>model\n",
        "{}<eos>\n",
        stop="<eos>",
        departs="answers end with <eos> instead of <end_of_turn>",
    ),
    "phi3": _plain(
        "<|user|>\n{}<|end|>\n<|assistant|>",
        "{}<|end|>\n",
        stop="<|end|>",
        departs="no begin token, no line break after <|assistant|>; the system message is left out",
    ),
}
"""By Firefly's own names. minicpm3 is ChatML with Qwen's system message, as its facts say."""


def find_format(name: str) -> Format:
    """The format of a name, without `firefly:`.

    Raises: TemplateError if Firefly has no such template.
    """
    if name in FORMATS:
        return FORMATS[name]
    near = get_close_matches(name, FORMATS, n=1)
    meant = f"Did you mean {SCHEME}{near[0]}? " if near else ""
    raise TemplateError(
        f"template={SCHEME}{name}: Firefly has no template of this name",
        remedy=f"{meant}It has {', '.join(FORMATS)}.",
    )
