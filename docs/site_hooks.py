"""What mkdocs does not do by itself: links to files of the repository, and the pages as they are written.

Files outside docs/ are not on the site. With `repo_url` in mkdocs.yml a link to one leads to the file in the
repository. Without it the text stays and the link goes. A test sees that each file exists.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

_LINK = re.compile(r"\[([^\]]+)\]\(\.\./([^)\s]+)\)")


def on_page_markdown(markdown: str, *, config: Any, **_: Any) -> str:
    """Replace the links of a page that lead out of docs/."""
    place = f"({config.repo_url.rstrip('/')}/blob/main/" if config.repo_url else ""
    return _LINK.sub(rf"[\1]{place}\2)" if place else r"\1", markdown)


def on_post_build(*, config: Any, **_: Any) -> None:
    """Put the Markdown of the pages beside llms.txt, which names them."""
    for page in Path(config.docs_dir).glob("*.md"):
        shutil.copy(page, Path(config.site_dir) / page.name)
