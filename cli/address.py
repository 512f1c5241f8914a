"""Where Pagestream is, and the key to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from stack import running

DEFAULT: Final = "http://127.0.0.1:8000"
DATA: Final = ".pagestream"  # where the stack of this folder keeps its data, as in `stack.settings`


def find(option: str | None, environment: Mapping[str, str]) -> str:
    """`--url`, else PAGESTREAM_URL, else the stack that runs on this folder's data, else the default."""
    return option or environment.get("PAGESTREAM_URL") or _of_stack(environment) or DEFAULT


def _of_stack(environment: Mapping[str, str]) -> str | None:
    found = running.find(Path(environment.get("PAGESTREAM_DATA") or DATA))
    return found.gateway if found else None


def key(environment: Mapping[str, str]) -> str | None:
    """The API key from PAGESTREAM_KEY, None without one."""
    return environment.get("PAGESTREAM_KEY") or None
