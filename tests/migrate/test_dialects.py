from __future__ import annotations

import pytest

from imgserve.errors import BadRequest
from imgserve.migrate import Translation, asks_for_picture, translate

SOURCE = "https://example.com/a.jpg"


def thumbor(parts: str) -> Translation:
    return translate(f"/unsafe/{parts}/{SOURCE}", dialect="thumbor")


def imagor(parts: str) -> Translation:
    return translate(f"/unsafe/{parts}/{SOURCE}", dialect="imagor")


def ipx(modifiers: str) -> Translation:
    return translate(f"/_ipx/{modifiers}/{SOURCE}")


def cloudflare(options: str) -> Translation:
    return translate(f"/cdn-cgi/image/{options}/{SOURCE}")


def cloudinary(components: str) -> Translation:
    return translate(f"https://res.cloudinary.com/demo/image/fetch/{components}/{SOURCE}")


def weserv(query: str) -> Translation:
    return translate(f"https://wsrv.nl/?url={SOURCE}&{query}")


def lost(one: Translation) -> list[str]:
    return [note.part for note in one.dropped]


@pytest.mark.parametrize(
    ("parts", "options"),
    [
        ("300x200", "resize:fill:300:200:1"),
        ("300x", "resize:fill:300::1"),
        ("fit-in/300x200", "resize:fit:300:200"),
        ("fit-in/300x200/filters:fill(fff)", "resize:fit:300:200:0:1/background:fff"),
        ("fit-in/300x200/filters:fill(transparent)", "resize:fit:300:200:0:1"),
        ("fit-in/300x200/filters:upscale()", "resize:fit:300:200:1"),
        ("300x200/filters:no_upscale()", "resize:fill:300:200"),
        ("300x200/filters:stretch()", "resize:force:300:200:1"),
        ("-300x-200/left/top", "resize:fill:300:200:1/gravity:soea/flip:1:1"),
        ("300x200/smart", "resize:fill:300:200:1/gravity:sm"),
        ("origxorig", ""),
        ("fit-in/origx200", "resize:fit::200"),
        ("trim:bottom-right:7", "trim:7"),
        ("10x20:110x70", "crop:100:50:nowe:10:20"),
        ("110x70:10x20", ""),
        ("300x200/left/filters:rotate(90)", "resize:fill:200:300:1/gravity:so/rotate:270"),
        ("-300x200/filters:rotate(-90)", "resize:fill:200:300:1/rotate:90/flip:0:1"),
        ("filters:quality(70):format(webp)", "quality:70/format:webp"),
        ("filters:max_bytes(20000):strip_exif():strip_icc()", "max_bytes:20000/strip_metadata:1/strip_color_profile:1"),
        ("filters:round_corner(20|10,255,0,0)", "round:20/background:255:0:0"),
        ("filters:proportion(0.5)", "zoom:0.5"),
        ("filters:background_color(rebeccapurple)", "background:663399"),
    ],
)
def test_thumbor(parts: str, options: str) -> None:
    one = thumbor(parts)
    assert ("/".join(one.options), one.source, one.dropped) == (options, SOURCE, ())


def test_a_blur_that_thumbor_cuts_off_at_its_radius_is_as_weak_here() -> None:
    assert thumbor("filters:blur(8)").options == ("blur:4.54",)
    assert thumbor("filters:blur(30,4)").options == ("blur:4",)


def test_a_watermark_is_dropped_with_the_option_that_puts_the_servers_own_in_its_place() -> None:
    (note,) = thumbor("filters:watermark(https://example.com/w(1).png,-10,center,40):quality(70)").dropped
    assert note.part == "filters:watermark(https://example.com/w(1).png,-10,center,40)"
    assert "watermark:0.6:ea:10:0" in note.text


