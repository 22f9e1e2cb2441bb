"""Every setting, by group: `bind` is the variable IMGSERVE_BIND."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from imgserve.settings.declare import (
    choice,
    choices,
    flag,
    formats,
    group,
    header_text,
    hexes,
    integer,
    number,
    qualities,
    text,
    texts,
)
from imgserve.settings.models import JobSettings, Models

MEBIBYTE: Final = 1024 * 1024
#: A pebibyte: beyond any disk, within 64 bits.
MAX_BYTES: Final = 1 << 50


@group
class Url:
    """URL and signature"""

    key: tuple[str, ...] = hexes(default=(), doc="hex-encoded keys, the first signs, all verify")
    salt: tuple[str, ...] = hexes(default=(), doc="hex-encoded salts, one a key")
    allow_unsigned: bool = flag(default=False, doc="start without a key and serve any URL: for development only")
    signature_size: int = integer(default=32, min=8, max=32, doc="bytes of the signature; shorter ones can be guessed")
    trusted_signatures: tuple[str, ...] = texts(default=(), doc="texts accepted in place of a signature")
    arguments_separator: str = text(default=":", doc="what stands between an option's arguments")
    base_url: str = text(default="", doc="put before every source that does not start with it")
    url_replacements: tuple[str, ...] = texts(
        separator=";", default=(), doc="pattern=replacement pairs applied to sources"
    )
    base64_url_includes_filename: bool = flag(
        default=False, doc="the last segment of a base64 source is a name for people"
    )
    presets: str = text(default="", doc="imgproxy's preset strings: name=option:argument/option:argument,…")
    presets_separator: str = text(default=",", doc="what stands between presets in IMGSERVE_PRESETS")
    presets_path: str = text(default="", doc="a file of preset strings, one a line, or a folder of TOML presets")
    only_presets: bool = flag(default=False, doc="URLs name presets only, no options")
    path_prefix: str = text(default="", doc="a path before all routes")
    max_options: int = integer(default=100, min=1, doc="options a URL may have, those of its presets included")

    @property
    def route_prefix(self) -> str:
        """`path_prefix` with a slash in front and none behind, "" for none."""
        path = self.path_prefix.strip("/")
        return f"/{path}" if path else ""


@group
class Server:
    """Server"""

    bind: str = text(default="127.0.0.1:8080", doc="host:port to listen on; :8080 listens on all addresses")
    workers: int = integer(default=0, min=0, max=256, doc="processes, 0 = one a CPU")
    render_threads: int = integer(
        default=0, min=0, max=256, doc="renders at a time in each process, 0 = CPUs shared out"
    )
    requests_queue_size: int = integer(
        default=128,
        min=0,
        max=100_000,
        doc="requests of a process that wait for a render before the next is answered 429",
    )
    timeout: float = number(
        default=10, min=0.1, max=3600, doc="seconds until an answer starts, and for each piece of it"
    )
    render_timeout: float = number(default=0, min=0, max=3600, doc="seconds a render may take, 0 = as `timeout`")
    download_timeout: float = number(default=5, min=0.1, max=3600, doc="seconds a source may take")
    connect_timeout: float = number(default=2, min=0.1, max=3600, doc="seconds a connection to an origin may take")
    graceful_stop_timeout: float = number(
        default=0, min=0, max=3600, doc="seconds to finish requests on SIGTERM, 0 = 2 x timeout"
    )
    keep_alive_timeout: float = number(default=10, min=0, max=3600, doc="seconds an idle client connection stays open")
    client_keep_alive_timeout: float = number(
        default=90, min=0, max=3600, doc="seconds an idle origin connection stays open"
    )
    max_clients: int = integer(
        default=2048,
        min=0,
        doc="image requests of a process at a time before the next is answered 429; twice as many connections; 0 = off",
    )
    secret: str = text(default="", doc="clients must send Authorization: Bearer <secret>")
    allow_origin: str = header_text(default="", doc="Access-Control-Allow-Origin of answers")
    user_agent: str = header_text(default="imgserve/%current_version", doc="User-Agent for origins")
    health_check_path: str = text(default="", doc="one more path that answers like /health")
    development: bool = flag(
        default=False, doc="serve /explain, and sign for /playground without a key; not for production"
    )
    log_format: str = choice(
        "pretty", "structured", "json", "gcp", default="pretty", doc="how log lines are written; gcp is json"
    )
    log_level: str = choice("debug", "info", "warn", "error", default="info", doc="the least level that is written")

    @property
    def stop_timeout(self) -> float:
        """Seconds that running requests have to finish when the server stops."""
        return self.graceful_stop_timeout or 2 * self.timeout


@group
class Caching:
    """Caching"""

    ttl: int = integer(default=31_536_000, min=0, doc="seconds that answers stay fresh")
    source_error_ttl: int = integer(
        default=10, min=0, doc="seconds that 404, 410, 415 and 422 of a source stay fresh, 0 = no-store"
    )
    cache_control_passthrough: bool = flag(default=False, doc="use the origin's Cache-Control and Expires")
    use_etag: bool = flag(default=True, doc="send ETag and answer If-None-Match")
    etag_buster: str = text(default="", doc="changes every ETag")
    use_last_modified: bool = flag(default=True, doc="send the origin's Last-Modified and answer If-Modified-Since")
    last_modified_buster: str = text(default="", doc="a time (RFC 3339) before which nothing counts as unmodified")
    set_canonical_header: bool = flag(default=False, doc="send Link: <source>; rel=canonical")
    enable_debug_headers: bool = flag(default=False, doc="send X-Origin-* and X-Result-* headers")
    return_attachment: bool = flag(default=False, doc="Content-Disposition: attachment by default")


@group
class Cache:
    """Result and source cache"""

    cache: tuple[str, ...] = choices(
        "memory",
        "disk",
        "redis",
        "s3",
        "off",
        default=("memory", "disk"),
        doc="where results are kept, fastest first; off = nowhere, empty = the default",
    )
    cache_path: str = text(
        default="",
        doc="folder of this machine's results, sources, locks and notes of purges: every `cache` but off needs it;"
        " empty = imgserve in the user's cache folder",
    )
    memory_cache_size: int = integer(
        default=64 * MEBIBYTE, min=0, max=MAX_BYTES, doc="bytes of the memory tier of each process"
    )
    disk_cache_size: int = integer(default=2048 * MEBIBYTE, min=0, max=MAX_BYTES, doc="bytes of results on disk")
    source_cache_size: int = integer(
        default=1024 * MEBIBYTE,
        min=0,
        max=MAX_BYTES,
        doc="bytes of downloaded sources on disk, 0 = sources are not kept",
    )
    redis_url: str = text(
        default="", doc="redis://user:password@host:port/database, for the redis tier and its locks and purges"
    )
    redis_timeout: float = number(
        default=0.05, min=0.001, max=10, doc="seconds after which an operation on Redis counts as a miss"
    )
    redis_max_entry_size: int = integer(default=MEBIBYTE, min=0, doc="bytes of the largest result kept in Redis")
    cache_s3_bucket: str = text(default="", doc="bucket of the s3 tier")
    cache_s3_prefix: str = text(default="imgserve", doc="what its keys begin with")
    cache_s3_region: str = text(default="", doc="region of that bucket")
    cache_s3_endpoint: str = text(default="", doc="URL of an S3-speaking server for it; empty = AWS")
    cache_s3_endpoint_use_path_style: bool = flag(default=True, doc="bucket in the path, not in the host name")
    cache_ttl: int = integer(
        default=3600, min=0, doc="seconds after which a kept result or source is checked with its origin"
    )
    stale_while_revalidate: int = integer(
        default=86_400, min=0, doc="seconds beyond `cache_ttl` that a result is served while it is being checked"
    )
    stale_if_error: int = integer(
        default=604_800, min=0, doc="seconds beyond `cache_ttl` that a result is served when its origin is down"
    )
    lock_lease: float = number(
        default=5, min=0.5, max=600, doc="seconds that requests wait at most for a process that makes the same result"
    )
    cache_tag_headers: bool = flag(default=True, doc="send Cache-Tag and Surrogate-Key, for purges in a CDN")
    proxy_ttl: int = integer(
        default=0, min=0, doc="seconds that nginx in front keeps an answer before it asks again, 0 = as browsers"
    )
    refine: bool = flag(
        default=False, doc="answer first requests with a fast encode, and make a smaller one when the CPU is idle"
    )
    api_keys: tuple[str, ...] = texts(default=(), doc="name:hash pairs for /v1, of `imgserve keygen --api-key`")

    @property
    def folder(self) -> Path:
        """Where this machine's caches are; raises RuntimeError for a user without a home."""
        if self.cache_path:
            return Path(self.cache_path).absolute()
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "imgserve"


