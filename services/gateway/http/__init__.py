"""HTTP machinery that every route shares: middleware, responses, cursors, the API description, static files."""
