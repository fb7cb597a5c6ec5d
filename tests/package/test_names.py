"""What an editor or a prompt offers for completion is what is public."""

from __future__ import annotations

import ostrakon
from ostrakon import checkers


def test_a_package_offers_its_public_names_only() -> None:
    for package in (ostrakon, checkers):
        assert dir(package) == sorted(package.__all__)
