"""Decide from a recorded history whether what happened is allowed."""
