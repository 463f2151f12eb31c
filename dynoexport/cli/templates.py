"""``dynoexport templates``: write the CloudFormation templates and job scripts, or check them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynoexport import settings
from dynoexport.cli import common
from dynoexport.errors import DynoexportError, one_line
from dynoexport.model import GlueVersion

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command()
@click.option(
    "--output-dir",
    type=common.Folder(),
    default=None,
    help="Write the templates to this folder.  [default: templates]",
)
@click.option(
    "--scripts-dir",
    type=common.Folder(),
    default=None,
    help="Write the job scripts to this folder.  [default: scripts, or none with --output-dir]",
)
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="Write the templates in this notation.",
)
@click.option(
    "--glue-version",
    type=click.Choice([version.value for version in GlueVersion]),
    default=settings.DEFAULT_GLUE_VERSION.value,
    show_default=True,
    help="Make this the default of the parameter GlueVersion.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Compare with the files on disk, write nothing; exit 1 if one differs.",
)
def templates(
    output_dir: Path | None,
    scripts_dir: Path | None,
    fmt: str,
    glue_version: str,
    *,
    check: bool,
) -> None:
    """Write or check the templates and the job scripts.

    \b
    Examples:
      dynoexport templates
      dynoexport templates --output-dir build --format json
      dynoexport templates --check
    """
    # Imports troposphere, which takes a third of a second: not for --help.
    from dynoexport.cloudformation import render
    from dynoexport.presentation.output_files import write_files

    version = GlueVersion(glue_version)
    for warning in render.warnings(version):
        click.echo(f"Warning: {warning}", err=True)
    templates = render.templates(glue_version=version, fmt=render.Format(fmt))
    files = {(output_dir or Path("templates")) / name: text for name, text in templates.items()}
    # With a folder for the templates alone, no scripts are written beside it.
    if scripts_dir is not None or output_dir is None:
        folder = scripts_dir or Path("scripts")
        files.update({folder / name: text for name, text in _scripts().items()})
    if check:
        render.check(files)
        for path in files:
            click.echo(f"{one_line(str(path))} is up to date")
        return
    for path in write_files(files):
        click.echo(one_line(str(path)))


class ScriptsRefused(DynoexportError):
    """Modules of the jobs that cannot become one file."""


def _scripts() -> Mapping[str, str]:
    from dynoexport.jobs import bundle

    try:
        return bundle.scripts()
    except bundle.BundleError as error:
        raise ScriptsRefused(
            f"the job scripts cannot be built: {error}", hint="see the rules in CONTRIBUTING.md"
        ) from None
