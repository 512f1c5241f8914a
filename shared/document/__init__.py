"""The fold of a document: its state, the live overlay, and the view that people and programs see."""
