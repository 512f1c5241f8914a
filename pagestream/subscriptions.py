"""Who reads what: the state of each target that is followed, and a mailbox for each reader."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from pagestream.protocol import Frame, Position, State, Target, reduce


class Mailbox:
    """The newest state of each target that its reader has not taken yet: a slow reader misses nothing but the way."""

    def __init__(self, have: Mapping[Target, Position]) -> None:
        self._new: dict[Target, State] = {}
        self._shown: dict[Target, Position] = dict(have)
        self._ready = asyncio.Event()
        self._failure: BaseException | None = None

    def put(self, state: State) -> None:
        """Keep `state` for the reader, unless it is not newer than what the reader has."""
        if state.status == "live" and state.view is not None and state.position == self._shown.get(state.target):
            return
        self._new[state.target] = state
        self._ready.set()

    def fail(self, error: BaseException) -> None:
        """Nothing more will come: `take` raises `error` after what is there."""
        self._failure = error
        self._ready.set()

    async def take(self) -> State:
        """The next state. Raises what `fail` was told."""
        while not self._new:
            if self._failure is not None:
                raise self._failure
            self._ready.clear()
            await self._ready.wait()
        target = next(iter(self._new))
        state = self._new.pop(target)
        if state.position is not None:
            self._shown[target] = state.position
        return state


@dataclass
class _Followed:
    state: State
    readers: list[Mailbox] = field(default_factory=list)


class Subscriptions:
    """The targets that are followed over one line. Several readers of a target share its state."""

    def __init__(self) -> None:
        self._followed: dict[Target, _Followed] = {}

    def __len__(self) -> int:
        return len(self.states())

    def states(self) -> list[State]:
        """The states of all targets for which something may still come."""
        return [each.state for each in self._followed.values() if not each.state.is_over]

    def state(self, target: Target) -> State | None:
        """The known state of a target, None when no reader follows it."""
        followed = self._followed.get(target)
        return followed.state if followed else None

    def join(self, target: Target, reader: Mailbox, have: Position | None) -> State | None:
        """`reader` follows `target` from now on: the state to subscribe with, None where that is done already."""
        followed = self._followed.get(target)
        if followed is not None and not followed.state.is_over:
            followed.readers.append(reader)
            return self._shown_to(reader, followed, have)
        state = State(target, position=have)
        self._followed[target] = _Followed(state, [reader])
        return state

    def _shown_to(self, reader: Mailbox, followed: _Followed, have: Position | None) -> State | None:
        if followed.state.status == "live" and (followed.state.view is not None or followed.state.target.is_feed):
            reader.put(followed.state)
        elif have is None and followed.state.position is not None:  # the others resumed: it has nothing to resume from
            followed.state = State(followed.state.target)
            return followed.state
        return None

    def leave(self, reader: Mailbox) -> list[Target]:
        """`reader` ends: return the targets that no reader follows any longer."""
        followed = [target for target, each in self._followed.items() if reader in each.readers]
        return [target for target in followed if self.drop(reader, target)]

    def drop(self, reader: Mailbox, target: Target) -> bool:
        """`reader` leaves `target`; return whether no reader follows it any longer."""
        followed = self._followed[target]
        followed.readers.remove(reader)
        if not followed.readers:
            del self._followed[target]
        return not followed.readers

    def heard(self, target: Target, frame: Frame) -> State | None:
        """Fold a frame and tell the readers; the state to subscribe with where a snapshot must be asked for."""
        followed = self._followed.get(target)
        if followed is None:
            return None
        before = followed.state
        followed.state = reduce(before, frame)
        if followed.state.is_lost and not before.is_lost:
            return followed.state
        if followed.state is not before and not followed.state.is_lost:
            for reader in followed.readers:
                reader.put(followed.state)
        return None

    def fail(self, error: BaseException) -> None:
        """Every reader gets `error`, and nothing is followed any longer."""
        readers = {reader for each in self._followed.values() for reader in each.readers}
        self._followed.clear()
        for reader in readers:
            reader.fail(error)
