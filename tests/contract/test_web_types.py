"""The hand-written types of the npm package against the modules they describe and the views that the server renders."""

import json
import re
from pathlib import Path
from typing import Any, Final

from services.gateway.api.schemas import DocumentView, JobView
from services.gateway.http.static import FOLDER
from services.gateway.live.batch_progress import BatchProgress
from services.progress.projection import job_row
from shared.document import view
from shared.document.live_overlay import LiveOverlay
from shared.document.upload_info import UploadInfo
from tests.support.document_facts import BAD_PAGE, concluded, done, failed, fold, planned, started, uploaded
from tests.support.job_facts import STARTED
from tests.support.shapes import assert_shape

ROOT: Final = Path(__file__).parents[2]
CLIENT: Final = (ROOT / "types/client.d.ts").read_text()
ELEMENT: Final = (ROOT / "types/element.d.ts").read_text()


def exported(source: str) -> set[str]:
    """The values that a module or its types export."""
    return set(re.findall(r"^export (?:class|function|const) (\w+)", source, re.MULTILINE))


def fields(interface: str) -> set[str]:
    """The members of an interface in client.d.ts."""
    (body,) = re.findall(rf"^export interface {interface} \{{(.*?)\}}$", CLIENT, re.DOTALL | re.MULTILINE)
    flat = re.sub(r"\{[^}]*\}", "", re.sub(r"/\*\*.*?\*/", "", body))
    return set(re.findall(r"(?:^|;)\s*(\w+)\??:", flat))


def test_what_the_package_exports_is_typed_and_nothing_else() -> None:
    exports = json.loads((ROOT / "package.json").read_text())["exports"]
    for entry in exports.values():
        module, types = ((ROOT / entry[kind]).read_text() for kind in ("default", "types"))
        assert exported(module) == exported(types)


def test_the_clients_public_members_are_typed() -> None:
    source = (FOLDER / "client/client.js").read_text()
    body = source[source.index("class PagestreamClient") : source.index("\nconst shared")]
    methods = set(re.findall(r"^  (\w+)\(.*\) \{$", body, re.MULTILINE))
    typed = CLIENT[CLIENT.index("class PagestreamClient") :]
    assert methods == set(re.findall(r"^  (\w+)\(", typed, re.MULTILINE))
    assert set(re.findall(r"readonly (\w+)", typed)) == {"base", "connection", "problem"}


def test_the_elements_attributes_and_events_are_typed() -> None:
    source = (FOLDER / "element/document-progress.js").read_text()
    (observed,) = re.findall(r"observedAttributes = (\[.*?\])", source)
    declared = set(re.findall(r'"?([\w-]+)"?\?:', ELEMENT))
    assert declared == {*json.loads(observed), "lang", "quiet"}
    assert set(re.findall(r'#tell\("([\w-]+)"', source)) == set(re.findall(r'"([\w-]+)": CustomEvent', ELEMENT))


def test_every_target_that_the_protocol_knows_is_typed() -> None:
    (parameters,) = re.findall(r"function keyOf\(\{ (.*?) \}\)", (FOLDER / "client/protocol.js").read_text())
    (target,) = re.findall(r"^export type Target = (.*);$", CLIENT, re.MULTILINE)
    assert set(parameters.split(", ")) == set(re.findall(r"(\w+):", target))


def render() -> dict[str, Any]:
    log = [uploaded(), started(), planned(slices=2, pages=2), done(0, pages=(1, 1))]
    failing = [failed(1, error=BAD_PAGE, pages=(2, 2)), concluded(partial=True)]
    return view.render(fold([*log, *failing]), LiveOverlay(), info=UploadInfo("lease.pdf"), epoch="k3f9")


def job_view() -> dict[str, Any]:
    taken = job_row.take(None, STARTED, 0)
    assert taken
    return job_row.render(taken, "e")


def test_the_views_that_the_server_renders_have_the_shape_of_their_models() -> None:
    assert_shape(DocumentView, render())
    assert_shape(JobView, job_view())


def test_a_batch_is_typed_as_the_server_renders_it() -> None:
    assert set(BatchProgress().progress()) == fields("BatchProgress")
