"""Optimal full-domain generalisation: one level for each quasi-identifier, the best of all that keep every model."""

from odpipeline.privacy.lattice.judging import Found
from odpipeline.privacy.lattice.models import Closeness, Distinct, Entropy, Model, Recursive
from odpipeline.privacy.lattice.problem import Problem, Quasi, load
from odpipeline.privacy.lattice.scores import SCORES
from odpipeline.privacy.lattice.search import TooLarge, failing, solve, state, suppressible

__all__ = [
    "SCORES", "Closeness", "Distinct", "Entropy", "Found", "Model", "Problem", "Quasi", "Recursive", "TooLarge",
    "failing", "load", "solve", "state", "suppressible",
]  # fmt: skip
