"""What the site has beyond the files in docs/: pages from other folders, and each page's Markdown.

Links in these files lead to other files, so that GitHub and editors follow them. The site has its
own places for them.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
# Files outside docs/ by the page that the site has for each.
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "README.ja.md": "ja.md",
    "SECURITY.md": "security-policy.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks-method.md",
    "tests/engines/README.md": "judges.md",
}
_SOURCES = {page: source for source, page in PAGES.items()}
# The site has a page of its own in the README's place, and no page for the licence.
_REPLACED = {**PAGES, "README.md": "index.md"}
_NO_PAGES = {"LICENSE"}
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?!\w+:)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give headings the anchors that GitHub gives them, also in Japanese."""
    from pymdownx.slugs import slugify

    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside docs/."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Let links between files lead to the site's pages."""
    uri = page.file.src_uri
    source = _SOURCES.get(uri, f"docs/{uri}")

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), found["path"]))
        if target in _NO_PAGES:
            return found["text"]
        place = _REPLACED.get(target, target.removeprefix("docs/"))
        relative = posixpath.relpath(place, posixpath.dirname(uri) or ".")
        return f"[{found['text']}]({relative}{found['anchor'] or ''})"

    return _LINK.sub(link, markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Write the page's Markdown beside its HTML, where llms.txt links to it; set its language."""
    path = Path(config.site_dir, page.file.src_uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page.markdown or "", encoding="utf-8")
    # Without it, a browser may draw Japanese with the forms of Chinese characters.
    return output.replace('lang="en"', 'lang="ja"', 1) if path.match("*ja.md") else output
