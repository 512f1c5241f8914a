"""Where an error came from, for logs: never its message, which may quote a document."""

import traceback


def summarize(error: BaseException, limit: int = 3) -> str:
    """An error's type and the `limit` innermost lines of code that it passed, the innermost first."""
    frames = traceback.extract_tb(error.__traceback__)[-limit:]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in reversed(frames)]
    return f"{type(error).__name__} at {' < '.join(places)}" if places else type(error).__name__
