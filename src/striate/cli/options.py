"""Options of a command made from the fields of the recipe, whose docstring is their help."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Annotated, Any, Optional, get_args, get_type_hints

import typer

from striate.core.recipe import Recipe
from striate.core.recipe_form import RecipeForm


def with_recipe_options(verb: Callable[..., None], kind: type[RecipeForm] = Recipe) -> Callable[..., None]:
    """Give a verb one option for each field of the recipe.

    Args:
        verb: a function whose last parameter is ``**recipe_fields``; it is given those fields that
            the user named, and only those. A field that it has as a parameter itself is its own.
        kind: of recipe.

    Returns:
        The function that typer reads the options from.
    """
    helps = argument_help(kind.__doc__ or "")
    types = get_type_hints(kind)
    of_verb = inspect.signature(verb).parameters.keys()
    names = [field.name for field in fields(kind) if field.name not in of_verb]

    def command(**values: Any) -> None:
        given = {name: value for name in names if (value := values.pop(name)) is not None}
        verb(**values, **given)

    own = [
        parameter
        for parameter in inspect.signature(verb, eval_str=True).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    added = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=_annotation(field.name, types[field.name], helps[field.name], field.default),
        )
        for field in fields(kind)
        if field.name in names
    ]
    keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    command.__signature__ = inspect.Signature([*keyword, *added])  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in [*keyword, *added]}
    command.__name__, command.__doc__ = verb.__name__, verb.__doc__
    return command


def argument_help(docstring: str) -> dict[str, str]:
    """Read what a docstring says of each argument.

    Args:
        docstring: with a section ``Args:``.

    Returns:
        Name of the argument -> its text in one line, without the marks of code.

    >>> argument_help('''Do it.
    ...
    ...     Args:
    ...         size: side in pixels; ``None``: as
    ...             it is.
    ...
    ...     Returns:
    ...         Nothing.
    ... ''')
    {'size': 'side in pixels; by default: as it is.'}
    """
    section = re.search(
        r"^ *Args:\n(.*?)(?=\n *\n|\Z)", inspect.cleandoc(docstring), re.DOTALL | re.MULTILINE
    )
    if section is None:
        return {}
    found: dict[str, str] = {}
    name = ""
    for line in section[1].splitlines():
        begun = re.match(r"    (\w+): (.*)", line)
        if begun:
            name, found[begun[1]] = begun[1], begun[2]
        else:
            found[name] += f" {line.strip()}"
    return {name: _plain(text) for name, text in found.items()}


def _plain(text: str) -> str:
    text = text.replace("``None``:", "by default:")
    return re.sub(r"`{1,2}([^`]+)`{1,2}", r"\1", text)


def _annotation(name: str, kind: Any, text: str, default: Any) -> Any:
    plain = next((part for part in get_args(kind) if part is not type(None)), kind)
    option = f"--{name.replace('_', '-')}"
    declared = f"{option}/--no-{name.replace('_', '-')}" if plain is bool else option
    if default is not None:
        text = f"{text} [default: {default}]"
    return Annotated[Optional[plain], typer.Option(declared, help=text, show_default=False)]  # noqa: UP045


def with_options_of(bundle: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb one option for each field of a dataclass: more than a function can have parameters.

    Args:
        bundle: a dataclass whose fields are annotated for typer and have defaults.

    Returns:
        A decorator for a verb whose last parameter is ``choices``; it is given an instance.
    """
    types = get_type_hints(bundle, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    added = [
        inspect.Parameter(field.name, kind, default=field.default, annotation=types[field.name])
        for field in fields(bundle)
    ]

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        def command(**values: Any) -> None:
            choices = bundle(**{option.name: values.pop(option.name) for option in added})
            verb(**values, choices=choices)

        own = list(inspect.signature(verb, eval_str=True).parameters.values())[:-1]
        every = [*(parameter.replace(kind=kind) for parameter in own), *added]
        command.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
        command.__name__, command.__doc__ = verb.__name__, verb.__doc__
        return command

    return decorate