@group
class Monitoring:
    """Monitoring"""

    metrics: bool = flag(default=True, doc="serve /metrics for Prometheus")
    prometheus_bind: str = text(default="", doc="host:port for /metrics alone; empty = on the server's own port")
    prometheus_namespace: str = text(default="imgserve", doc="what the names of metrics begin with")


@group
class LimitSettings:
    """Limits"""

    max_src_resolution: float = number(default=50, min=0, doc="megapixels of a source (all frames)")
    max_src_file_size: int = integer(default=50 * 1024 * 1024, min=0, doc="bytes of a source, 0 = no bound")
    max_animation_frames: int = integer(default=1, min=1, doc="frames read of an animation; 1 = the first picture only")
    max_animation_frame_resolution: float = number(
        default=0, min=0, doc="megapixels of one frame, in place of the whole"
    )
    max_result_dimension: int = integer(default=0, min=0, doc="larger results are scaled down to this, 0 = off")
    max_result_side: int = integer(
        default=16_384, min=1, max=100_000, doc="pixels of a result's side; larger ones are refused"
    )
    max_result_resolution: float = number(default=100, min=0.001, doc="megapixels of a result; larger ones are refused")
    max_bytes_in_flight: int = integer(
        default=512 * MEBIBYTE,
        min=0,
        max=MAX_BYTES,
        doc="bytes of sources that a process holds for renders before the next is answered 429, 0 = off",
    )
    max_redirects: int = integer(default=10, min=0, max=50, doc="redirects that are followed")
    png_unlimited: bool = flag(default=False, doc="lift the decoder's own limits for PNG")
    svg_unlimited: bool = flag(default=False, doc="lift the decoder's own limits for SVG")
    tiff_unlimited: bool = flag(default=False, doc="lift the decoder's own limits for TIFF")


