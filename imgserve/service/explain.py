"""Say what a plan would do, without doing it: options, key, formats, and the geometry for the real source."""

from __future__ import annotations

import dataclasses
from typing import Any

from imgserve.engine.deadline import Deadline
from imgserve.engine.formats import FORMATS
from imgserve.engine.intent import Intent
from imgserve.engine.layout import solve
from imgserve.engine.load import open_source
from imgserve.engine.tags import orientation as orientation_of
from imgserve.plan.model import Plan
from imgserve.service.render import Renderer


async def explain(renderer: Renderer, plan: Plan, *, ends_at: float) -> dict[str, Any]:
    """Describe a plan as a JSON value; the source is fetched, its header read, its pixels left alone."""
    intent = renderer.intent(plan)
    blob = await renderer.fetch(plan, intent, headers={})
    deadline = Deadline(max(0.0, ends_at - renderer.clock()))

    def look() -> dict[str, Any]:
        return _geometry(renderer, intent, blob.data, deadline)

    found = await renderer.pool.run(look, deadline=deadline)
    return {**describe(plan), "key": renderer.key(plan), **found}


def describe(plan: Plan) -> dict[str, Any]:
    """Give the plan itself: its canonical text and every option by field name."""
    return {
        "canonical": plan.canonical(),
        "source": plan.source,
        "options": [_option(one) for one in plan.ops],
        "delivery": [_option(one) for one in plan.delivery],
        "negotiated": {"preferred": list(plan.preferred), "enforced": list(plan.enforced)},
    }


def _option(one: Any) -> dict[str, Any]:
    fields = {name: _plain(getattr(one, name)) for name in one.spec.params}
    return {"name": one.spec.name, "stage": one.spec.stage.value, "text": one.text(), "fields": fields}


def _plain(value: object) -> Any:
    """Turn a value of an option or a layout into one that JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _geometry(renderer: Renderer, intent: Intent, data: bytes, deadline: Deadline) -> dict[str, Any]:
    opened = open_source(data, intent=intent, config=renderer.config, deadline=deadline)
    width, height = opened.image.width, opened.image.get_page_height()
    orientation = orientation_of(opened.image)
    layout = solve(intent, width=width, height=height, orientation=orientation, vector=FORMATS[opened.format].vector)
    deadline.release()
    return {
        "source_image": {
            "format": opened.format,
            "bytes": len(data),
            "width": width,
            "height": height,
            "orientation": orientation,
            "animated": opened.animated,
        },
        "layout": _plain(layout),
    }
