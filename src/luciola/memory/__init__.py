"""The memory of a run, part by part, before anything is loaded; and the cards it must fit."""
