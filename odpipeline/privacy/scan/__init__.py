"""The residual scan: does anything that identifies a person stand in the very files that are about to be published?"""

from odpipeline.privacy.scan.scanning import scan

__all__ = ["scan"]
