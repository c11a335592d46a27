"""The fast sampling engine: fused weights, a cache of slots, one decode step written by us."""
