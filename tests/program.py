"""The command line without the start of a Python: the same entry point, streams that are files, in this process."""

import os
import subprocess
import sys
import tempfile
from unittest import mock

from fvd_bench.cli import main


def fvd_bench(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `fvd-bench ARGUMENTS` writes and how it ends. Warnings of Python are errors, as in all tests."""
    command = ["fvd-bench", *map(str, arguments)]
    code: object = 0
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        streams = mock.patch.multiple(sys, argv=command, stdout=out, stderr=err)
        with streams, mock.patch.dict(os.environ, environment):
            try:
                main()
            except SystemExit as end:
                code = end.code or 0
        for stream in (out, err):
            stream.seek(0)
        assert isinstance(code, int)
        return subprocess.CompletedProcess(command, code, out.read(), err.read())
