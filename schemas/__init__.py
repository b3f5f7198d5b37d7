"""JSON to Python and back, one file per noun. Knows marshmallow and nothing of ours."""
