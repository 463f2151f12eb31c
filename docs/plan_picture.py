"""The picture of a plan's page: ``python docs/plan_picture.py > docs/plan.svg``.

It is the page itself inside an SVG, so that it is light or dark like what is around it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from dynoexport.operations.plan import plans_described
from dynoexport.presentation import plan_html

TABLE = Path(__file__).parent / "examples" / "events.json"
# The top of the page: what lies below is cut off.
_WIDTH, _HEIGHT = 1000, 810
_SHOWN = 2
_SVG = "http://www.w3.org/2000/svg"
_PICTURE = """\
<svg xmlns="{svg}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">
<title>The page of a plan</title>
<style>{style}
body {{ height: {height}px; overflow: hidden; }}
</style>
<foreignObject width="{width}" height="{height}">
<body xmlns="http://www.w3.org/1999/xhtml">{body}
</body>
</foreignObject>
</svg>
"""


def picture(page: str) -> str:
    """The page up to its second chart, as an SVG."""
    style = page.partition("<style>")[2].partition("</style>")[0]
    body = page.partition("<body>")[2]
    top = "</figure>".join(body.split("</figure>")[:_SHOWN])
    # No one can point at a picture, so the points need no names.
    drawn = re.sub(r'<circle class="dot".*\n', "", top)
    # XML closes each element, and an SVG inside HTML needs its namespace.
    xml = drawn.replace("<br>", "<br/>").replace("<svg ", f'<svg xmlns="{_SVG}" ')
    body = f"{xml}</figure>\n</div>\n</section>"
    return _PICTURE.format(svg=_SVG, width=_WIDTH, height=_HEIGHT, style=style, body=body)


if __name__ == "__main__":
    # The table that docs/plan.md plans.
    described = plans_described(TABLE.read_text(encoding="utf-8"), region="us-east-1")
    sys.stdout.write(picture(plan_html.page(described)))