@group
class Security:
    """Security"""

    allowed_sources: tuple[str, ...] = texts(default=(), doc="prefixes of sources, * within a segment; empty = all")
    allowed_processing_options: tuple[str, ...] = texts(default=(), doc="option names a URL may use; empty = all")
    allow_security_options: bool = flag(default=False, doc="URLs may change limits")
    allow_loopback_source_addresses: bool = flag(default=False, doc="fetch from this machine")
    allow_link_local_source_addresses: bool = flag(
        default=False, doc="fetch from link-local addresses (cloud metadata!)"
    )
    allow_private_source_addresses: bool = flag(default=False, doc="fetch from private networks")
    sanitize_svg: bool = flag(default=True, doc="clean SVG that is served as it is")
    ignore_ssl_verification: bool = flag(default=False, doc="accept any certificate of an origin")


@group
class Encoding:
    """Encoding"""

    quality: int = integer(default=80, min=1, max=100, doc="quality of lossy formats")
    format_quality: tuple[tuple[str, int], ...] = qualities(
        default=(("avif", 63), ("jxl", 77), ("webp", 79)), doc="qualities of single formats, format=quality,…"
    )
    jpeg_progressive: bool = flag(default=False, doc="progressive JPEG")
    jpeg_no_subsample: bool = flag(default=False, doc="keep colour at full resolution: a fifth more bytes")
    jpeg_trellis_quant: bool = flag(
        default=False, doc="mozjpeg's trellis: a tenth smaller, coarser, five times as long"
    )
    jpeg_overshoot_deringing: bool = flag(default=False, doc="less ringing around black on white")
    jpeg_optimize_scans: bool = flag(
        default=False, doc="look for the smallest order of scans; for `jpeg_progressive` only"
    )
    jpeg_quant_table: int = integer(default=0, min=0, max=8, doc="mozjpeg's quantization table, 3 = ImageMagick's")
    png_interlaced: bool = flag(default=False, doc="interlaced PNG")
    png_quantize: bool = flag(default=False, doc="PNG with a palette")
    png_quantization_colors: int = integer(default=256, min=2, max=256, doc="colours of that palette")
    png_filter: str = choice(
        "auto", "none", "sub", "up", "avg", "paeth", "all",
        default="auto", doc="how scanlines are filtered; auto = by the picture, all = as imgproxy",
    )  # fmt: skip
    png_compression: int = integer(
        default=6, min=0, max=9, doc="0 none to 9 small; up to 6, `png_filter` auto takes at most 3 for photographs"
    )
    webp_effort: int = integer(default=2, min=0, max=6, doc="0 fast to 6 small; imgproxy's default is 4")
    webp_preset: str = choice(
        "default", "photo", "picture", "drawing", "icon", "text", default="default", doc="WebP tuning"
    )
    webp_smart_subsample: bool = flag(default=False, doc="sharper edges of colour, twice as long")
    avif_speed: int = integer(default=9, min=0, max=9, doc="0 small to 9 fast; imgproxy's default is 8")
    avif_tune: str = choice(
        "default", "iq", "ssim", "psnr", default="default", doc="what AVIF is tuned for; default = as libvips does (iq)"
    )


