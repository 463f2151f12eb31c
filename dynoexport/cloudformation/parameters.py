"""The templates' parameters: the forms that a user fills in, and what they refuse.

Names and defaults are those of ``dynoexport.settings``, limits those of ``dynoexport.limits``.
"""

from __future__ import annotations

import itertools

from dynoexport import settings
from dynoexport.cloudformation import form, options


def table_groups() -> tuple[form.Group, ...]:
    """The table stack's parameters."""
    groups = itertools.groupby(options.OPTIONS, lambda option: option.group)
    return tuple(
        form.Group(label, tuple(field for option in members for field in option.fields))
        for label, members in groups
    )


def common_groups() -> tuple[form.Group, ...]:
    """The common stack's parameters, all optional."""
    email = form.text(
        settings.NOTIFICATION_EMAIL,
        "Email for notifications",
        "Email address for notifications about exports. AWS first sends a confirmation email. "
        "Empty: no topic.",
        pattern=r"^([^\s@]+@[^\s@]+\.[^\s@]+)?$",
        constraint="must be empty or an email address",
        default="",
        longest=254,
    )
    key = form.key(
        settings.KMS_KEY_ARN,
        "KMS key",
        "ARN of a KMS key in this region. It encrypts bucket, logs, query results and topic. Its "
        "policy must allow logs.<region>.amazonaws.com and, for notifications, "
        "events.amazonaws.com and cloudwatch.amazonaws.com to use it: docs/security.md. Empty: "
        "S3's own encryption.",
    )
    return (form.Group("Notifications", (email,)), form.Group("Encryption", (key,)))
