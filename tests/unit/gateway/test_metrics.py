from prometheus_client import CollectorRegistry, generate_latest

from services.gateway.metrics import STAGE_SECONDS, stage_seconds


class Said:
    def __init__(self, *families) -> None:
        self._families = families

    def collect(self):
        return self._families


def row(most, count, seconds, stage="ocr", status="completed"):
    return {"_id": {"type": stage, "status": status, "most": most}, "count": count, "seconds": seconds}


def lines(*rows):
    registry = CollectorRegistry()
    registry.register(Said(stage_seconds(list(rows))))
    return dict(line.rsplit(" ", 1) for line in generate_latest(registry).decode().splitlines() if line[0] != "#")


def test_each_bucket_counts_all_that_took_no_longer() -> None:
    said = lines(row(0.5, 2, 0.8), row(10.0, 1, 7.0), row(None, 1, 4000.0))
    bucket = 'pagestream_stage_seconds_bucket{le="%s",outcome="completed",stage="ocr"}'

    assert [said[bucket % le] for le in ("0.25", "0.5", "5.0", "10.0", "1800.0", "+Inf")] == [
        "0.0", "2.0", "2.0", "3.0", "3.0", "4.0",
    ]  # fmt: skip
    assert said['pagestream_stage_seconds_sum{outcome="completed",stage="ocr"}'] == "4007.8"


def test_failed_and_completed_stages_are_told_apart() -> None:
    said = lines(row(0.1, 3, 0.1), row(0.1, 1, 0.1, status="failed"))
    count = 'pagestream_stage_seconds_count{outcome="%s",stage="ocr"}'

    assert (said[count % "completed"], said[count % "failed"]) == ("3.0", "1.0")


def test_bounds_only_grow() -> None:
    assert list(STAGE_SECONDS) == sorted(set(STAGE_SECONDS))
