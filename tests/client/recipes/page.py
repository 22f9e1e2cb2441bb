"""A page with a responsive picture: run it, and open page.html in a browser."""

import os
from html import escape
from pathlib import Path

from imgserve.client import UrlSigner, image_props

signer = UrlSigner(
    key=os.environ["IMGSERVE_KEY"],
    salt=os.environ["IMGSERVE_SALT"],
    base_url=os.environ.get("IMAGES_URL", "http://127.0.0.1:8080"),
)

attributes = image_props(signer, "local:///mug.jpg", width=600, height=400, alt="A mug")
written = " ".join(f'{name}="{escape(str(value))}"' for name, value in attributes.items())
Path("page.html").write_text(f"<!doctype html><title>Mug</title><img {written}>\n", "utf-8")
