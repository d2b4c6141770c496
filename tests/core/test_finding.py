"""A finding says all that it knows in one sentence, and as JSON."""

import json
import math

from striate.core.finding import Finding


def test_the_sentence_has_name_verdict_message_and_advice():
    finding = Finding(
        name="diversity",
        verdict="collapsed",
        level="error",
        message="one image only",
        images=8,
        advice="stop",
    )
    assert finding.said == "diversity collapsed: one image only; stop"


def test_json_has_every_field_and_nothing_that_json_lacks():
    finding = Finding(
        name="gradients",
        verdict="not finite",
        level="error",
        message="they are NaN",
        images=1,
        value=math.nan,
        interval=(0.5, math.inf),
    )
    values = json.loads(json.dumps(finding.to_dict(), allow_nan=False))
    assert values == {
        "name": "gradients",
        "verdict": "not finite",
        "level": "error",
        "message": "they are NaN",
        "images": 1,
        "advice": "",
        "value": None,
        "interval": [0.5, None],
    }
    assert (
        Finding(name="a", verdict="b", level="note", message="c", images=1, value=2.0).to_dict()["value"] == 2
    )
