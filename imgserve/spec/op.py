"""What an option is: a frozen class whose fields are its URL arguments, declared once with @op.

    @op("blur", "bl", stage=Stage.FILTER, example="blur:5")
    class Blur(Op):
        \"\"\"Blur the picture.\"\"\"

        sigma: float = number(min=0, doc="radius in result pixels")

An Op that exists is valid and canonical: every field went through its kind. The catalog is the only list of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from imgserve.ports.models import Ask
from imgserve.spec.kinds import BadArgument
from imgserve.spec.params import (
    REQUIRED,
    Param,
    choice,
    colour,
    flag,
    format_values,
    gravity,
    image_format,
    image_formats,
    integer,
    number,
    text,
    texts,
)


class Stage(Enum):
    """When an option acts; the order of the pipeline is engine.pipeline.PIPELINE, not this list."""

    #: Outside the picture: file name, expiry, cache buster. Not part of the key.
    DELIVERY = "delivery"
    #: Stands for other options and is gone after parsing.
    META = "meta"
    #: Bounds on the source and the result.
    LIMITS = "limits"
    MODEL = "model"
    TRIM = "trim"
    SHRINK = "shrink"
    WORKING_SPACE = "working_space"
    CROP = "crop"
    SCALE = "scale"
    ORIENT = "orient"
    FIT = "fit"
    ADJUST = "adjust"
    FILTER = "filter"
    MASK = "mask"
    EXTEND = "extend"
    SHADOW = "shadow"
    PAD = "pad"
    LIMIT = "limit"
    FLATTEN = "flatten"
    OVERLAY = "overlay"
    OUTPUT_SPACE = "output_space"
    STRIP = "strip"
    ENCODE = "encode"


class Pages(Enum):
    """What an option does with an animation."""

    #: Once a frame.
    EACH = "each"
    #: Once on all frames, joined into one tall picture.
    WHOLE = "whole"
    #: Not at all: the option is left out for animations.
    SKIP = "skip"


@dataclasses.dataclass(frozen=True)
class OpSpec:
    """All that is derived from one declaration."""

    name: str
    aliases: tuple[str, ...]
    stage: Stage
    example: str
    doc: str
    params: Mapping[str, Param]
    pages: Pages
    #: Works only with IMGSERVE_ALLOW_SECURITY_OPTIONS (imgproxy: security options).
    guarded: bool
    #: Not imgproxy's: documented apart.
    own: bool
    #: Arguments behind the last one that are read over, because imgproxy reads over them.
    spare: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)


class Op:
    """Base of every option."""

    spec: ClassVar[OpSpec]

    def __post_init__(self) -> None:
        for name, param in self.spec.params.items():
            value = getattr(self, name)
            if value is None and param.default is None:
                continue
            try:
                object.__setattr__(self, name, param.kind.check(value))
            except BadArgument as wrong:
                raise BadArgument(wrong.got, wrong.expected, field=name) from None
        self.validate()

    def validate(self) -> None:
        """Check what no single argument can tell; raises BadArgument."""

    def merge(self, earlier: Self) -> Self:
        """Join with the same option given earlier: what is left out here keeps the earlier value."""
        kept = {
            name: getattr(earlier, name)
            for name in self.spec.params
            if getattr(self, name) is None and getattr(earlier, name) is not None
        }
        return dataclasses.replace(self, **kept) if kept else self  # type: ignore[type-var]

    def expand(self) -> Sequence[Op]:
        """Give the options this one stands for; a plain option stands for itself."""
        return (self,)

    def asks(self) -> Sequence[Ask]:
        """Name what models have to be asked before this option can act; a plain option asks nothing."""
        return ()

    def arguments(self) -> list[str]:
        """Print the arguments as URL pieces, without trailing ones that say nothing."""
        pieces: list[str] = []
        keep = 0
        for name, param in self.spec.params.items():
            value = getattr(self, name)
            printed = [""] if value is None else param.kind.format(value)
            if value is not None and (param.required or value != param.default):
                keep = len(pieces) + len(printed)
            # A shorter form of a kind still takes its full span where another argument follows.
            pieces += printed + [""] * ((param.kind.span or 0) - len(printed))
        return pieces[: max(keep, 1)]

    def text(self, separator: str = ":") -> str:
        """Print the option as a URL segment that parses back to an equal one."""
        return separator.join([self.spec.name, *self.arguments()])


O = TypeVar("O", bound=Op)  # noqa: E741 - the customary letter for "op"


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(
        integer,
        number,
        flag,
        choice,
        image_format,
        image_formats,
        format_values,
        text,
        texts,
        colour,
        gravity,
    ),
)
def op(
    name: str,
    *aliases: str,
    stage: Stage,
    example: str,
    pages: Pages = Pages.EACH,
    guarded: bool = False,
    own: bool = False,
    spare: int = 0,
) -> Callable[[type[O]], type[O]]:
    """Make a class of annotated fields an option; its docstring is its documentation."""

    def declare(cls: type[O]) -> type[O]:
        params: dict[str, Param] = {}
        for field in vars(cls).get("__annotations__", {}):
            declared = vars(cls).get(field)
            if not isinstance(declared, Param):
                raise TypeError(f"{cls.__name__}.{field} is not declared with a kind of argument")
            params[field] = declared
            if declared.default is REQUIRED:
                delattr(cls, field)
            else:
                setattr(cls, field, declared.default)
        if not cls.__doc__:
            raise TypeError(f"option {name} has no documentation")
        made = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        made.spec = OpSpec(
            name=name,
            aliases=aliases,
            stage=stage,
            example=example,
            doc=cls.__doc__.strip(),
            params=params,
            pages=pages,
            guarded=guarded,
            own=own,
            spare=spare,
        )
        return made

    return declare


class Catalog:
    """Every option of the server, by name, in the order in which options of one stage run."""

    def __init__(self, families: Iterable[Sequence[type[Op]]]) -> None:
        self.ops: tuple[type[Op], ...] = tuple(cls for family in families for cls in family)
        self.by_name: dict[str, type[Op]] = {}
        for cls in self.ops:
            for name in cls.spec.names:
                if name in self.by_name:
                    raise TypeError(f"two options are called {name!r}")
                self.by_name[name] = cls
        self.index: dict[type[Op], int] = {cls: at for at, cls in enumerate(self.ops)}

    def parse(self, name: str, pieces: Sequence[str]) -> Op:
        """Read one option; KeyError when no option has the name, BadArgument when a piece is wrong."""
        return parse_arguments(self.by_name[name], pieces)


def parse_arguments(cls: type[O], pieces: Sequence[str]) -> O:
    """Hand the pieces to the kinds in turn; empty pieces leave the default, trailing empty ones do not count."""
    rest = list(pieces)
    values: dict[str, Any] = {}
    for name, param in cls.spec.params.items():
        taken = rest[: param.kind.span]
        rest = rest[len(taken) :]
        if not any(taken) and not param.required:
            continue
        try:
            values[name] = param.kind.parse(taken or [""])
        except BadArgument as wrong:
            raise BadArgument(wrong.got, wrong.expected, field=name) from None
    if any(rest[cls.spec.spare :]):
        count = sum(param.kind.span or 0 for param in cls.spec.params.values())
        raise BadArgument(":".join(rest), f"at most {count} argument{'s' if count != 1 else ''}")
    return cls(**values)
