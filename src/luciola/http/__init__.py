"""The one HTTP client: for language models, rewards and CoreNLP. Standard library only.

Left out: GET, streaming, cookies, redirects (they would take keys to another server) and pools of
connections.
"""
