"""Data: readers, mixtures, order, split, packing, shared prefixes, statistics; without torch."""
