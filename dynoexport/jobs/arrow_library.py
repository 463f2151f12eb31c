"""pyarrow, where Glue has a version that can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynoexport.jobs.formats import COLUMNAR_FORMATS

if TYPE_CHECKING:
    from dynoexport.jobs.settings import Settings

# Arrow reads JSON into columns without an object for each value. Glue ships it
# (https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html); versions
# 7, 10, 12 and 26 were tried. Without it, the items stay the JSON that DynamoDB sent, and Spark
# writes the files.
PYARROW_MIN = 7


def arrow() -> Any:  # noqa: ANN401 - pyarrow carries no types
    """pyarrow; None if Glue has no usable version."""
    try:
        import pyarrow as pa
        import pyarrow.compute
        import pyarrow.json
    except ImportError:
        return None
    return pa if int(pa.__version__.split(".")[0]) >= PYARROW_MIN else None


def takes_arrow(settings: Settings) -> bool:
    """Whether the items are read as columns, because the format has them."""
    return settings.format in COLUMNAR_FORMATS and arrow() is not None
