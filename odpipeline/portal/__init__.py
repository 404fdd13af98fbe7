"""The portal: static pages from the store, which is all they know; `serving` shows them with the files."""

from odpipeline.portal.pages import build
from odpipeline.portal.quality_pages import run_page

__all__ = ["build", "run_page"]
