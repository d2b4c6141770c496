"""Hold the size laws: short modules and functions, few parameters, documentation, and nothing that unpickles.

    python scripts/size_laws.py [ROOT]      # the package to look at; src/striate where none is named

Prints each breach as ``file:line: what``, and exits with status 1 where there is one.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MODULE_LINES = 400
MODULE_LINES_WARNED = 300
FUNCTION_LINES = 60  # without the docstring
PARAMETERS = 8
BANNED_NAMES = {"utils.py", "util.py", "helpers.py", "misc.py", "common.py"}
BANNED_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "torchvision"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def main(root: Path) -> int:
    """Print the breaches and warnings of a package.

    Args:
        root: the directory of the package.

    Returns:
        The exit status: 1 where a law is broken.
    """
    modules = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(root.rglob("*.py"))}
    if not modules:
        print(f"{root}: there is no Python file here")
        return 1
    breaches = [breach for path, tree in modules.items() for breach in breaches_of_module(path, tree)]
    breaches += breaches_of_documentation(root, modules)
    for path in modules:
        if MODULE_LINES_WARNED < lines_of(path) <= MODULE_LINES:
            print(f"{path}:1: warning: {lines_of(path)} lines; {MODULE_LINES_WARNED} are enough for most")
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


def breaches_of_module(path: Path, tree: ast.Module) -> Iterator[str]:
    """Find what is too large in a module, or may not be there at all.

    Args:
        path: the module's file.
        tree: its syntax tree.

    Yields:
        One line for each breach.
    """
    if lines_of(path) > MODULE_LINES:
        yield f"{path}:1: {lines_of(path)} lines, where {MODULE_LINES} are allowed"
    if path.name in BANNED_NAMES:
        yield f"{path}:1: a file is called after what it does, not {path.name}"
    if not first_sentence(tree):
        yield f"{path}:1: the docstring's first sentence does not say what the module is for"
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield from _breaches_of_function(path, node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            for name in names:
                if name.split(".")[0] in BANNED_IMPORTS and getattr(node, "level", 0) == 0:
                    yield f"{path}:{node.lineno}: {name} may not be imported"
        elif isinstance(node, ast.Call):
            yield from _breaches_of_call(path, node)


def breaches_of_documentation(root: Path, modules: dict[Path, ast.Module]) -> Iterator[str]:
    """Find what the rooms offer to others (the names in their ``__all__``) and do not document.

    Args:
        root: the directory of the package.
        modules: every module of it with its syntax tree.

    Yields:
        One line for each breach.
    """
    for path, tree in modules.items():
        names = exported(tree)
        if path.name != "__init__.py" or not names:
            continue
        for name, home in _homes(root, path, tree, names):
            if home not in modules:
                continue
            for node in modules[home].body:
                if isinstance(node, Function | ast.ClassDef) and node.name == name:
                    yield from _undocumented(home, node)


def exported(tree: ast.Module) -> list[str]:
    """Read the names in a module's ``__all__``.

    Args:
        tree: the module's syntax tree.

    Returns:
        The names in their order; none where there is no ``__all__``.
    """
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


def first_sentence(node: ast.Module | ast.ClassDef | Function) -> str:
    """Give the first sentence of a docstring.

    Args:
        node: what has the docstring.

    Returns:
        The sentence; empty where there is no docstring or its first paragraph does not end as one.
    """
    paragraph = (ast.get_docstring(node) or "").split("\n\n")[0].strip()
    sentence = paragraph.endswith((".", ":")) and not paragraph.startswith(("Args:", "Returns:"))
    return paragraph if sentence else ""


def lines_of(path: Path) -> int:
    """Count the lines of a file.

    Args:
        path: the file.

    Returns:
        How many there are.
    """
    return len(path.read_text(encoding="utf-8").splitlines())


def _breaches_of_function(path: Path, node: Function) -> Iterator[str]:
    docstring = 0
    if ast.get_docstring(node) is not None:
        docstring = (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
    lines = (node.end_lineno or 0) - node.lineno + 1 - docstring
    if lines > FUNCTION_LINES:
        yield f"{path}:{node.lineno}: {node.name} has {lines} lines, where {FUNCTION_LINES} are allowed"
    parameters = _parameters(node)
    if len(parameters) > PARAMETERS:
        yield (
            f"{path}:{node.lineno}: {node.name} has {len(parameters)} parameters, "
            f"where {PARAMETERS} are allowed"
        )


def _breaches_of_call(path: Path, node: ast.Call) -> Iterator[str]:
    called = ast.unparse(node.func)
    if called == "torch.load" and not _reads_published_tensors(path, node):
        yield f"{path}:{node.lineno}: torch.load unpickles; safetensors does not"
    for keyword in node.keywords:
        refused = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        if keyword.arg == "allow_pickle" and not refused:
            yield f"{path}:{node.lineno}: {called} with allow_pickle unpickles"


def _reads_published_tensors(path: Path, node: ast.Call) -> bool:
    """Say whether a call is the one place where published weights are read, as tensors only."""
    tensors_only = any(
        keyword.arg == "weights_only"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is True
        for keyword in node.keywords
    )
    return tensors_only and path.parts[-2:] == ("classifier", "published.py")


def _homes(root: Path, path: Path, tree: ast.Module, names: list[str]) -> Iterator[tuple[str, Path]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{root.name}."):
            inner = (node.module or "").split(".")[1:]
            home = root.joinpath(*inner)
            home = home / "__init__.py" if home.is_dir() else home.with_suffix(".py")
            for alias in node.names:
                if (alias.asname or alias.name) in names:
                    yield alias.name, home
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and node.name in names:
            yield node.name, path


def _undocumented(path: Path, node: ast.ClassDef | Function) -> Iterator[str]:
    if isinstance(node, Function):
        yield from _undocumented_function(path, node, node.name)
        return
    if not first_sentence(node):
        yield f"{path}:{node.lineno}: {node.name} has no docstring that begins with a sentence"
    for method in node.body:
        if isinstance(method, Function) and not method.name.startswith("_"):
            yield from _undocumented_function(path, method, f"{node.name}.{method.name}")


def _undocumented_function(path: Path, node: Function, name: str) -> Iterator[str]:
    docstring = ast.get_docstring(node) or ""
    if not first_sentence(node):
        yield f"{path}:{node.lineno}: {name} has no docstring that begins with a sentence"
        return
    # A property has no arguments and its sentence says what it is; what a layer's forward takes and
    # gives is said by the sentence too.
    if node.name == "forward" or any("property" in ast.unparse(d) for d in node.decorator_list):
        return
    if _parameters(node) and "Args:" not in docstring:
        yield f"{path}:{node.lineno}: {name} takes arguments that its docstring does not list under Args"
    nothing = node.returns is None or ast.unparse(node.returns) in ("None", "NoReturn", "Iterator[None]")
    if not nothing and "Returns:" not in docstring and "Yields:" not in docstring:
        yield f"{path}:{node.lineno}: {name} returns what its docstring does not say under Returns"


def _parameters(node: Function) -> list[str]:
    arguments = node.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


if __name__ == "__main__":
    source = Path(__file__).parents[1] / "src" / "striate"
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else source))
