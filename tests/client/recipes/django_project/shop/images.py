"""The image server, for all of this project."""

from django.conf import settings

from imgserve.client import Client, UrlSigner

signer = UrlSigner(settings.IMGSERVE_KEY, settings.IMGSERVE_SALT, base_url=settings.IMAGES_URL)
client = Client(settings.IMAGES_URL, api_key=settings.IMAGES_API_KEY, timeout_s=5)
