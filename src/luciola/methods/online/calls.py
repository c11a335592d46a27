"""The online methods as Python calls: `luciola.ppo(model=..., prompts=..., reward=...)`."""

from __future__ import annotations

from luciola.methods.online.running import entry

ppo = entry("ppo")
a2c = entry("a2c")
grpo = entry("grpo")
rloo = entry("rloo")
