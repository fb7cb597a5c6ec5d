"""The mark of each kind of event: what has consequences is a square or a diamond, the rest is round."""

from __future__ import annotations

from markupsafe import Markup

from ostrakon.reports.markup import element


def glyph(shape: str, x: float, y: float) -> Markup:
    """The mark of an event, or of a client's op ("client ok"), around a point."""
    match shape:
        case "learned" | "applied":
            return element("path", d=f"M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z", class_="glyph full")
        case "accept_sent":
            return element("rect", x=x - 5.5, y=y - 5.5, width=11, height=11, class_="glyph full")
        case "propose_sent":
            return element("rect", x=x - 5.5, y=y - 5.5, width=11, height=11, class_="glyph")
        case "restart":
            return element(
                "path", d=f"M{x - 7:.1f} {y - 6:.1f}h14m-7 0v12m-4 -4l4 4l4 -4", class_="glyph restart"
            )
        case "nack_sent":
            return element("path", d=f"M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10", class_="glyph nack")
        case "client ok":
            return element("path", d=f"M{x - 5:.1f} {y - 6:.1f}h11v12h-11z", class_="glyph full")
        case _:
            return element("circle", cx=x, cy=y, r=5, class_="glyph")
