"""Events of OpenLineage: one when a dataset's run starts, one when it has ended, with what declaration and run say.

Names, types, counts and rules; never a value, and never the address of a municipal system. An event that cannot be
delivered is a warning in the log and stops nothing: the record of what was published is the store.
Source: the OpenLineage specification 2-0-2 and its facets, by the official client.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from odpipeline import __version__, lineage
from odpipeline.conform import Conformed
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.journal import RunRecord
from odpipeline.store import Release
from odpipeline.verdict import Finding, Verdict

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

LOGGER = logging.getLogger("odpipeline.lineage")
_PRODUCER = f"urn:odpipeline:{__version__}"
_PATIENCE_SECONDS = 3.0
_LEFT_ALONE_SECONDS = 300.0
"""How long a service that did not take an event is not asked again, by any run of this machine."""
_FAILED = ("refused", "failed")


class LineageEvents:
    """The two events of one run of `dataset`; `run` is the Dagster run that it belongs to, or ''."""

    def __init__(self, dataset: Dataset, town: Town, run: str = "") -> None:
        self._dataset, self._town, self._parent = dataset, town, run
        self._rows: Conformed | None = None
        self._findings: list[Finding] = []
        self._release: Release | None = None
        self._id = ""
        if town.openlineage:
            from openlineage.client.uuid import generate_new_uuid  # only where events are wanted

            self._id = str(generate_new_uuid())

    def started(self) -> None:
        """Tell that the run has begun."""
        if self._id:
            self._emit("START", {})

    def reached(self, stage: object) -> None:
        """Note what a stage has found."""
        if isinstance(stage, Conformed):
            self._rows = stage
        elif isinstance(stage, Verdict):
            self._findings = list(stage.findings)
        elif isinstance(stage, Release):
            self._release = stage

    def abandoned(self) -> None:
        """Tell that the run was left before its end."""
        if self._id:
            self._emit("ABORT", {})

    def ended(self, record: RunRecord) -> None:
        """Tell how the run ended."""
        if not self._id:
            return
        failed = record.outcome in _FAILED
        facets: dict[str, Any] = {}
        if failed:
            from openlineage.client.facet_v2 import error_message_run

            said = record.error or record.outcome  # reasons name systems, which do not leave the town
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(message=said, programmingLanguage="python")
        self._emit("FAIL" if failed else "COMPLETE", facets)

    def _emit(self, kind: str, facets: Mapping[str, Any]) -> None:
        declared = self._town.openlineage
        assert declared  # noqa: S101 - there is no id otherwise
        down = self._town.private_path / ".lineage-down"
        if _recent(down):
            return
        try:
            event = self._event(kind, facets)
            if declared.file:
                _add(self._town.private_path / declared.file, event)
            else:
                _within(partial(_post, declared.url or "", os.environ.get(declared.token or "", ""), event))
        except Exception as error:  # noqa: BLE001  # whatever the service or the client does, publication goes on
            facts = {"dataset": self._dataset.id, "run": self._parent, "error": type(error).__name__}
            LOGGER.warning("an event of lineage is not taken", extra={"facts": facts})
            if not declared.file:
                with contextlib.suppress(OSError):  # a full disk: the next run waits three seconds again
                    down.touch(mode=0o600)

    def _event(self, kind: str, facets: Mapping[str, Any]) -> RunEvent:
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState, set_producer
        from openlineage.client.facet_v2 import documentation_job, job_type_job, parent_run, processing_engine_run
        from openlineage.client.facet_v2 import set_producer as set_facet_producer

        set_producer(_PRODUCER)
        set_facet_producer(_PRODUCER)
        space = f"odpipeline/{urlsplit(self._town.publisher.homepage).hostname or 'town'}"
        run: dict[str, Any] = {"processing_engine": processing_engine_run.ProcessingEngineRunFacet(
            version=__version__, name="odpipeline", openlineageAdapterVersion=__version__)}  # fmt: skip
        if self._parent:
            run["parent"] = parent_run.ParentRunFacet(
                run=parent_run.Run(runId=self._parent), job=parent_run.Job(namespace=space, name="dagster")
            )
        job: dict[str, Any] = {
            "jobType": job_type_job.JobTypeJobFacet("BATCH", "ODPIPELINE", "DATASET"),
            "documentation": documentation_job.DocumentationJobFacet(self._dataset.description),
        }
        return RunEvent(
            eventTime=datetime.now(UTC).isoformat(),
            eventType=RunState[kind],
            run=Run(self._id, run | dict(facets)),
            job=Job(space, self._dataset.id, job),
            inputs=[self._input()],
            outputs=[self._output()],
        )

    def _source_names(self) -> tuple[str, str]:
        """Namespace and name of what is delivered: never an address, which may hold a key."""
        system = self._dataset.source.system or self._dataset.source.kind
        return f"municipal/{system}", self._dataset.id

    def _input(self) -> Any:
        from openlineage.client.event_v2 import InputDataset
        from openlineage.client.facet_v2 import (
            data_quality_assertions_dataset as assertions,
        )
        from openlineage.client.facet_v2 import (
            datasource_dataset,
            input_statistics_input_dataset,
            schema_dataset,
        )

        space, name = self._source_names()
        fields = [schema_dataset.SchemaDatasetFacetFields(column) for _, column in self._dataset.delivered_fields]
        system = self._town.systems.get(self._dataset.source.system or "")
        facets: dict[str, Any] = {
            "schema": schema_dataset.SchemaDatasetFacet(fields),
            "dataSource": datasource_dataset.DatasourceDatasetFacet(name=system.title if system else space),
        }
        told: dict[str, Any] = {}
        if self._rows:
            told["inputStatistics"] = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
                rowCount=self._rows.rows_in
            )
        if self._findings:
            told["dataQualityAssertions"] = assertions.DataQualityAssertionsDatasetFacet(
                [
                    assertions.Assertion(
                        assertion=one.rule, success=one.passed, column=one.column, severity=_SEVERITY[one.severity]
                    )
                    for one in self._findings
                ]
            )
        return InputDataset(namespace=space, name=name, facets=facets, inputFacets=told)

    def _output(self) -> Any:
        from openlineage.client.event_v2 import OutputDataset
        from openlineage.client.facet_v2 import (
            dataset_version_dataset,
            documentation_dataset,
            output_statistics_output_dataset,
            ownership_dataset,
            schema_dataset,
        )

        fields = [schema_dataset.SchemaDatasetFacetFields(f.name, f.type, f.description or f.title)
                  for f in self._dataset.published_fields]  # fmt: skip
        facets: dict[str, Any] = {
            "schema": schema_dataset.SchemaDatasetFacet(fields),
            "columnLineage": self._columns(),
            "ownership": ownership_dataset.OwnershipDatasetFacet(
                [ownership_dataset.Owner(self._dataset.owner, "MAINTAINER")]
            ),
            "documentation": documentation_dataset.DocumentationDatasetFacet(self._dataset.title),
        }
        told: dict[str, Any] = {}
        if release := self._release:
            facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(str(release.version))
            told["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=release.rows, size=sum(file.size_bytes for file in release.files), fileCount=len(release.files)
            )
        home = self._town.publisher.homepage.rstrip("/")
        name = f"datasets/{self._dataset.id}"
        return OutputDataset(namespace=home, name=name, facets=facets, outputFacets=told)

    def _columns(self) -> Any:
        from openlineage.client.facet_v2 import column_lineage_dataset as columns

        space, name = self._source_names()
        roles = self._dataset.privacy.columns
        found = {}
        for one in lineage.of(self._dataset):
            masked = not isinstance(roles.get(one.column, "keep"), str)
            how = columns.Transformation("DIRECT", "MASKED" if masked else "TRANSFORMATION", one.transformation, masked)
            delivered = [columns.InputField(space, name, column, [how]) for column in one.delivered]
            found[one.column] = columns.Fields(delivered)
        return columns.ColumnLineageDatasetFacet(found)


_SEVERITY = {"critical": "error", "warning": "warn", "info": "warn"}
"""Our severities in the facet's words, which has two."""


def _recent(mark: Path) -> bool:
    try:
        return 0 <= time.time() - mark.stat().st_mtime < _LEFT_ALONE_SECONDS
    except OSError:
        return False


def _add(file: Path, event: RunEvent) -> None:
    from openlineage.client.serde import Serde

    line = Serde.to_json(event) + "\n"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as kept:
        kept.write(line)


def _within(work: Callable[[], None]) -> None:
    """Do `work` within the patience, however slowly the other side answers.

    Raises: TimeoutError; whatever `work` raises.
    """
    raised: list[Exception] = []

    def worked() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  # raised again where it is waited for
            raised.append(error)

    thread = threading.Thread(target=worked, daemon=True)
    thread.start()
    thread.join(_PATIENCE_SECONDS)
    if thread.is_alive():
        raise TimeoutError
    if raised:
        raise raised[0]


def _post(url: str, token: str, event: RunEvent) -> None:
    """Raises: whatever the client does when the service does not take it."""
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider

    auth = ApiKeyTokenProvider({"apiKey": token}) if token else TokenProvider({})
    config = HttpConfig(url=url, auth=auth, timeout=_PATIENCE_SECONDS, retry={"total": 0})
    HttpTransport(config).emit(event)
