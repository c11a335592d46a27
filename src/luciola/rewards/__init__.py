"""Rewards: what scores a model's answers. Each is a plug-in behind `luciola.types.Reward`."""