@group
class Negotiation:
    """Format negotiation"""

    auto_webp: bool = flag(default=False, doc="WebP for clients that accept it, where the URL names no format")
    auto_avif: bool = flag(default=False, doc="the same with AVIF")
    enforce_webp: bool = flag(default=False, doc="WebP for clients that accept it, whatever the URL says")
    enforce_avif: bool = flag(default=False, doc="the same with AVIF")
    preferred_formats: tuple[str, ...] = formats(
        default=("jpeg", "png", "gif"), doc="formats for results of other sources"
    )
    skip_processing_formats: tuple[str, ...] = formats(
        default=(), doc="sources of these formats are served as they are"
    )
    always_rasterize_svg: bool = flag(default=False, doc="turn SVG into pixels even where the URL names no format")
    enable_client_hints: bool = flag(default=False, doc="use Width and DPR request headers")


@group
class Processing:
    """Processing"""

    strip_metadata: bool = flag(default=True, doc="leave metadata out")
    keep_copyright: bool = flag(default=True, doc="but keep copyright and author")
    strip_color_profile: bool = flag(default=True, doc="convert to sRGB and leave the profile out")
    auto_rotate: bool = flag(default=True, doc="obey EXIF orientation")
    preserve_hdr: bool = flag(default=False, doc="keep 16 bits a channel where the format can")
    enforce_thumbnail: bool = flag(default=False, doc="work on the thumbnail inside AVIF and HEIC")
    use_linear_colorspace: bool = flag(default=False, doc="resize in linear light")
    disable_shrink_on_load: bool = flag(default=False, doc="decode at full size")


@group
class Watermark:
    """Watermark"""

    watermark_data: str = text(default="", doc="the picture, base64")
    watermark_path: str = text(default="", doc="its file")
    watermark_url: str = text(default="", doc="its URL, fetched once at start")
    watermark_opacity: float = number(default=1, min=0, max=1, doc="multiplies the option's opacity")


@group
class FallbackImage:
    """Fallback image"""

    fallback_image_data: str = text(default="", doc="the picture for requests that fail, base64")
    fallback_image_path: str = text(default="", doc="its file")
    fallback_image_url: str = text(default="", doc="its URL, fetched once at start")
    fallback_image_http_code: int = integer(default=200, min=0, max=599, doc="status of such answers, 0 = the error's")
    fallback_image_ttl: int = integer(
        default=0, min=0, doc="seconds that such answers stay fresh, 0 = as `source_error_ttl`"
    )


@group
class Sources:
    """Sources"""

    local_filesystem_root: str = text(default="", doc="folder that local:/// reads; empty = off")
    source_url_query_separator: str = text(
        default="?", doc="what stands between a file or key and its query or version; empty = nothing does"
    )
    use_s3: bool = flag(default=False, doc="read s3://bucket/key")
    s3_region: str = text(default="", doc="region of the buckets")
    s3_endpoint: str = text(default="", doc="URL of an S3-speaking server; empty = AWS")
    s3_endpoint_use_path_style: bool = flag(default=True, doc="bucket in the path, not in the host name")
    s3_assume_role_arn: str = text(default="", doc="role to assume")
    s3_assume_role_external_id: str = text(default="", doc="external id of that role")
    s3_allowed_buckets: tuple[str, ...] = texts(default=(), doc="buckets that may be read, * allowed; empty = all")
    s3_denied_buckets: tuple[str, ...] = texts(default=(), doc="buckets that may not be read")


GROUPS: Final = (
    Url, Server, Caching, Cache, Monitoring, LimitSettings, Security, Encoding, Negotiation, Processing, Watermark,
    FallbackImage, Sources, Models, JobSettings,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting, by group; `warnings` are sentences to log at start."""

    url: Url = Url()
    server: Server = Server()
    caching: Caching = Caching()
    cache: Cache = Cache()
    monitoring: Monitoring = Monitoring()
    limits: LimitSettings = LimitSettings()
    security: Security = Security()
    encoding: Encoding = Encoding()
    negotiation: Negotiation = Negotiation()
    processing: Processing = Processing()
    watermark: Watermark = Watermark()
    fallback: FallbackImage = FallbackImage()
    sources: Sources = Sources()
    models: Models = Models()
    jobs: JobSettings = JobSettings()
    warnings: tuple[str, ...] = ()

    def without_cache(self) -> Settings:
        """Give the same settings for work that keeps nothing."""
        return replace(self, cache=Cache(cache=("off",)))