@pytest.mark.parametrize(
    "parts",
    ["meta", "debug", "adaptive-fit-in/300x200", "filters:brightness(10)", "filters:focal(10x10:20x20)",
     "filters:format(heic)", "filters:fill(blur)", "filters:convolution(1;2;1,3,true)", "filters:rotate(45)",
     "filters:quality(0)", "filters:nosuch(1)", "10x10:20x20/origx200"],
)  # fmt: skip
def test_what_thumbor_has_and_imgserve_has_not_is_named(parts: str) -> None:
    assert lost(thumbor(parts)) == [parts.split("/")[1 if parts.endswith("origx200") else 0]]


@pytest.mark.parametrize(
    "url",
    [
        "https://thumbs.example.com/thumbor/g1wfsnHCRqkWsz5OZKvCiBEbEtA=/300x200/https%3A%2F%2Fexample.com%2Fa.jpg",
        "/unsafe/300x200/https:/example.com/a.jpg",
        "300x200/https://example.com/a.jpg",
    ],
)
def test_thumbors_are_found_behind_any_signature_and_without(url: str) -> None:
    one = translate(url)
    assert (one.dialect, one.guessed, one.source, one.options) == ("thumbor", True, SOURCE, ("resize:fill:300:200:1",))


@pytest.mark.parametrize(
    ("parts", "options"),
    [
        ("fit-in/200x150/10x20/filters:fill(yellow)", "resize:fit:200:150:0:1/background:ffff00/padding:20:10:20:10"),
        ("0.1x0.2:0.9x1", "crop:0.8:0.8:nowe:0.1:0.2"),
        ("stretch/300x200", "resize:force:300:200:1"),
        ("full-fit-in/300x200/filters:upscale()", "resize:fill:300:200:1"),
        ("300x200/filters:focal(0.2x0.2:0.4x0.6)", "resize:fill:300:200:1/gravity:fp:0.3:0.4"),
        ("300x200/left/filters:orient(90)", "resize:fill:300:200:1/gravity:we/rotate:270"),
        ("filters:blur(6)", "blur:3"),
        ("filters:sharpen(1)", "sharpen:3"),
        ("filters:proportion(50)", "zoom:0.5"),
        ("filters:autojpg():strip_metadata()", "format:jpeg/strip_metadata:1"),
        ("filters:attachment(mug.jpg)", "return_attachment:1/filename:mug"),
        ("filters:expire(1900000000000)", "expires:1900000000"),
        ("filters:padding(red,1,2,3,4)", "padding:2:3:4:1/background:ff0000"),
        ("filters:to_colorspace()", "strip_color_profile:1"),
    ],
)
def test_imagor(parts: str, options: str) -> None:
    one = imagor(parts)
    assert ("/".join(one.options), one.source, one.dropped) == (options, SOURCE, ())


@pytest.mark.parametrize(
    "name",
    ["label(x,1,1)", "text(x,1,1)", "image(/9x9/b.jpg,0,0)", "hue(90)", "max_frames(3)", "page(2)", "dpi(72)",
     "crop(0,0,9,9)", "format(jxl)", "to_colorspace(p3)"],
)  # fmt: skip
def test_what_imagor_has_and_imgserve_has_not_is_named(name: str) -> None:
    assert lost(imagor(f"filters:{name}")) == [f"filters:{name}"]


@pytest.mark.parametrize(
    "url",
    [
        "/unsafe/stretch/300x200/example.com/a.jpg",
        "/unsafe/filters:hue(3)/example.com/a.jpg",
        "/unsafe/b64:aHR0cHM6Ly9leGFtcGxlLmNvbS9hLmpwZw",
        "/unsafe/300x200/10x10/example.com/a.jpg",
    ],
)
def test_what_only_imagor_has_tells_it_from_thumbor(url: str) -> None:
    one = translate(url)
    assert (one.dialect, one.source) == ("imagor", SOURCE)


