"""Talking to a model: conversations, commands, files of prompts, and the text as it comes."""
