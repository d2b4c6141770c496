"""What a search needs of Optuna and of its folder, and one sentence where these cannot be used."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from striate.core.errors import RunError
from striate.studies.search_parameters import Choice, Parameter, Whole

DATABASE = "search.db"
SECONDS_FOR_LOCK = 60
"""How long a process waits for another one that writes to the same SQLite file."""


ATTEMPTS = 5
"""How often the opening of a storage is tried whose tables others are making."""

SECONDS_BETWEEN_ATTEMPTS = 0.5


class StorageGone(RunError):
    """Raised when the storage of a search cannot be reached."""


def import_optuna() -> Any:
    """Import Optuna, which is installed only where it is wanted.

    Returns:
        The package.

    Raises:
        RunError: where it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise RunError(
            "a search needs Optuna, which is not installed; pip install 'striate[search]' installs it"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # what it says, we say in our own way
    return optuna


def open_storage(url: str) -> Any:
    """Open a storage.

    Args:
        url: of a database.

    Returns:
        Optuna's storage.

    Raises:
        StorageGone: where it cannot be reached, or what its kind needs is not installed.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import DBAPIError, IntegrityError

    optuna = import_optuna()
    with reaching(hidden(url)):
        waits = make_url(url).get_backend_name() == "sqlite"
        arguments = {"connect_args": {"timeout": SECONDS_FOR_LOCK}} if waits else {}
        for _ in range(ATTEMPTS - 1):
            try:
                return optuna.storages.RDBStorage(url, engine_kwargs=arguments)
            except DBAPIError as error:
                # Another process makes the tables of a new database at the same moment.
                if not (isinstance(error, IntegrityError) or "exists" in str(error)):
                    raise
                time.sleep(SECONDS_BETWEEN_ATTEMPTS)
        return optuna.storages.RDBStorage(url, engine_kwargs=arguments)


def sqlite_url(path: Path) -> str:
    """Write the path of an SQLite file as Optuna takes it, which fills in what stands in braces.

    Args:
        path: the file, whether it exists or not.

    Returns:
        The URL.

    Raises:
        RunError: where the path cannot be written so.

    >>> sqlite_url(Path("/runs/{a}/search.db"))
    'sqlite:////runs/{{a}}/search.db'
    """
    text = os.path.abspath(path)
    if "?" in text:
        raise RunError(
            f"the folder of a search cannot have a '?' in its path, as {text} has; name another --out"
        )
    return f"sqlite:///{text.replace('{', '{{').replace('}', '}}')}"


def hidden(url: str) -> str:
    """Write a URL as it can be shown.

    Args:
        url: of a storage.

    Returns:
        The same without its password.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return url


def distribution(parameter: Parameter) -> Any:
    """Give a parameter as Optuna has it.

    Args:
        parameter: any.

    Returns:
        Its distribution.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.options)
    if isinstance(parameter, Whole):
        return IntDistribution(parameter.low, parameter.high, step=parameter.step)
    return FloatDistribution(parameter.low, parameter.high, step=parameter.step, log=parameter.step is None)


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Turn what a storage raises that cannot be reached into one sentence.

    Args:
        url: of the storage, as it can be shown.

    Raises:
        StorageGone: where the block could not reach it, or the search is not in it any more.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError, ImportError) as error:
        raise StorageGone(f"the storage {url} cannot be used: {_reason(error)}") from error
    except KeyError as error:
        raise StorageGone(f"the storage {url} has lost this search: {error}") from error


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    said = str(getattr(cause, "orig", None) or cause).strip()
    return said.splitlines()[0] if said else type(cause).__name__


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the file system says of a search's folder into one sentence.

    Args:
        folder: of the search.

    Raises:
        RunError: where the block raised an `OSError`, such as for a full disk.
    """
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write to {folder}: {error.strerror or error}; once it can be written, the same command "
            "goes on"
        ) from error