@pytest.mark.parametrize(
    ("modifiers", "options"),
    [
        ("_", ""),
        ("w_300", "resize:fit:300"),
        ("w_300&enlarge", "resize:fit:300::1"),
        ("s_300x200,f_webp,q_70", "resize:fill-down:300:200/format:webp/quality:70"),
        ("resize:300x200,enlarge,pos_right%20top", "resize:fill:300:200:1/gravity:noea"),
        ("s_300x200,fit_contain,b_ff0000", "resize:fit:300:200:0:1/background:ff0000"),
        ("s_300x200,fit_fill", "resize:force:300:200"),
        ("rotate_90,flop", "rotate:90/flip:0:1"),
        ("extract_10_20_60_40,flip", "crop:60:40:sowe:10:20/flip:0:1"),
        ("extend_10_20_30_40,background_fff", "padding:10:20:30:40/background:fff"),
        ("trim_,blur_5,sharpen_2", "trim:10/blur:5/sharpen:2"),
        ("f_auto", "negotiate:1"),
        ("flatten", "background:000000"),
    ],
)
def test_ipx(modifiers: str, options: str) -> None:
    one = ipx(modifiers)
    assert ("/".join(one.options), one.source, one.dropped) == (options, SOURCE, ())


@pytest.mark.parametrize("name", ["animated", "grayscale", "modulate_1_2_3", "tint_red", "kernel_cubic", "rotate_45",
                                  "f_heif", "w_wide", "nosuch_1"])  # fmt: skip
def test_what_ipx_has_and_imgserve_has_not_is_named(name: str) -> None:
    assert lost(ipx(name)) == [name]


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ("width=300", "resize:fit:300"),
        ("w=300,h=200,fit=cover,g=0.5x0.33", "resize:fill:300:200:1/gravity:fp:0.5:0.33"),
        ("w=300,h=200,fit=crop,gravity=top", "resize:fill:300:200/gravity:no"),
        ("w=300,h=200,gravity=top", "resize:fit:300:200"),
        ("w=300,h=200,fit=cover,gravity=face", "resize:fill:300:200:1/gravity:obj:face"),
        ("w=300,h=200,fit=pad,background=rgb(255%2C0%2C0)", "resize:fit:300:200:1:1/background:ff0000"),
        ("w=300,h=200,fit=pad", "resize:fit:300:200:1:1/background:ffffff"),
        ("w=300,rotate=90,flip=h", "resize:fit:300/rotate:90/flip:0:1"),
        ("trim.width=60;,trim.height=40".replace(";", ""), "crop:60:40:nowe"),
        ("trim.left=10,trim.top=20,trim.width=60,trim.height=40", "crop:60:40:nowe:10:20"),
        ("f=auto,q=70,dpr=2", "negotiate:1/quality:70/dpr:2"),
        ("metadata=keep", "strip_metadata:0"),
        ("metadata=none", "strip_metadata:1/keep_copyright:0"),
        ("segment=foreground", "remove_background:1"),
        ("upscale=interpolate", ""),
    ],
)
def test_cloudflare(given: str, options: str) -> None:
    one = cloudflare(given)
    assert ("/".join(one.options), one.source, one.dropped) == (options, SOURCE, ())


@pytest.mark.parametrize("given", ["brightness=1.2", "onerror=redirect", "width=auto", "trim=1;2;3;4", "quality=high",
                                   "format=json", "compression=fast", "border.width=3", "zoom=0.5", "scq=40",
                                   "anim=false", "upscale=generate", "fit=nosuch", "nosuch=1", "flip=x"])  # fmt: skip
def test_what_cloudflare_has_and_imgserve_has_not_is_named(given: str) -> None:
    assert lost(cloudflare(given)) == [given]


