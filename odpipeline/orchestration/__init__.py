"""The only place that imports Dagster. Nothing is decided here: declarations become assets, what the flow yields
becomes events, the town's calendar becomes schedules."""
