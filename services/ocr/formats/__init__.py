"""File formats: each module opens one family of files and returns pages."""
