"""Makes `history` and `world` importable from every tier; fixtures live with the tests that need them."""
