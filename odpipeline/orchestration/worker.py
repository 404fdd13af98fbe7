"""A worker of Celery for the town in `ODP_TOWN`: `celery -A odpipeline.orchestration.worker worker -Q dagster`."""

from __future__ import annotations

from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_task

from odpipeline.orchestration.definitions import town
from odpipeline.orchestration.scaling import worker_settings
from odpipeline.quality import engine as engine  # its imports are slow: once, before the worker forks

app = make_app(worker_settings(town))  # type: ignore[no-untyped-call]
"""What Celery looks for in this module."""

execute_plan = create_task(app)  # type: ignore[no-untyped-call]
"""Runs one dataset of a lot."""
