"""``python -m dynoexport``: the command."""

from dynoexport.cli import main

main(prog_name="dynoexport")
