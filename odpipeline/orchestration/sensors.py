"""After any run that may have published something, good or bad, the catalogue and the portal are rebuilt."""

import dagster as dg

from odpipeline.orchestration.periodical import Job


def catalogue_sensors(watched: list[Job], public: Job) -> list[dg.SensorDefinition]:
    """One sensor for each way a run can end: a refusal must not hold back the other datasets' pages.

    `watched`: the jobs that publish. A person who materialises assets in the UI runs a job that Dagster has made.
    """
    ends = {"after_success": dg.DagsterRunStatus.SUCCESS, "after_failure": dg.DagsterRunStatus.FAILURE}
    return [_sensor(name, status, {job.name for job in watched}, public) for name, status in ends.items()]


def publishes(run: dg.DagsterRun, jobs: set[str]) -> bool:
    """Whether `run` was to materialise what is published: what was chosen tells, or else that it is of `jobs`."""
    if run.asset_selection:
        return any(key.path[-1] == "published" for key in run.asset_selection)
    return run.job_name in jobs


def _sensor(name: str, status: dg.DagsterRunStatus, jobs: set[str], public: Job) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        name=f"catalogue_{name}",
        run_status=status,
        request_job=public,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Rebuilds the catalogue and the portal once a run has ended.",
    )
    def rebuild(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
        if not publishes(context.dagster_run, jobs):
            return dg.SkipReason("nothing was to be published")
        return dg.RunRequest(run_key=context.dagster_run.run_id)

    return rebuild
