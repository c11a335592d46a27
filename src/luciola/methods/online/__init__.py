"""Online methods: PPO, A2C, GRPO, RLOO. The model answers, a reward scores, the model learns."""
