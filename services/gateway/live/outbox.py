"""What waits for a slow reader: bounded, the newest state of each document, never less than its last one."""

from typing import Final, NamedTuple

from services.gateway.live.frames import Frame
from services.gateway.targets import Target

MAX_FRAMES: Final = 2_000
MAX_BYTES: Final = 4 * 1024 * 1024
PATIENCE: Final = 20.0  # seconds that a reader may be behind without ever catching up


class Slot(NamedTuple):
    """The place of a frame: a later one for the same place replaces it.

    `kind` is "snapshot" or "change"; `document_id` is empty for the snapshot of a feed.
    """

    target: Target
    document_id: str
    kind: str


class Outbox:
    """Frames in the order in which they are to be sent."""

    def __init__(self, max_frames: int = MAX_FRAMES, max_bytes: int = MAX_BYTES) -> None:
        self._frames: dict[Slot | int, Frame] = {}
        self._replies = 0
        self._bytes = 0
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._behind_since: float | None = None

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, slot: Slot | None, frame: Frame, now: float) -> int:
        """Add a frame at the end; how many older ones it replaced. Without a slot it is an answer: it replaces none."""
        if self._behind_since is None:
            self._behind_since = now
        if slot is None:
            self._replies += 1
            self._add(self._replies, frame)
            return 0
        before = len(self._frames)
        self._remove(slot)
        if slot.kind == "snapshot":
            self._remove_changes(slot)
        self._add(slot, frame)
        return before + 1 - len(self._frames)

    def take(self) -> Frame | None:
        """The next frame to send."""
        if not self._frames:
            self._behind_since = None
            return None
        place = next(iter(self._frames))
        return self._remove(place)

    @property
    def is_full(self) -> bool:
        """Whether more waits than is kept for one reader."""
        return len(self._frames) > self._max_frames or self._bytes > self._max_bytes

    def is_too_slow(self, now: float) -> bool:
        """Whether the reader is to be let go: too much waits for it, or it has been behind for too long."""
        if self.is_full:
            return True
        return self._behind_since is not None and now - self._behind_since > PATIENCE

    def _add(self, place: Slot | int, frame: Frame) -> None:
        self._frames[place] = frame
        self._bytes += len(frame.json)

    def _remove(self, place: Slot | int) -> Frame | None:
        frame = self._frames.pop(place, None)
        if frame is not None:
            self._bytes -= len(frame.json)
        return frame

    def _remove_changes(self, snapshot: Slot) -> None:
        if not snapshot.target.is_feed:
            self._remove(snapshot._replace(kind="change"))
            return
        for place in list(self._frames):
            if isinstance(place, Slot) and place.target == snapshot.target:
                self._remove(place)
