"""Puts this folder on the path: every tier imports `history`, `world` and `sources`; fixtures live with their tests."""
