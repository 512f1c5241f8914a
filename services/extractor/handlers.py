"""The extractor stage: plan the passes over a text, look for its fields, merge what was found."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from services.extractor import keywords, languages
from services.extractor.conclusion import conclude_findings
from services.extractor.fields import check_digits, month_names, phones
from services.extractor.fields.hints import Hints, read_hints
from services.extractor.findings import Finding
from services.extractor.passage_fields import FINDERS, find_fields
from services.extractor.passages import Paging, cut, sample
from services.extractor.settings import ExtractorSettings
from services.extractor.whole_document import describe_document, vendors
from shared.harness.contract import Plan, Result, Slice, Task
from shared.runtime.settings import read

VERSION: Final = 2  # of the rules in this folder; raise it when they find something else
# Measured on one core with English prose of 2,100 characters a page
SECONDS_A_CHARACTER: Final = 1.5e-6
SECONDS_A_PASS: Final = 0.02
SECONDS_THE_WHOLE: Final = 0.3
WHOLE: Final = "document"  # the pass over the document as a whole; the others are over passages
HINTS_FROM: Final = 200_000  # characters read for the hints


@cache
def _settings() -> ExtractorSettings:
    return read(ExtractorSettings)


def engine(settings: ExtractorSettings) -> str:
    """Everything that shapes an extraction: these rules, the libraries, the settings."""
    libraries = {
        "dateparser": month_names.version,
        "phonenumbers": phones.version,
        "py3langid": languages.version,
        "python-stdnum": check_digits.version,
        "yake": keywords.version,
    }
    parts = [f"rules/{VERSION}", *(f"{name}/{version}" for name, version in libraries.items())]
    return " ".join([*parts, *(f"{name}={value}" for name, value in settings.model_dump().items())])


def plan(task: Task) -> Plan:
    """One pass for the whole document and one for each passage of it; all read dates and numbers by the same hints."""
    settings = _settings()
    text, pages = _input(task)
    hints = read_hints(sample(text, HINTS_FROM), languages.identify(sample(text, settings.sample_characters)))
    shared = {"hints": hints.model_dump(mode="json")}
    part = min(len(text), settings.sample_characters) / settings.sample_characters
    whole = Slice(weight=SECONDS_A_PASS + SECONDS_THE_WHOLE * part, args={"pass": WHOLE, **shared})
    passes = [
        Slice(
            weight=SECONDS_A_PASS + SECONDS_A_CHARACTER * (passage.end - passage.start),
            pages=(passage.first, passage.last),
            args={"pass": "fields", "start": passage.start, "end": passage.end, **shared},
        )
        for passage in cut(text, pages, settings.slice_pages, settings.slice_characters)
    ]
    return Plan(engine=engine(settings), slices=(whole, *passes))


def work(task: Task, slice_: Slice) -> Result:
    """Return the findings of one pass, with the fields of the whole when it is the whole-document pass."""
    text, pages = _input(task)
    paging, hints = Paging(pages), Hints.model_validate(slice_.args["hints"])
    if slice_.args["pass"] == WHOLE:
        first = next(((int(p["start"]), int(p["end"])) for p in pages if text[p["start"] : p["end"]].strip()), (0, 0))
        said = describe_document(text, first, len(pages), hints.language, _settings())
        found = list(vendors(text, first, paging, said["document_type"]))
        return said | {"findings": [finding.to_json() for finding in found]}
    start, end = int(slice_.args["start"]), int(slice_.args["end"])
    return {"findings": [finding.to_json() for finding in _looked_for(task, text, start, end, paging, hints)]}


def conclude(task: Task, plan: Plan, results: Sequence[Result | None]) -> Result:
    """The extraction: findings merged, sums checked, with warnings for what is missing or does not add up."""
    whole = results[0] or {}
    found = [Finding.from_json(finding) for result in results if result for finding in result["findings"]]
    missing = [slice_.pages for slice_, result in zip(plan.slices, results, strict=True) if result is None]
    first_page = next((slice_.pages[0] for slice_ in plan.slices if slice_.pages), 1)
    return conclude_findings(whole, found, missing, first_page)


def _input(task: Task) -> tuple[str, Sequence[Mapping[str, Any]]]:
    ocr = task.earlier["ocr"]
    return ocr["text"], ocr["pages"]


def _looked_for(task: Task, text: str, start: int, end: int, paging: Paging, hints: Hints) -> Iterator[Finding]:
    for done, (name, found) in enumerate(find_fields(text, start, end, paging, hints, _settings().findings), 1):
        task.tick("extract.looking", done / len(FINDERS), field=name)
        yield from found
