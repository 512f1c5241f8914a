from prometheus_client import CollectorRegistry, generate_latest

from services.gateway.metrics import stage_seconds
from shared.document.totals import STAGE_SECONDS, Totals


class Said:
    def __init__(self, *families) -> None:
        self._families = families

    def collect(self):
        return self._families


def lines(**counts):
    registry = CollectorRegistry()
    registry.register(Said(stage_seconds(Totals([{name.replace("_", "/"): n for name, n in counts.items()}]))))
    return dict(line.rsplit(" ", 1) for line in generate_latest(registry).decode().splitlines() if line[0] != "#")


def test_each_bucket_counts_all_that_took_no_longer() -> None:
    said = lines(
        took_ocr_completed_2=2, took_ocr_completed_6=1, took_ocr_completed_11=1, milliseconds_ocr_completed=4007800
    )
    bucket = 'pagestream_stage_seconds_bucket{le="%s",outcome="completed",stage="ocr"}'

    assert [said[bucket % le] for le in ("0.25", "0.5", "5.0", "10.0", "1800.0", "+Inf")] == [
        "0.0", "2.0", "2.0", "3.0", "3.0", "4.0",
    ]  # fmt: skip
    assert said['pagestream_stage_seconds_sum{outcome="completed",stage="ocr"}'] == "4007.8"


def test_failed_and_completed_stages_are_told_apart() -> None:
    said = lines(took_ocr_completed_0=3, took_ocr_failed_0=1)
    count = 'pagestream_stage_seconds_count{outcome="%s",stage="ocr"}'

    assert (said[count % "completed"], said[count % "failed"]) == ("3.0", "1.0")


def test_bounds_only_grow() -> None:
    assert list(STAGE_SECONDS) == sorted(set(STAGE_SECONDS))
