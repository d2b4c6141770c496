"""Write the list of modules in docs/layout.md from the first sentences of their docstrings.

python scripts/module_list.py           # write it
python scripts/module_list.py --check   # only say whether it is up to date
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "layout.md"
MARK = "<!-- written by scripts/module_list.py -->\n"

# In the order of the flow, from the user down to what everything stands on.
ROOMS = (
    "cli",
    "studies",
    "training",
    "gan",
    "recipes",
    "classifier",
    "attack",
    "explain",
    "models",
    "data",
    "metrics",
    "engine",
    "plots",
    "nn",
    "geometry",
    "reference",
    "core",
)


def main(check: bool) -> int:
    """Bring the page up to date, or say whether it is.

    Args:
        check: whether to leave the page as it is.

    Returns:
        The exit status: 1 where the page is out of date, or a room is not in `ROOMS`.
    """
    package = ROOT / "src" / "striate"
    unknown = {file.parent.name for file in package.glob("*/__init__.py")} - set(ROOMS)
    if unknown:
        print(f"{Path(__file__).name} does not know where in the flow {', '.join(sorted(unknown))} belongs")
        return 1
    lists = [room_list(package / room) for room in ROOMS if (package / room / "__init__.py").exists()]
    old = PAGE.read_text(encoding="utf-8")
    new = old.partition(MARK)[0] + MARK + "\n" + "\n".join(lists)
    if check:
        if new != old:
            print(f"{PAGE.relative_to(ROOT)} does not list the modules as they are")
        return int(new != old)
    PAGE.write_text(new, encoding="utf-8")
    return 0


def room_list(folder: Path) -> str:
    """List the modules of a room.

    Args:
        folder: the room's directory.

    Returns:
        A heading, what the room is for, and one line a module, in Markdown.
    """
    modules = sorted(file for file in folder.glob("*.py") if file.stem != "__init__")
    lines = [f"- `{file.stem}`: {sentence(file)}\n" for file in modules]
    return f"### {folder.name}\n\n{sentence(folder / '__init__.py')}\n\n{''.join(lines)}"


def sentence(file: Path) -> str:
    """Give the first sentence of a module's docstring.

    Args:
        file: the module.

    Returns:
        Its first paragraph on one line, as Markdown.
    """
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split()).replace("``", "`")


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
