"""The KMS key that encrypts the account's Data Catalog, which every role then needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awacs import kms

from dynoexport import settings
from dynoexport.cloudformation import form
from dynoexport.cloudformation.context import EXPORT_ROLE, ROLES
from dynoexport.cloudformation.options import installation
from dynoexport.cloudformation.options.option import Grant, Option, has, has_value
from dynoexport.iam.reasons import Kept
from dynoexport.iam.statements import Scope, allow, policy

if TYPE_CHECKING:
    from awacs.aws import PolicyDocument

_ENCRYPTED = "https://docs.aws.amazon.com/glue/latest/dg/encrypt-glue-data-catalog.html"
_EVERY_CLIENT = (
    "AWS documents the three actions for every client of an encrypted catalog; on the local "
    "endpoint, reading needs kms:Decrypt and writing kms:GenerateDataKey."
)


def use_catalog_key(scope: Scope) -> PolicyDocument:
    """What each of the three roles also needs to use a catalog that is encrypted with a key.

    Glue calls KMS as whoever calls Glue, also for Athena (_ENCRYPTED):
    https://docs.aws.amazon.com/athena/latest/ug/access-encrypted-data-glue-data-catalog.html
    """
    actions = [kms.Decrypt, kms.Encrypt, kms.GenerateDataKey]
    return policy([allow("UseCatalogKey", actions, [scope.text(scope.catalog_key)])])


OPTION = Option(
    group=installation.GROUP,
    fields=(
        form.key(
            settings.CATALOG_KEY_ARN,
            "KMS key of the Data Catalog",
            "ARN of the KMS key that encrypts the Glue Data Catalog. Empty: no key of your own.",
        ),
    ),
    conditions=has_value(settings.CATALOG_KEY_ARN),
    grants=(
        Grant(
            name="RolesUseCatalogKey",
            roles=ROLES,
            policy=use_catalog_key,
            condition=has(settings.CATALOG_KEY_ARN),
            when="there is a `CatalogKeyArn`",
            evidence="A test exports with an encrypted catalog.",
            kept=tuple(
                Kept(
                    role,
                    "UseCatalogKey",
                    _EVERY_CLIENT,
                    _ENCRYPTED,
                    ("kms:Encrypt", "kms:GenerateDataKey")
                    if role == EXPORT_ROLE
                    else ("kms:Encrypt",),
                    with_key=True,
                )
                for role in ROLES
            ),
        ),
    ),
)
