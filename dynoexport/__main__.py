"""``python -m dynoexport``: the command."""

from dynoexport.cli import main

if __name__ == "__main__":
    main(prog_name="dynoexport")
