"""The command lines without the start of a Python: the same entry points, streams that are files, in this process."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from unittest import mock

from fvd_bench.cli import main
from stylegan_v.cli import main as main_of_the_model


def fvd_bench(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `fvd-bench ARGUMENTS` writes and how it ends. Warnings of Python are errors, as in all tests."""
    return _run(main, ["fvd-bench", *map(str, arguments)], environment)


def stylegan_v(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What `stylegan-v ARGUMENTS` writes and how it ends."""
    return _run(main_of_the_model, ["stylegan-v", *map(str, arguments)], {})


def _run(
    program: Callable[[], None], command: list[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    code: object = 0
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        streams = mock.patch.multiple(sys, argv=command, stdout=out, stderr=err)
        with streams, mock.patch.dict(os.environ, environment):
            try:
                program()
            except SystemExit as end:
                code = end.code or 0
        for stream in (out, err):
            stream.seek(0)
        assert isinstance(code, int)
        return subprocess.CompletedProcess(command, code, out.read(), err.read())
