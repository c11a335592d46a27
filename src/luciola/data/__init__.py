"""Data: readers, mixtures, order, split, packing, shared prefixes and statistics; needs no torch."""
