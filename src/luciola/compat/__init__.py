"""Doors for people who come from other libraries: their calls, their names, our code underneath."""
