from __future__ import annotations

from imgserve.app.grammar import shipped_presets
from imgserve.cli.samples.pictures import PICTURES
from imgserve.cli.samples.showcase import examples, lines
from imgserve.ops.catalog import CATALOG
from imgserve.plan.presets import load_toml
from imgserve.plan.signing import Signer, key_pairs
from imgserve.plan.url import Grammar, parse, split_signature
from imgserve.sign import UrlSigner
from tests.running import KEY, SALT

PRESETS = load_toml(shipped_presets(), CATALOG)


def test_every_preset_has_an_example_on_a_picture_that_is_drawn() -> None:
    shown = list(examples(PRESETS))
    assert {example.presets for example in shown} >= {(name,) for name in PRESETS}
    assert {example.picture for example in shown} <= {name for name, _ in PICTURES}


def test_every_printed_url_is_signed_and_parses() -> None:
    signer = Signer(pairs=key_pairs([KEY], [SALT]))
    grammar = Grammar(catalog=CATALOG, presets=PRESETS)
    printed = list(lines(list(PRESETS), UrlSigner(KEY, SALT, base_url="http://127.0.0.1:8080")))
    urls = [line[line.index("http") :].rstrip("'") for line in printed if "http" in line]
    assert len(urls) > len(PRESETS)
    for url in urls:
        signature, path = split_signature(url.removeprefix("http://127.0.0.1:8080").encode())
        signer.verify(signature, "/" + path)
        assert parse(path, grammar).source.startswith("local:///")
