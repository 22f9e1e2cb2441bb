"""Make signed URLs from Python: the public interface for programs that put images into pages.

    from imgserve.sign import UrlSigner

    signer = UrlSigner(key="…hex…", salt="…hex…", base_url="https://img.example.com")
    signer.url("https://shop.example.com/mug.jpg", "resize:fill:600:400", format="webp")

Options are checked while the URL is made, so a mistake is an exception here and not a broken picture in a browser.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from imgserve.errors import BadOption
from imgserve.ops.catalog import CATALOG
from imgserve.plan.choices import Value, choice_text, is_choice, separated
from imgserve.plan.model import arrange
from imgserve.plan.presets import op_from_value, presets_first
from imgserve.plan.signing import KeyPair, Signer, key_pairs
from imgserve.plan.url import Grammar, check_choices, parse_options
from imgserve.plan.writing import write
from imgserve.spec.kinds import BadArgument
from imgserve.spec.op import Catalog, Op

_GRAMMAR = Grammar(catalog=CATALOG, allow_security_options=True)


class UrlSigner:
    """Signs image URLs with a key and a salt, both hex-encoded, as the server has them.

    Of several with commas between, as a server has them while its key is being changed, the first signs.

    `base_url` is where the server is reached, put before the path. An empty key makes unsigned URLs, which a server
    answers only with IMGSERVE_ALLOW_UNSIGNED. Raises ValueError when key or salt is not hex or only one is given.
    """

    def __init__(
        self, key: str, salt: str, *, base_url: str = "", signature_size: int = 32, arguments_separator: str = ":"
    ) -> None:
        if bool(key) != bool(salt):
            raise ValueError("key and salt belong together: give both, or none for unsigned URLs")
        keys, salts = ([one.strip() for one in texts.split(",")] for texts in (key, salt))
        pairs: tuple[KeyPair, ...] = key_pairs(keys, salts) if key else ()
        self._signer = Signer(pairs=pairs, size=signature_size)
        self._base_url = base_url.rstrip("/")
        self._separator = arguments_separator

    def url(
        self,
        source: str,
        *options: str,
        presets: Sequence[str] = (),
        base64: bool = False,
        choose: Mapping[str, Sequence[Value]] | None = None,
        **named: bool | float | str | Mapping[str, object],
    ) -> str:
        """Give the signed URL of `source` with options.

        `options` are written as in a URL ("resize:fill:600:400"). `named` options have `_` for `-` in their names and a
        value for their first argument (`width=300`) or a mapping of argument names to values
        (`resize={"type": "fill", "width": 600}`); they come after `options`. Options win over what `presets` set.
        `base64` hides the source's text from a casual look; it does not encrypt it.

        `choose` leaves options to the client, by name: whoever has the URL may put `?w=750` behind it where 750 is
        among the values of `w`, the first of which is what the URL gives as it is. Ranges of whole numbers are a
        `range` or both ends: `choose={"w": [640, 750, 1080], "q": [75, (50, 90)]}`.

        One set of options gives one URL, however it was spelled: long names, in the catalog's order. Raises BadOption
        with where, got and expected.
        """
        ops = [*_parsed(options, _GRAMMAR), *(_named(name, value, CATALOG) for name, value in named.items())]
        plan = arrange(source, presets_first(ops, presets), CATALOG)
        choices = self._choices(options, choose or {}, _GRAMMAR)
        return self.signed(write(plan, separator=self._separator, encode=base64, choices=choices))

    def info_url(
        self, source: str, *options: str, base64: bool = False, **named: bool | float | str | Mapping[str, object]
    ) -> str:
        """Give the signed URL of facts about `source`, as JSON; options are those of /info, given as in `url`.

        Choices are written as in a URL ("choose:lqip:16:32").
        """
        # Here: what looks into pictures takes 100 ms to import, and most programs sign pictures alone.
        from imgserve.ops.info import INFO, INFO_CATALOG, info_grammar

        grammar = info_grammar(_GRAMMAR)
        ops = [*_parsed(options, grammar), *(_named(name, value, INFO_CATALOG) for name, value in named.items())]
        choices = self._choices(options, {}, grammar)
        plan = arrange(source, ops, INFO_CATALOG)
        path = write(plan, separator=self._separator, encode=base64, choices=choices)
        return f"{self._base_url}{INFO}/{self._signer.sign(path)}{path}"

    def signed(self, path: str) -> str:
        """Give the URL of a path that is written already (`/width:300/plain/https://…`), unchecked."""
        path = "/" + path.lstrip("/")
        return f"{self._base_url}/{self._signer.sign(path)}{path}"

    def _choices(self, options: Iterable[str], choose: Mapping[str, Sequence[Value]], grammar: Grammar) -> list[str]:
        """Give the segments of all choices, those among options first; raises BadOption."""
        choices = [one for one in options if is_choice(one, ":")]
        choices += [choice_text(name, values) for name, values in choose.items()]
        check_choices(choices, grammar)
        return [separated(one, self._separator) for one in choices]


def _parsed(options: Iterable[str], grammar: Grammar) -> list[Op]:
    """Read options as a URL has them, without the choices among them."""
    return parse_options([one for one in options if not is_choice(one, ":")], grammar)


def _named(name: str, value: object, catalog: Catalog) -> Op:
    option = name if name in catalog.by_name else name.replace("_", "-")
    try:
        return op_from_value(option, dict(value) if isinstance(value, Mapping) else value, catalog)
    except BadArgument as wrong:
        where = f"{name}.{wrong.field}" if wrong.field and isinstance(value, Mapping) else name
        raise BadOption(
            f"Option {where}: expected {wrong.expected}, {wrong.found}.",
            where=where,
            got=wrong.got,
            expected=wrong.expected,
        ) from None
