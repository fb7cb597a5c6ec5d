"""Small worlds explored to the last interleaving; knows nothing of any protocol."""

from ostrakon.harness.model.explorer import Exploration, Model, Path, explore
from ostrakon.harness.model.size import CannotExplore, Explore, Found, Size

__all__ = ["CannotExplore", "Exploration", "Explore", "Found", "Model", "Path", "Size", "explore"]
