"""Deliveries of any usual format → typed rows and a quarantine; nothing is guessed silently, nothing is lost."""

from odpipeline.conform.casting import DUCK_TYPES
from odpipeline.conform.conforming import Conformed, QuarantineReason, conform

__all__ = ["DUCK_TYPES", "Conformed", "QuarantineReason", "conform"]
