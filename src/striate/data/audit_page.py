"""The audit as a page that needs nothing but itself: counts, findings, thumbnails of what they name."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from striate.core.files import write_text
from striate.data.auditing import Audit
from striate.data.findings import told_levels
from striate.data.listing import counted

MOST_ITEMS = 60
"""So many items of a finding are on the page at most; the JSON has all of them."""

MOST_TOGETHER = 8
"""Of pictures that belong together so many are shown at most."""

THUMBNAIL = 112
"""The longer side of a thumbnail at most, pixels."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Audit of {{ audit.source }}</title><style>
body { font: 15px/1.45 system-ui, sans-serif; color: #222; background: #fff; max-width: 76rem;
       margin: 2rem auto; padding: 0 1.2rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; border-top: 1px solid #ddd; padding-top: 1rem; }
.level { font-size: .75rem; font-weight: 600; color: #fff; border-radius: .2rem; padding: .1rem .45rem;
         margin-right: .5rem; }
.error { background: #B34700; } .warning { background: #8A6100; } .note { background: #0072B2; }
table { border-collapse: collapse; } th, td { text-align: right; padding: .15rem .8rem .15rem 0; }
th:first-child, td:first-child { text-align: left; } td.bar { min-width: 16rem; text-align: left; }
.bar span { display: inline-block; height: .7em; background: #0072B2; }
.items { display: flex; flex-wrap: wrap; gap: .9rem; }
.item { border: 1px solid #ddd; border-radius: .3rem; padding: .5rem; font-size: .78rem; }
.item .names { display: flex; flex-wrap: wrap; gap: .5rem; }
figure { margin: 0; width: 7.2rem; } figure img { max-width: 100%; display: block; }
.gone { height: 4rem; background: #eee; border: 1px dashed #999; }
.remark { margin: .3rem 0 0; color: #555; max-width: 24rem; } p.said { color: #555; }
</style></head><body>
<h1>Audit of {{ audit.source }}</h1>
<p>{{ pictures }} looked at in {{ "%.1f"|format(audit.seconds) }} s: {{ levels }}.</p>
<h2>Images by class</h2>
<table><tr><th>class</th>{% for part in parts %}<th>{{ part }}</th>{% endfor %}<th></th></tr>
{% for name, own in classes %}<tr><td>{{ name }}</td>
{% for part in parts %}<td>{{ "{:,}".format(own[part]) }}</td>{% endfor %}
<td class="bar"><span style="width: {{ "%.2f"|format(16 * own.values()|sum / most) }}rem"></span></td></tr>
{% endfor %}</table>
{% if more_classes %}<p class="said">and {{ more_classes }} classes more</p>{% endif %}
{% for finding in audit.findings %}
<h2><span class="level {{ finding.level }}">{{ finding.level }}</span>{{ finding.kind }}</h2>
<p>{{ finding.message }}.</p>
{% if finding.items %}<div class="items">{% for item in finding.items[:most_items] %}
<div class="item"><div class="names">{% for name in item.names[:most_together] %}<figure>
{% if name in thumbnails %}<img alt="{{ name }}" src="{{ thumbnails[name] }}">
{% else %}<div class="gone"></div>{% endif %}
<figcaption>{{ name }}</figcaption></figure>{% endfor %}</div>
{% if item.names|length > most_together %}
<p class="remark">and {{ item.names|length - most_together }} more</p>{% endif %}
{% if item.remark %}<p class="remark">{{ item.remark }}</p>{% endif %}</div>{% endfor %}</div>
{% if finding.items|length > most_items %}
<p class="said">and {{ finding.items|length - most_items }} more; --json lists all</p>{% endif %}{% endif %}
{% endfor %}

</body></html>
"""

_MOST_CLASSES = 200


def audit_page(audit: Audit, path: Path | str) -> None:
    """Write an audit as an HTML page with thumbnails, which loads nothing from elsewhere.

    Args:
        audit: what was found.
        path: the file to be made or replaced; its directory must exist.

    Raises:
        OSError: where the file cannot be written; what was there is then untouched.
    """
    from jinja2 import Environment

    totals = {name: sum(own.values()) for name, own in audit.counts.items()}
    page = Environment(autoescape=True, trim_blocks=True).from_string(_PAGE)
    classes = list(audit.counts.items())
    text = page.render(
        audit=audit,
        pictures=counted(len(audit.names), "picture"),
        levels=told_levels(audit.findings),
        parts=list(classes[0][1]) if classes else [],
        classes=classes[:_MOST_CLASSES],
        more_classes=max(0, len(classes) - _MOST_CLASSES),
        most=max([1, *totals.values()]),
        most_items=MOST_ITEMS,
        most_together=MOST_TOGETHER,
        thumbnails=_thumbnails(audit),
    )
    write_text(path, text)


def _thumbnails(audit: Audit) -> dict[str, str]:
    rows = {name: row for row, name in enumerate(audit.names)}
    shown = dict.fromkeys(
        name
        for finding in audit.findings
        for item in finding.items[:MOST_ITEMS]
        for name in item.names[:MOST_TOGETHER]
        if name in rows
    )
    return {name: _uri(np.asarray(audit.images[rows[name]])) for name in shown}


def _uri(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> str:
    picture = Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    picture.save(buffer, format="jpeg", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
