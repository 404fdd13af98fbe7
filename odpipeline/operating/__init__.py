"""What keeps a town's pipeline in service: a look at its health, backups, logs and numbers for other machines.

Nothing here decides what is published; Dagster's part of each subject is in `orchestration`.
"""
