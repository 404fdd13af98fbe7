"""After any run, good or bad, the catalogue and the portal are rebuilt from the store."""

import dagster as dg

from odpipeline.orchestration.periodical import Job


def catalogue_sensors(watched: list[Job], public: Job) -> list[dg.SensorDefinition]:
    """One sensor for each way a watched run can end: a refusal must not hold back the other datasets' pages."""
    ends = {"after_success": dg.DagsterRunStatus.SUCCESS, "after_failure": dg.DagsterRunStatus.FAILURE}
    return [_sensor(name, status, watched, public) for name, status in ends.items()]


def _sensor(name: str, status: dg.DagsterRunStatus, watched: list[Job], public: Job) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        name=f"catalogue_{name}",
        run_status=status,
        monitored_jobs=watched,
        request_job=public,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Rebuilds the catalogue and the portal once a run has ended.",
    )
    def rebuild(context: dg.RunStatusSensorContext) -> dg.RunRequest:
        return dg.RunRequest(run_key=context.dagster_run.run_id)

    return rebuild
