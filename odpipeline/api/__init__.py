"""The read API over the current versions: a small, safe part of SQL, and nothing else, on a locked-down DuckDB."""

from odpipeline.api.routes import routes

__all__ = ["routes"]
