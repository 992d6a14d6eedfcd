"""Links of the documentation to files of the repository outside docs/, when the site is built from it.

On the site these files are not there. With `repo_url` in mkdocs.yml such a link leads to the file in the repository.
Without it the text stays and the link goes. A test sees that each file exists.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(\.\./([^)\s]+)\)")
_PICTURE = re.compile(r"!\[([^\]]*)\]\(\.\./([^)\s]+)\)")


def on_page_markdown(markdown: str, *, config: Any, **_: Any) -> str:
    """Replace the links of a page."""

    def replaced(link: re.Match[str]) -> str:
        text, path = link[1], PurePosixPath(link[2])
        return f"[{text}]({config.repo_url.rstrip('/')}/blob/main/{path})" if config.repo_url else text

    return _LINK.sub(replaced, _PICTURE.sub("", markdown))
