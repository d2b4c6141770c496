"""What an audit finds: statements with a kind, how much they matter, and the files that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from striate.data.listing import counted

Level: TypeAlias = Literal["error", "warning", "note"]

LEVELS: tuple[Level, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Item:
    """One thing that a finding is about.

    Args:
        names: the file, or the files that belong together.
        remark: what is to be said of it; may be empty.
    """

    names: tuple[str, ...]
    remark: str = ""


@dataclass(frozen=True)
class AuditFinding:
    """One statement about a set of images.

    Args:
        kind: what it is, in a word that stays the same, such as ``leakage``.
        level: ``error`` (figures measured on this set would be wrong), ``warning`` (worth looking at) or
            ``note``.
        message: one sentence: what was found, how many, and what to do.
        items: the files that it is about; none where it is about all of them.

    >>> AuditFinding("blank", "warning", "1 picture shows nothing", (Item(("a.png",)),)).to_dict()["items"]
    [{'names': ['a.png'], 'remark': ''}]
    """

    kind: str
    level: Level
    message: str
    items: tuple[Item, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give the finding as plain values, as JSON has them.

        Returns:
            Its fields by name.
        """
        return {
            **asdict(self),
            "items": [{"names": list(item.names), "remark": item.remark} for item in self.items],
        }


def sorted_findings(findings: Sequence[AuditFinding]) -> tuple[AuditFinding, ...]:
    """Put what matters most first, and leave the rest in order.

    Args:
        findings: in any order.

    Returns:
        The same.
    """
    return tuple(sorted(findings, key=lambda finding: LEVELS.index(finding.level)))


def told_levels(findings: Sequence[AuditFinding]) -> str:
    """Say how many findings there are of each level.

    Args:
        findings: of an audit.

    Returns:
        Such as ``1 error, 2 warnings, 1 note``.

    >>> told_levels([]), told_levels([AuditFinding("blank", "note", "one picture shows nothing")])
    ('nothing is wrong or odd', '1 note')
    """
    counts = [(level, sum(finding.level == level for finding in findings)) for level in LEVELS]
    return ", ".join(counted(count, level) for level, count in counts if count) or "nothing is wrong or odd"
