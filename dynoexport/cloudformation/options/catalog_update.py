"""What adds snapshots to the catalog: a crawler, or the view job.

The view job adds whatever the catalog lacks (``dynoexport.jobs.catalog_entries``), so its
arguments and permissions are the same with a crawler and without one.
"""

from __future__ import annotations

from troposphere import And, Condition, Equals, Ref

from dynoexport import settings
from dynoexport.cloudformation import form
from dynoexport.cloudformation.options import identity
from dynoexport.cloudformation.options.option import Option
from dynoexport.model import CatalogUpdate

IS_CRAWLED = "IsCrawled"
IS_CRAWLED_CSV = "IsCrawledCsv"

OPTION = Option(
    group=identity.GROUP,
    fields=(
        form.choice(
            settings.CATALOG_UPDATE,
            "Catalog update",
            "What adds snapshots to the Glue Data Catalog. crawler: a Glue crawler; AWS bills at "
            "least ten minutes of it for each run. direct: the view job, without a crawler.",
            choices=CatalogUpdate,
            default=settings.DEFAULT_CATALOG_UPDATE,
        ),
    ),
    conditions={
        IS_CRAWLED: Equals(Ref(settings.CATALOG_UPDATE), CatalogUpdate.CRAWLER.value),
        IS_CRAWLED_CSV: And(Condition(identity.IS_CSV), Condition(IS_CRAWLED)),
    },
)
