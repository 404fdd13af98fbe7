"""Dagster's own engine for several machines: each dataset is a task that one of Celery's workers takes from a Redis.

A task is given back only when it has ended. So what a worker that was killed had taken goes to another one after
`night.redeliver`, and is run again from the start: nothing half was public, for only the last step publishes. A process
that dies inside a worker (memory) costs its dataset, which is not tried again before the next night.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import dagster as dg

from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError, SecretMissing
from odpipeline.orchestration.night import lot_executor


def night_executor(town: Town) -> dg.ExecutorDefinition:
    """What runs the datasets of a lot, as `night.executor` says; no broker is asked, and its address is not read.

    Raises: OdpError when Celery is named and not installed.
    """
    if town.night.broker is None:
        return lot_executor(at_once=2)
    if importlib.util.find_spec("dagster_celery") is None:
        raise OdpError(
            "Celery is not installed", where="town.yaml, night.executor", mend="pip install 'odpipeline[scale]'"
        )
    from dagster_celery import celery_executor  # only where it is wanted

    address = {"env": town.night.broker.env}
    configured: dg.ExecutorDefinition = celery_executor.configured(
        {"broker": address, "backend": address, "config_source": _settings(town)}, name="celery"
    )
    return configured


def worker_settings(town: Town) -> dict[str, Any]:
    """The same for a worker of `town`.

    Raises: OdpError when the town does not name Celery; SecretMissing when the broker's address is not set.
    """
    if town.night.broker is None:
        raise OdpError(
            "this town's nights need no workers", where="town.yaml, night.executor", mend="declare executor: celery"
        )
    if not (address := os.environ.get(town.night.broker.env)):
        raise SecretMissing(town.night.broker.env, needed_for="the worker", where="town.yaml, night.broker")
    return {"broker": address, "backend": address, "config_source": _settings(town)}


def _settings(town: Town) -> dict[str, Any]:
    seconds = int(town.night.redeliver.total_seconds())
    return {
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,  # what one worker has not begun, another may
        "worker_hijack_root_logger": False,  # our logs are those of every process
        "result_expires": 86_400,
        "broker_transport_options": {"visibility_timeout": seconds},
        "broker_connection_retry_on_startup": True,
    }
