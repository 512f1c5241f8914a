from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import ENDED, STAGES, World, fold

TAPE = st.lists(st.integers(0, 2**16), max_size=400)
once = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@once
@given(TAPE)
def test_liveness(tape):
    world = World(tape)
    world.run()
    world.settle()
    assert world.state.status in ENDED, [(f.type, getattr(f,'stage',''), getattr(f,'attempt',''), getattr(f,'slice','')) for f in world.log[-60:]]
