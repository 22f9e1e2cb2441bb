from __future__ import annotations

from typing import Any

import pytest

from imgserve.errors import BadOption
from imgserve.ops.catalog import CATALOG
from imgserve.plan.signing import Signer, key_pairs
from imgserve.plan.url import Grammar, parse, split_signature
from imgserve.sign import UrlSigner
from tests.running import KEY, SALT

SOURCE = "http://img.example.com/pretty/image.jpg"

signer = UrlSigner(KEY, SALT)


def test_a_written_path_gets_the_known_signature_of_imgproxy() -> None:
    path = "/rs:fit:300:300/plain/http://img.example.com/pretty/image.jpg"
    assert signer.signed(path) == f"/m3k5QADfcKPDj-SDI2AIogZbC3FlAXszuwhtWXYqavc{path}"


def test_what_is_signed_is_verified_and_parsed_by_the_server() -> None:
    url = signer.url("https://example.com/ä b?c=1@2%.jpg", "rs:fill:300:200", format="webp", presets=["grid"])
    signature, path = split_signature(url.encode())
    Signer(pairs=key_pairs([KEY], [SALT])).verify(signature, "/" + path)
    plan = parse(path.replace("preset:grid/", ""), Grammar(catalog=CATALOG))
    assert plan.source == "https://example.com/ä b?c=1@2%.jpg"
    assert [one.text() for one in plan.ops] == ["resizing_type:fill", "width:300", "height:200", "format:webp"]


def test_one_picture_has_one_url_however_it_is_spelled() -> None:
    spelled = [
        signer.url(SOURCE, "width:300", "quality:75"),
        signer.url(SOURCE, "q:75", "w:300"),
        signer.url(SOURCE, "w:100", "q:75", "w:300"),
        signer.url(SOURCE, width=300, quality=75),
        signer.url(SOURCE, size={"width": 300}, quality=75),
    ]
    assert len(set(spelled)) == 1


def test_names_with_a_dash_are_written_with_an_underscore() -> None:
    assert "/min-width:300/" in signer.url(SOURCE, min_width=300)


def test_presets_come_first_and_only_once() -> None:
    url = signer.url(SOURCE, "preset:shadow", "width:10", presets=["bg-removed"])
    assert "/preset:bg-removed:shadow/width:10/" in url


def test_base64_sources_and_base_urls() -> None:
    url = UrlSigner(KEY, SALT, base_url="https://img.example.com/").url("https://example.com/image.jpg", base64=True)
    assert url == (
        "https://img.example.com/xOner18d7-LJwkl4bifXGbC1_4kZXxsPLnuuvsMtcWo/aHR0cHM6Ly9leGFtcGxlLmNvbS9pbWFnZS5qcGc"
    )


def test_without_a_key_urls_are_unsigned() -> None:
    assert UrlSigner("", "").url(SOURCE, width=1).startswith("/unsafe/width:1/plain/")


@pytest.mark.parametrize(("key", "salt"), [(KEY, ""), ("", SALT), ("xyz", "00"), ("0", "00")])
def test_a_wrong_key_is_told_when_the_signer_is_made(key: str, salt: str) -> None:
    with pytest.raises(ValueError, match=r"key|hex"):
        UrlSigner(key, salt)


@pytest.mark.parametrize(
    ("options", "named", "where"),
    [
        (("widht:300",), {}, "widht"),
        (("width:-1",), {}, "width"),
        ((), {"width": -1}, "width"),
        ((), {"widht": 300}, "widht"),
        ((), {"resize": {"type": "squeeze"}}, "resize.type"),
        ((), {"resize": {"kind": "fill"}}, "resize"),
    ],
)
def test_a_wrong_option_is_refused_with_where_it_is(
    options: tuple[str, ...], named: dict[str, Any], where: str
) -> None:
    with pytest.raises(BadOption) as caught:
        signer.url(SOURCE, *options, **named)
    assert caught.value.where == where
    assert caught.value.expected


def test_choices_are_written_behind_the_options_and_those_of_presets_before() -> None:
    url = signer.url(
        SOURCE,
        "h:100",
        presets=["grid"],
        choose={"w": [640, 750], "q": [75, (50, 90)], "pr": ["a", "b"], "dpr": [1, 1.5]},
    )
    assert "/choose:pr:a:b/preset:grid/height:100/choose:w:640:750/choose:q:75:50-90/choose:dpr:1:1.5/plain/" in url


