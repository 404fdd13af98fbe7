"""`python -m odpipeline.cli`: the same as `odp`."""

from odpipeline.cli import main

main()
