"""``dynoexport completion``: a shell's completion of commands, options and tables."""

from __future__ import annotations

import click

_PROGRAM = "dynoexport"
_VARIABLE = "_DYNOEXPORT_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    The script completes commands, options, and the tables of your account.

    \b
    Examples:
      eval "$(dynoexport completion bash)"     # in ~/.bashrc
      eval "$(dynoexport completion zsh)"      # in ~/.zshrc
      dynoexport completion fish > ~/.config/fish/completions/dynoexport.fish
    """
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root().command
    completer = get_completion_class(shell)
    if completer is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(completer(root, {}, _PROGRAM, _VARIABLE).source())
