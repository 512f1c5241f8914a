"""The projection: facts and ticks become the rows that readers query."""
