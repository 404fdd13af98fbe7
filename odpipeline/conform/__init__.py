"""Deliveries of any usual format → typed rows and a quarantine; nothing is guessed silently, nothing is lost."""

from odpipeline.conform.casting import DUCK_TYPES
from odpipeline.conform.conforming import Conformed, QuarantineReason, conform, deliver, read_whole
from odpipeline.conform.containers import unpacked
from odpipeline.conform.delivered import Delivered, passed

__all__ = [
    "DUCK_TYPES", "Conformed", "Delivered", "QuarantineReason", "conform", "deliver", "passed", "read_whole",
    "unpacked",
]  # fmt: skip
