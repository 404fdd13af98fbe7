"""The portal: static pages from the store, which is all they know; `serving` shows them with the files."""

from odpipeline.portal.pages import build

__all__ = ["build"]
