"""The model in a process of its own, for those who must not wait for it: `python -m shared.embedding.child CACHE`.

One JSON string a line on standard input, one line of base64 (float32, little-endian) for each on standard output. It
ends when its input does.
"""

import base64
import sys
from pathlib import Path

import orjson

from shared.embedding.model import Embedder


def main() -> None:
    """Answer until standard input closes."""
    embedder = Embedder(Path(sys.argv[1]))
    for line in sys.stdin.buffer:
        vector = embedder.embed([orjson.loads(line)])[0]
        sys.stdout.write(base64.b64encode(vector.astype("<f4").tobytes()).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
