"""The private zone: captures of what was delivered, sealed when the town names a key, and the work folders of runs."""

from odpipeline.landing.captures import SUFFIXES, Capture
from odpipeline.landing.sealing import Seal
from odpipeline.landing.zone import Landing

__all__ = ["SUFFIXES", "Capture", "Landing", "Seal"]
