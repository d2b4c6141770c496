"""The page of an audit: whole by itself, with thumbnails, names escaped, and complete or absent."""

import base64
import io
import re

import pytest
from PIL import Image

from striate.data import AuditFinding, audit, audit_page
from striate.data.findings import Item


@pytest.fixture
def folder(tmp_path, photo_like):
    for number in range(24):
        place = tmp_path / "set" / ("<b>ants", "bees & co")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        photo_like(number).save(place / f"{number}.png")
    photo_like(0).save(tmp_path / "set" / "<b>ants" / "<script>alert(1).png")
    (tmp_path / "set" / "bees & co" / "broken.png").write_bytes(b"no")
    return tmp_path / "set"


def test_the_page_holds_all_that_was_found(folder, tmp_path):
    found = audit(folder)
    audit_page(found, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    for finding in found.findings:
        assert f'class="level {finding.level}">{finding.level}</span>{finding.kind}' in text
    assert text.count('<img alt="') == 2  # the two that are the same; what is broken has no picture
    assert 'class="gone"' in text
    picture = re.search(r'src="data:image/jpeg;base64,([^"]+)"', text)
    assert max(Image.open(io.BytesIO(base64.b64decode(picture[1]))).size) == 112


def test_names_are_escaped_and_nothing_is_loaded(folder, tmp_path):
    audit_page(audit(folder), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1).png" in text
    assert "<b>ants" not in text
    assert "bees &amp; co" in text
    assert not re.search(r"https?://|(src|href)=\"(?!data:)", text)


def test_long_lists_are_cut_and_say_so(folder, tmp_path):
    many = tuple(Item((f"{number}.png",)) for number in range(75))
    together = (Item(tuple(f"{number}.png" for number in range(11))),)
    found = audit(folder).joined(
        [AuditFinding("blank", "note", "many", many), AuditFinding("long", "note", "one", together)]
    )
    audit_page(found, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "and 15 more; --json lists" in text
    assert "and 3 more" in text


def test_what_cannot_be_written_leaves_what_was_there(folder, tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        audit_page(audit(folder), tmp_path / "nowhere" / "page.html")
