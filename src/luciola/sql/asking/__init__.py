"""Asking language models for SQL, whether over HTTP or on this machine; nothing loads here."""
