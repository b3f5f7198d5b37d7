"""`python -m bridge`: what operators run."""

from bridge.cli import main

main(prog_name="python -m bridge")
