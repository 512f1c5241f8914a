from services.ocr.recognition.circuit_breaker import Circuit

TRIAL = 30.0


def failed(circuit: Circuit, times: int, now: float) -> Circuit:
    for _ in range(times):
        circuit.failed(now)
    return circuit


def test_while_all_goes_well_nobody_waits() -> None:
    circuit = Circuit(3, 15.0)
    circuit.succeeded()
    assert circuit.wait(100.0, trial=TRIAL) == 0


def test_it_opens_with_the_last_of_some_failures_in_a_row() -> None:
    circuit = failed(Circuit(3, 15.0), 2, now=100.0)
    assert circuit.wait(100.0, trial=TRIAL) == 0
    circuit.failed(101.0)
    assert circuit.wait(101.0, trial=TRIAL) == 15.0
    assert circuit.wait(110.0, trial=TRIAL) == 6.0
    assert circuit.wait(116.0, trial=TRIAL) == 0  # one may try


def test_a_success_in_between_starts_the_count_anew() -> None:
    circuit = failed(Circuit(3, 15.0), 2, now=100.0)
    circuit.succeeded()
    assert failed(circuit, 2, now=101.0).wait(101.0, trial=TRIAL) == 0


def test_the_one_that_tries_closes_it_or_opens_it_again() -> None:
    circuit = failed(Circuit(3, 15.0), 3, now=100.0)
    assert circuit.wait(115.0, trial=TRIAL) == 0
    circuit.failed(116.0)
    assert circuit.wait(116.0, trial=TRIAL) == 15.0
    assert circuit.wait(131.0, trial=TRIAL) == 0
    circuit.succeeded()
    assert circuit.wait(131.0, trial=TRIAL) == 0
    circuit.failed(131.0)
    assert circuit.wait(131.0, trial=TRIAL) == 0


def test_only_one_tries_and_another_after_a_while_if_that_one_is_never_heard_of_again() -> None:
    circuit = failed(Circuit(3, 15.0), 3, now=100.0)
    assert circuit.wait(115.0, trial=TRIAL) == 0
    assert circuit.wait(115.0, trial=TRIAL) == 30.0
    assert circuit.wait(144.0, trial=TRIAL) == 1.0
    assert circuit.wait(145.0, trial=TRIAL) == 0


def test_the_provider_is_obeyed_from_the_first_time_it_says_when() -> None:
    circuit = Circuit(3, 15.0)
    circuit.failed(100.0, retry_after=40.0)
    assert circuit.wait(101.0, trial=TRIAL) == 39.0


def test_an_answer_to_an_earlier_question_does_not_revoke_the_providers_not_now() -> None:
    circuit = Circuit(3, 15.0)
    circuit.failed(100.0, retry_after=40.0)
    circuit.succeeded()
    circuit.failed(102.0)
    assert circuit.wait(102.0, trial=TRIAL) == 38.0


def test_the_longer_of_provider_and_circuit_counts() -> None:
    circuit = Circuit(1, 15.0)
    circuit.failed(100.0, retry_after=2.0)
    assert circuit.wait(100.0, trial=TRIAL) == 15.0
    circuit.failed(200.0, retry_after=20.0)
    assert circuit.wait(200.0, trial=TRIAL) == 20.0
