"""The common stack and the version of the job scripts that an export uses."""

from __future__ import annotations

from dynoexport import limits, settings
from dynoexport.cloudformation import form
from dynoexport.cloudformation.options.option import Option

GROUP = "Installation"

COMMON_STACK = Option(
    group=GROUP,
    fields=(
        form.text(
            settings.COMMON_STACK_NAME,
            "Common stack",
            "Name of the stack that was deployed from common.yaml.",
            pattern=f"^{limits.STACK_NAME_PATTERN}$",
            constraint="must be the name of a stack: letters, digits and '-'",
            default=settings.DEFAULT_COMMON_STACK,
            shortest=1,
            longest=limits.STACK_NAME_MAX,
        ),
    ),
)
SCRIPTS = Option(
    group=GROUP,
    fields=(
        form.text(
            settings.SCRIPTS_VERSION,
            "Version of the scripts",
            "Folder of the job scripts under scripts/ in the bucket.",
            pattern=r"^[a-zA-Z0-9._-]+$",
            constraint="must be 1 to 64 letters, digits, '.', '_' or '-'",
            default=settings.DEFAULT_SCRIPTS_VERSION,
            shortest=1,
            longest=64,
        ),
    ),
)
