"""DAIL-SQL without torch: how a question is shown, which examples stand before it, and how.

    facts ▶ representation ─┐
    linking ▶ selection ────┼▶ organization ▶ prompt ▶ any model ▶ reply
    skeleton ▶ similarity ──┘

Source: Gao et al. 2023, https://arxiv.org/abs/2308.15363. Prompts equal the published ones byte for
byte. Import the modules themselves; nothing loads here.
"""
