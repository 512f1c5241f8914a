"""The async Python client of Pagestream: upload, ask, and watch documents, jobs and batches live.

    async with PagestreamClient("http://127.0.0.1:8000", token) as client:
        accepted = await client.upload(Path("letter.pdf"))
        view = await client.wait(accepted.document_id)

`token` is an API key or a capability token. `pagestream.views` has the types of all answers.
Everything else that is not named here is internal to the package.
"""

from pagestream.client import Accepted, PagestreamClient
from pagestream.protocol import DOCUMENTS, State, Target, View
from pagestream.refusals import Refused, Unreachable
from pagestream.views import DocumentView, Extraction, JobView

__all__ = [
    "DOCUMENTS",
    "Accepted",
    "DocumentView",
    "Extraction",
    "JobView",
    "PagestreamClient",
    "Refused",
    "State",
    "Target",
    "Unreachable",
    "View",
]