@pytest.mark.parametrize(
    ("components", "options"),
    [
        ("w_300", "resize:fit:300::1"),
        ("w_300,h_200", "resize:force:300:200:1"),
        ("c_fill,w_300,h_200/f_auto/q_auto", "resize:fill:300:200:1/negotiate:1"),
        (
            "c_fill,g_north_east,ar_16:9,w_320,q_70:420,f_webp",
            "resize:fill:320:180:1/gravity:noea/quality:70/format:webp",
        ),
        ("c_fill,ar_1.5,h_200,g_auto", "resize:fill:300:200:1/gravity:sm"),
        ("c_fit,w_300,h_200,dpr_2.0", "resize:fit:300:200:1/dpr:2.0"),
        ("c_limit,w_300,h_200", "resize:fit:300:200"),
        ("c_lfill,w_300,h_200,g_face", "resize:fill:300:200/gravity:obj:face"),
        ("c_pad,w_300,h_200,g_west,b_rgb:ff0000", "resize:fit:300:200:1:1:we/background:ff0000"),
        ("c_lpad,w_300,h_200,b_white", "resize:fit:300:200:0:1/background:ffffff"),
        ("c_pad,w_300", "resize:fit:300::1"),
        ("c_crop,w_60,h_40,x_10,y_20/c_limit,w_30", "crop:60:40:nowe:10:20/resize:fit:30"),
        ("c_crop,w_0.5,h_0.5,g_south", "crop:0.5:0.5:so"),
        ("c_fill,w_300,h_200,g_west,a_90", "resize:fill:200:300:1/gravity:no/rotate:90"),
        ("a_hflip.90", "rotate:90/flip:0:1"),
        ("a_vflip/r_max/e_trim/e_background_removal", "flip:0:1/round:max/trim:10/remove_background:1"),
        ("fl_attachment:mug", "return_attachment:1/filename:mug"),
        ("s--aBc_12-x--/w_300", "resize:fit:300::1"),
    ],
)
def test_cloudinary(components: str, options: str) -> None:
    one = cloudinary(components)
    assert (one.dialect, "/".join(one.options), one.source, one.dropped) == ("cloudinary", options, SOURCE, ())


@pytest.mark.parametrize(
    "part",
    ["e_sepia:50", "e_blur:300", "e_nosuch", "l_logo,w_9,g_south", "t_card", "bo_3px_solid_red", "r_9:0", "w_0.5",
     "w_auto", "dpr_auto", "q_0", "f_jxl", "a_45", "fl_progressive", "if_w_gt_9", "$size_9", "pg_2", "b_auto", "ar_2",
     "c_crop,w_x"],
)  # fmt: skip
def test_what_cloudinary_has_and_imgserve_has_not_is_named(part: str) -> None:
    assert lost(cloudinary(part)) == [part]


def test_what_is_laid_over_takes_its_own_sizes_with_it() -> None:
    one = cloudinary("c_fill,w_300,h_200/l_logo/c_scale,w_50/fl_layer_apply,g_south/q_70")
    assert one.options == ("resize:fill:300:200:1", "quality:70")
    assert lost(one) == ["l_logo", "c_scale,w_50", "fl_layer_apply,g_south"]
    assert lost(cloudinary("w_300/w_200")) == ["w_200"]


@pytest.mark.parametrize("path", ["w_9/v1/up/a_b/c.jpg", "w_9/v1571218039/up/a_b/c.jpg", "s--x--/w_9/v1/up/a_b/c.jpg"])
def test_sources_that_cloudinary_stores_are_put_behind_a_base(path: str) -> None:
    for start in ("https://res.cloudinary.com/demo", "https://demo-res.cloudinary.com", "/demo"):
        one = translate(f"{start}/image/upload/{path}", source_base="s3://shop")
        assert (one.source, one.options) == ("s3://shop/up/a_b/c.jpg", ("resize:fit:9::1",))
    with pytest.raises(BadRequest, match="source base"):
        translate(f"https://res.cloudinary.com/demo/image/upload/{path}")


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("w=300&h=200", "resize:fit:300:200:1"),
        ("w=300&h=200&we", "resize:fit:300:200"),
        ("w=300&h=200&fit=cover&a=top-left", "resize:fill:300:200:1/gravity:nowe"),
        ("w=300&h=200&fit=cover&a=focal&fpx=0.2", "resize:fill:300:200:1/gravity:fp:0.2:0.5"),
        ("w=300&h=200&fit=cover&a=focal-20-30", "resize:fill:300:200:1/gravity:fp:0.2:0.3"),
        ("w=300&h=200&fit=contain&cbg=%23ff0000&a=left", "resize:fit:300:200:1:1:we/background:ff0000"),
        ("w=300&h=200&t=squaredown", "resize:fill:300:200"),
        ("ro=90&flop", "rotate:90/flip:1:0"),
        ("crop=60,40,10,20", "crop:60:40:nowe:10:20"),
        ("w=30&cx=10&cy=20&cw=60&ch=40&precrop", "crop:60:40:nowe:10:20/resize:fit:30::1"),
        ("trim&blur=5&sharp=2&q=70&output=webp", "trim:10/blur:5/sharpen:2/quality:70/format:webp"),
        ("w=90&h=90&fit=cover&mask=circle", "resize:fill:90:90:1/round:max"),
        ("filename=mug&bg=red&dpr=2", "filename:mug/dpr:2/background:ff0000"),
        ("n=1&output=origin", ""),
    ],
)
def test_weserv(query: str, options: str) -> None:
    one = weserv(query)
    assert ("/".join(one.options), one.source, one.dropped) == (options, SOURCE, ())


