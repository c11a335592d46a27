"""Fingerprints of Python objects by content, the same in every process, so that a run that was
given objects is found again by what they are.
"""

from luciola.fingerprints.naming import Named, named, unnamed
from luciola.fingerprints.walk import Fingerprint, fingerprint

__all__ = ["Fingerprint", "Named", "fingerprint", "named", "unnamed"]
