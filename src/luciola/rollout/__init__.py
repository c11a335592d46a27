"""Sampling: what a policy answers, with the log-probabilities of what was really sampled."""
