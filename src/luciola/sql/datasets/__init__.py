"""Data sets of questions with their SQL, recognised from what a folder holds.

    folder ▶ layout (splits, databases, tables.json) ▶ rows ▶ dataset

Read are Spider, BIRD, Spider-Syn, Spider-DK, Spider-Realistic, and one's own pairs. Import the
modules themselves; nothing loads here.
"""