@pytest.mark.parametrize("query", ["mod=2", "con=5", "filt=sepia", "tint=red", "default=x", "maxage=1d", "il=",
                                   "mask=heart", "encoding=base64", "output=json", "page=2", "n=-1", "bg=8fff", "ro=45",
                                   "w=90&cw=30", "nosuch=1"])  # fmt: skip
def test_what_weserv_has_and_imgserve_has_not_is_named(query: str) -> None:
    assert lost(weserv(query)) == [query.split("&")[-1]]


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("ssl:example.com/a.jpg", SOURCE),
        ("example.com/a.jpg", "http://example.com/a.jpg"),
        ("//example.com/a.jpg", SOURCE),
        ("https%3A%2F%2Fexample.com%2Fa.jpg%3Fv%3D1%262", "https://example.com/a.jpg?v=1&2"),
    ],
)
def test_weservs_ways_to_name_a_source(url: str, source: str) -> None:
    assert translate(f"https://images.weserv.nl/?url={url}&w=3").source == source


@pytest.mark.parametrize("host", ["//wsrv.nl/", "wsrv.nl/", "/", "https://images.weserv.nl", "http://localhost:3000/"])
def test_weserv_is_found_by_its_hosts_and_by_its_query(host: str) -> None:
    one = translate(f"{host}?url={SOURCE}&w=3")
    assert (one.dialect, one.source) == ("weserv", SOURCE)


def test_next() -> None:
    one = translate("/_next/image?url=https%3A%2F%2Fexample.com%2Fa.jpg&w=640&q=75&dpl=dpl_1")
    assert (one.dialect, one.source, one.dropped) == ("next", SOURCE, ())
    assert one.options == ("resize:fit:640", "quality:75", "negotiate:1")


@pytest.mark.parametrize(
    ("url", "base", "source"),
    [
        ("https://shop.example.com/_next/image?url=%2Fa%20b.jpg&w=64", "", "https://shop.example.com/a%20b.jpg"),
        ("https://shop.example.com/cdn-cgi/image/w=1/up/a.jpg?v=1", "", "https://shop.example.com/up/a.jpg?v=1"),
        ("/_next/image?url=%2Fa.jpg&w=64", "https://s.example.com/x/", "https://s.example.com/x/a.jpg"),
        ("https://shop.example.com/_ipx/w_2/up/a.jpg?v=1", "", "https://shop.example.com/up/a.jpg?v=1"),
        ("/_ipx/w_2/up/a%20b.jpg", "local:///", "local:///up/a b.jpg"),
        ("/unsafe/9x9/up/a.jpg", "s3://shop", "s3://shop/up/a.jpg"),
    ],
)
def test_relative_sources_are_put_behind_a_base_or_the_urls_own_site(url: str, base: str, source: str) -> None:
    assert translate(url, source_base=base).source == source


