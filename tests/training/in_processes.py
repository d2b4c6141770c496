"""Train in as many processes as torchrun starts; test_distributed.py compares what comes out.

The argument is JSON: a list of keyword arguments for `striate.train`, each a training of its own.
"""

from __future__ import annotations

import json
import sys

import striate


def main() -> None:
    for arguments in json.loads(sys.argv[1]):
        striate.train(**arguments, device="cpu")


if __name__ == "__main__":
    main()
