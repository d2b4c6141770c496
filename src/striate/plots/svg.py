"""A page of SVG in the making: shapes and lines of text, whatever the text holds."""

from __future__ import annotations

from xml.etree import ElementTree


class Page:
    """An SVG document on white paper.

    Args:
        colour: of text that is given no other.
    """

    def __init__(self, *, colour: str) -> None:
        self._root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "fill": colour})
        self.draw("rect", width="100%", height="100%", fill="white")

    def draw(self, shape: str, **attributes: float | str) -> ElementTree.Element:
        """Add a shape.

        Args:
            shape: name of the element.
            attributes: by name, with underscores where SVG has hyphens.

        Returns:
            The element.
        """
        texts = {
            name.replace("_", "-"): value if isinstance(value, str) else f"{value:.5g}"
            for name, value in attributes.items()
        }
        return ElementTree.SubElement(self._root, shape, texts)

    def write(self, x: float, y: float, text: str, **attributes: float | str) -> None:
        """Add a line of text.

        Args:
            x: where it begins, pixels.
            y: the line that it stands on.
            text: any.
            attributes: by name, as for `draw`.
        """
        self.draw("text", x=x, y=y, **attributes).text = drawable(text)

    def text(self, *, width: float, height: float) -> str:
        """Give the document.

        Args:
            width: of the page, pixels.
            height: of the page.

        Returns:
            The content of a file.
        """
        self._root.attrib.update(
            {
                "width": f"{width:.0f}",
                "height": f"{height:.0f}",
                "viewBox": f"0 0 {width:.0f} {height:.0f}",
                "font-family": "DejaVu Sans, Verdana, Arial, sans-serif",
                "font-size": "12",
            }
        )
        return ElementTree.tostring(self._root, encoding="unicode") + "\n"


def drawable(text: str) -> str:
    """Replace the letters that no XML file may hold, and those that show nothing.

    Args:
        text: any.

    Returns:
        As many letters, squares in their place.

    >>> drawable("conv\\x07")
    'conv□'
    """
    return "".join(letter if letter.isprintable() else "\N{WHITE SQUARE}" for letter in text)
