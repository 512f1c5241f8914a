"""The sentiment stage: whether a document is glad or sad. A test adds it to a copy of the project."""
