"""The families of findings: each module finds one kind of field in a passage or a document."""