def test_a_choice_may_be_given_as_it_is_written_in_a_url() -> None:
    assert signer.url(SOURCE, "choose:w:640:750", width=5) == signer.url(SOURCE, "w:5", choose={"w": [640, 750]})


def test_urls_of_facts_may_have_choices() -> None:
    url = signer.info_url(SOURCE, "choose:lqip:16:20-64", size=False)
    assert "/size:0/choose:lqip:16:20-64/plain/" in url
    with pytest.raises(BadOption):
        signer.info_url(SOURCE, "choose:w:640:750")


def test_whole_numbers_to_choose_are_written_in_full() -> None:
    assert "/choose:cb:20261121123456789:1/" in signer.url(SOURCE, choose={"cb": [20261121123456789, True]})


def test_one_text_is_no_list_to_choose_from() -> None:
    with pytest.raises(BadOption, match="no list") as caught:
        signer.url(SOURCE, choose={"w": "750"})
    assert caught.value.expected == "a list of values"


@pytest.mark.parametrize(
    ("separator", "name", "value"), [("_", "cb", "a_b"), ("-", "q", (50, 90)), (".", "dpr", 1.5), ("_", "min_width", 1)]
)
def test_a_choice_that_the_separator_would_split_is_refused(separator: str, name: str, value: Any) -> None:
    with pytest.raises(BadOption):
        UrlSigner(KEY, SALT, arguments_separator=separator).url(SOURCE, choose={name: [value]})
    assert "/choose_w_1_2/" in UrlSigner(KEY, SALT, arguments_separator="_").url(SOURCE, choose={"w": [1, 2]})


def test_what_is_left_to_choose_is_read_by_the_server() -> None:
    url = signer.url(SOURCE, choose={"w": [640, range(700, 801)]})
    signature, path = split_signature(url.encode())
    Signer(pairs=key_pairs([KEY], [SALT])).verify(signature, "/" + path)
    plan = parse(path, Grammar(catalog=CATALOG), query="w=777")
    assert [one.text() for one in plan.ops] == ["width:777"]


@pytest.mark.parametrize(
    ("choose", "message"),
    [
        ({"w": []}, "has 0 values"),
        ({"w": [1.5]}, "expected an integer"),
        ({"w": ["a b"]}, "cannot be a value"),
        ({"w": [range(1, 9, 2)]}, "range of step 1"),
        ({"w": [range(5, 6)]}, "range of step 1"),
        ({"w": [(9, 5)]}, "range 9-5 is empty"),
        ({"nope": [1]}, "no option called 'nope'"),
        ({"w": [1], "width": [2]}, "chosen twice"),
    ],
)
def test_a_bad_choice_is_told_while_the_url_is_made(choose: Any, message: str) -> None:
    with pytest.raises(BadOption) as caught:
        signer.url(SOURCE, choose=choose)
    assert message in caught.value.message + str(caught.value.expected)


def test_choices_take_another_separator_too() -> None:
    other = UrlSigner(KEY, SALT, arguments_separator=",")
    assert "/width,5/choose,w,640,750/plain/" in other.url(SOURCE, width=5, choose={"w": [640, 750]})


def test_info_urls_have_options_and_a_place_of_their_own() -> None:
    url = UrlSigner(KEY, SALT, base_url="https://img.example.com/").info_url(SOURCE, "lqip:16", exif=False)
    assert url.startswith("https://img.example.com/info/")
    signature, path = split_signature(url.removeprefix("https://img.example.com/info").encode())
    Signer(pairs=key_pairs([KEY], [SALT])).verify(signature, "/" + path)
    assert path == f"exif:0/lqip:16/plain/{SOURCE}"


def test_options_of_pictures_are_none_of_info_urls() -> None:
    with pytest.raises(BadOption, match="'width'"):
        signer.info_url(SOURCE, "width:300")
    with pytest.raises(BadOption, match="width"):
        signer.info_url(SOURCE, width=300)


def test_of_several_keys_the_first_signs() -> None:
    assert UrlSigner(f"{KEY}, aa", f"{SALT},bb").url(SOURCE) == signer.url(SOURCE)
    with pytest.raises(ValueError, match="2 keys but 1 salts"):
        UrlSigner(f"{KEY},aa", SALT)


def test_an_argument_that_is_left_out_is_called_missing_and_not_quoted() -> None:
    with pytest.raises(BadOption, match=r"^Option crop\.crop_width: expected a number of 0 or more, it is missing\.$"):
        UrlSigner("", "").url("local:///a.jpg", crop={"crop_height": 3})
