"""The coordinator's core: what one stage still has to do for a document, and what to send next. Pure.

The log is folded by the same `shared.document.state` as the projection, so the two never disagree about what counts; an
`Assignment` is that state as one stage looks at it. `decide` looks at all open ones and returns what to send and which
attempts have ended. It is level-triggered: called again in the same state it returns the same. The order is defined
in `shared.harness.coordinator.priority`.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from shared.document import state as documents
from shared.events.document import CONCLUDE, Fact
from shared.harness.coordinator.assignment import Assignment, Decision, GiveUp, Send, SetAside, cost
from shared.harness.coordinator.priority import NO_TENANTS, fill, queue

__all__ = ["Assignment", "Decision", "GiveUp", "Send", "SetAside", "cost", "decide", "evolve", "queue"]


def evolve(before: Assignment | None, fact: Fact, stage: str) -> Assignment | None:
    """The assignment after `fact`; None while the document is unknown or does not run through `stage`."""
    state = documents.evolve(before.state if before else None, fact)
    if state is None or stage not in state.stages:
        return None
    if before is None:
        return Assignment(state, stage)
    return before if state is before.state else replace(before, state=state)


def decide(
    assignments: Iterable[Assignment],
    in_flight: Mapping[str, set[int]],
    served: Mapping[str, float],
    slots: int,
    max_attempts: int,
    passed: Mapping[str, float] = NO_TENANTS,
) -> Sequence[Decision]:
    """What to send and which attempts to end.

    `in_flight` holds the slice numbers on their way, by document; `served` the seconds of work that were sent of each
    document so far, by `cost`; `passed` the seconds that others of its tenant were given since it had its last place.
    A tenant has at most `slots` slices in flight. A document that cannot be decided about is set aside.
    """
    decisions: list[Decision] = []
    tenants: dict[str, list[Assignment]] = {}
    for assignment in assignments:
        try:
            if not assignment.active:
                continue
            if ending := _ending(assignment, max_attempts):
                decisions.append(ending)
            else:
                tenants.setdefault(assignment.tenant, []).append(assignment)
        except Exception as error:  # one document's state never ends what serves all
            decisions.append(SetAside(assignment, error))
    for mine in tenants.values():
        decisions.extend(fill(mine, in_flight, served, slots, passed))
    return decisions


def _ending(assignment: Assignment, max_attempts: int) -> GiveUp | None:
    """How the attempt ends when nothing is outstanding and there is no whole to conclude."""
    stage_state = assignment.stage_state
    if not stage_state.failed or any(number != CONCLUDE for number in assignment.outstanding()):
        return None
    failures = [
        stage_state.failed[number].error for number in sorted(stage_state.failed)
    ]  # planning and concluding first
    retryable = next((failure for failure in failures if failure.retryable), None)
    if retryable and stage_state.attempt - stage_state.first_attempt + 1 < max_attempts:
        return GiveUp(assignment, retryable, final=False)
    nothing_to_conclude = not stage_state.done or CONCLUDE in stage_state.failed
    return GiveUp(assignment, failures[0], final=True) if nothing_to_conclude else None
