"""The one stage harness: a stage brings `plan`, `work` and `conclude`; everything else is here."""
