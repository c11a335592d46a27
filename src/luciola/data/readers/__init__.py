"""Readers: files, folders and hub data sets to examples, the format recognised from the rows.

`files`, `tables` and `hub` give records with their place; `messages`, `alpaca`, `sharegpt`,
`firefly`, `completion` and `text` know one format each, and `preference` the ones that other
trainers read.
"""

from luciola.data.readers.source import Dataset, read, scan

__all__ = ["Dataset", "read", "scan"]
