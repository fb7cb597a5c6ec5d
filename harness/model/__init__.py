"""Small worlds explored to the last interleaving; knows nothing of any protocol."""

from harness.model.explorer import Exploration, Model, Path, explore

__all__ = ["Exploration", "Model", "Path", "explore"]
