"""Signed pictures in Jinja templates, here of Flask."""

import os
from functools import partial

from flask import Flask, render_template

from imgserve.client import UrlSigner, image_props

signer = UrlSigner(os.environ["IMGSERVE_KEY"], os.environ["IMGSERVE_SALT"], base_url=os.environ["IMAGES_URL"])

app = Flask(__name__)
app.jinja_env.globals["image_props"] = partial(image_props, signer)
app.jinja_env.filters["signed"] = signer.url


@app.get("/products/<name>")
def product(name: str) -> str:
    return render_template("product.html", name=name, photo=f"local:///{name}.jpg")