@pytest.mark.parametrize(
    "url",
    ["", "hello", "/_ipx/w_2/a.jpg", "/unsafe/9x9/", "/_next/image?url=%2Fa.jpg&w=64", "/_next/image?w=64",
     "/cdn-cgi/image/w=1", "https://wsrv.nl/?w=3", "/unsafe/b64:%FF", "/unsafe/9x9/color:red", "http://[", "/\ud800/x",
     "https://imagedelivery.net/account/image/public"],
)  # fmt: skip
def test_what_is_not_understood_is_one_error_that_says_so(url: str) -> None:
    with pytest.raises(BadRequest, match=r"^This URL is not understood: .+"):
        translate(url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://imagedelivery.net/account/image/public", "export them first"),
        ("https://shop.imgix.net/a.jpg?w=300", "imgix URLs are not translated"),
        (f"https://img.example.com/{'a' * 43}/rs:fit:300:200/plain/{SOURCE}@webp", "imgserve sign"),
        (f"/{'a' * 43}/w:300/aHR0cHM6Ly9leGFtcGxlLmNvbS9hLmpwZw.webp", "imgserve sign"),
        (f"/insecure/plain/{SOURCE}", "imgserve sign"),
        (f"/img/info/_/lqip:16/choose:w:1:2/plain/{SOURCE}", "imgserve sign"),
        (f"/_/w:300/plain/{SOURCE}", "imgserve sign"),
    ],
)
def test_what_needs_no_translation_or_has_none_is_told_with_what_to_do(url: str, told: str) -> None:
    with pytest.raises(BadRequest, match="not understood") as wrong:
        translate(url)
    assert told in wrong.value.message


@pytest.mark.parametrize(
    ("url", "dialect"),
    [
        ("/ipx/w:300/plain/a.jpg", "ipx"),
        (f"/unsafe/trim:10/plain/{SOURCE}", None),
        ("/unsafe/300x200/plain/local/a.jpg", "thumbor"),
        (f"/unsafe/filters:blur(3)/plain/{SOURCE}", "thumbor"),
    ],
)
def test_a_folder_called_plain_makes_no_url_of_imgproxy(url: str, dialect: str | None) -> None:
    if dialect is None:
        # It is of both: imgproxy accepts any signature where it has no key.
        with pytest.raises(BadRequest, match="imgserve sign"):
            translate(url)
        dialect = "thumbor"
    assert translate(url, source_base="local:///", dialect=dialect).dialect == dialect


def test_ampersands_of_html_are_read_as_browsers_do() -> None:
    one = translate("/_next/image?url=https%3A%2F%2Fexample.com%2Fa.jpg&amp;w=640&amp;q=75")
    assert one.options == ("resize:fit:640", "quality:75", "negotiate:1")


@pytest.mark.parametrize(
    ("dialect", "url"),
    [
        ("thumbor", "/unsafe/300x200/up/a.jpg"),
        ("thumbor", f"/{SOURCE}"),
        ("thumbor", "/unsafe/up/favicon.ico"),
        ("imagor", "/unsafe/b64:aHR0cHM6Ly9leGFtcGxlLmNvbS9hLmpwZw"),
        ("ipx", "/ipx/w_300/a.jpg"),
        ("ipx", "/images/w_300/a.jpg"),
        ("cloudflare", "/cdn-cgi/image/w=3/a.jpg"),
        ("cloudinary", "/demo/image/upload/w_3/a.jpg"),
        ("weserv", "/?url=example.com/a.jpg"),
        ("next", "/_next/image?url=%2Fa.jpg&w=64"),
    ],
)
def test_requests_for_pictures_are_told_from_those_for_pages(dialect: str, url: str) -> None:
    assert asks_for_picture(url, dialect=dialect)
    for other in ("/", "/favicon.ico", "/products/mug?size=2", "/_next/static/abcdefghijklmnopqrstuvwxyz01/app.css"):
        assert not asks_for_picture(other, dialect=dialect)
        assert not asks_for_picture(other)


def test_a_dialect_must_exist() -> None:
    with pytest.raises(ValueError, match="thumbor"):
        translate("/unsafe/9x9/a", dialect="imgix")
