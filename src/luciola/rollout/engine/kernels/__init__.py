"""Triton kernels of the decode step; imported on a GPU only. Each equals a function of
`rollout.engine.operations` or `choosing`, which the tests hold it to.
"""

from luciola.rollout.engine.kernels.step import kernel_states, kernel_step

__all__ = ["kernel_states", "kernel_step"]
