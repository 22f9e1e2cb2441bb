"""The only list of options; within one stage they act in this order."""

from __future__ import annotations

from imgserve.ops import delivery, detections, effects, filters, geometry, limits, models, output, overlay, trim
from imgserve.plan.presets import Preset
from imgserve.spec.op import Catalog

FAMILIES = (
    (Preset,),
    models.OPS,
    geometry.OPS,
    trim.OPS,
    filters.OPS,
    detections.OPS,
    effects.OPS,
    overlay.OPS,
    output.OPS,
    delivery.OPS,
    limits.OPS,
)

CATALOG = Catalog(FAMILIES)
