"""Firefly's chat formats, byte for byte and token for token: `template=firefly:qwen`.

`formats` is the table, `segments` makes tokens of a conversation as Firefly does, and `source`
writes the same format as a Jinja template, which the trained model's folder keeps.
"""
