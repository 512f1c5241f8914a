"""Kafka's jars: resolved by jgo, held to the sizes and digests of `kafka-jars.txt`, kept in the download cache.

`python -m stack.jars COORDINATE…` resolves anew and prints such a list.
"""

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from shared.errors import Rejected, Transient

LIST: Final = Path(__file__).with_name("kafka-jars.txt")
OnProgress = Callable[[int, int], None]  # bytes done, bytes in total; called from the downloading threads

_AT_ONCE: Final = 4  # downloads; more did not make it faster


@dataclass(frozen=True)
class Jar:
    """A jar as it must be: Maven coordinate `group:artifact:version`, SHA-256 in hex, size in bytes."""

    coordinate: str
    sha256: str
    size: int

    @property
    def filename(self) -> str:
        """As in a Maven repository; different for each jar of a class path."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def parse(text: str) -> tuple[Jar, ...]:
    """The jars of a list with a line `SHA256 SIZE COORDINATE` for each; `#` begins a comment line."""
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(Jar(coordinate, sha256, int(size)) for sha256, size, coordinate in lines)


def fetch(jars: Sequence[Jar], folder: Path, on_progress: OnProgress) -> tuple[Path, ...]:
    """The jars as files in `folder`, each checked; what is missing or damaged is downloaded. Blocks.

    Raises Transient `download_failed`; Rejected `download_damaged` if the file differs from the list.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [jar for jar in jars if not _sound(folder / jar.filename, jar)]
    if missing:
        progress = _Progress(sum(jar.size for jar in missing), on_progress)
        # A private folder inside the cache: a rename into place is atomic, and two who download do not meet.
        with tempfile.TemporaryDirectory(dir=folder) as private, ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(lambda jar: _download(jar, Path(private), folder, progress), missing):
                pass
    return tuple(folder / jar.filename for jar in jars)


class _Progress:
    """Adds up the bytes of all downloads."""

    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self._lock = Lock()
        self._done = 0
        self._total = total
        self._on_progress = on_progress

    @contextmanager
    def of_file(self, _filename: str, _size: int) -> Iterator[Callable[[int], None]]:
        """In the form that jgo asks for."""
        yield self._add

    def _add(self, size: int) -> None:
        with self._lock:
            self._done += size
            self._on_progress(self._done, self._total)


def _download(jar: Jar, private: Path, folder: Path, progress: _Progress) -> None:
    # Only who downloads needs jgo (extra `stack`), and its import takes 0.4 s.
    try:
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Rejected("program_missing", what="The resolver of Kafka's jars", package="jgo") from error

    context = MavenContext(resolver=PythonResolver(progress_callback=progress.of_file), repo_cache=private)
    group, artifact, version = jar.coordinate.split(":")
    try:
        path = context.project(group, artifact).at_version(version).artifact().resolve()
    except (RuntimeError, OSError) as error:  # RuntimeError: no repository has it; OSError: also what requests raises
        raise Transient("download_failed", what=jar.coordinate, detail=str(error)) from error
    if not _sound(path, jar):
        raise Rejected("download_damaged", what=jar.coordinate)
    shutil.move(path, folder / jar.filename)


def _sound(path: Path, jar: Jar) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def resolve(coordinates: Sequence[str]) -> tuple[Jar, ...]:
    """Every jar that `coordinates` need at run time, as downloaded now, sorted. For a new version of the list."""
    from jgo.maven import MavenContext  # noqa: PLC0415
    from jgo.parse import Coordinate  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as private:
        context = MavenContext(repo_cache=Path(private))
        asked = [context.create_dependency(Coordinate.parse(coordinate)) for coordinate in coordinates]
        given, needed = context.resolver.resolve(asked)
        chosen = [*given, *(dep for dep in needed if dep.scope in ("compile", "runtime"))]
        artifacts = [dep.artifact for dep in chosen]
        return tuple(sorted((_described(str(a.component), a.resolve()) for a in artifacts), key=lambda j: j.coordinate))


def _described(coordinate: str, path: Path) -> Jar:
    content = path.read_bytes()
    return Jar(coordinate, hashlib.sha256(content).hexdigest(), len(content))


if __name__ == "__main__":
    for jar in resolve(sys.argv[1:]):
        print(f"{jar.sha256} {jar.size:>9}  {jar.coordinate}")
