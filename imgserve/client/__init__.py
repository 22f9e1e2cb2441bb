"""The client for Python programs: URLs for their pages, and the server's API.

    from imgserve.client import Client, UrlSigner, image_props

`Client` waits, `AsyncClient` is awaited. docs/python.md shows both at work, in Django, Flask and FastAPI.
"""

from imgserve.client.asynchronous import AsyncClient
from imgserve.client.errors import ApiError, ClientError, JobTimeout, Unreachable, WebhookRefused
from imgserve.client.srcset import image_props, srcset, token
from imgserve.client.sync import Client
from imgserve.client.values import (
    Job,
    JobError,
    JobPage,
    Order,
    OrderedJob,
    Picture,
    Processed,
    Purged,
    Warmed,
)
from imgserve.client.webhooks import JobEnd, verify_webhook
from imgserve.client.widths import DEFAULT_WIDTHS, DEVICE_SIZES, IMAGE_SIZES
from imgserve.errors import BadOption
from imgserve.sign import UrlSigner

__all__ = [
    "DEFAULT_WIDTHS",
    "DEVICE_SIZES",
    "IMAGE_SIZES",
    "ApiError",
    "AsyncClient",
    "BadOption",
    "Client",
    "ClientError",
    "Job",
    "JobEnd",
    "JobError",
    "JobPage",
    "JobTimeout",
    "Order",
    "OrderedJob",
    "Picture",
    "Processed",
    "Purged",
    "Unreachable",
    "UrlSigner",
    "Warmed",
    "WebhookRefused",
    "image_props",
    "srcset",
    "token",
    "verify_webhook",
]
