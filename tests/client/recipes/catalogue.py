"""Cut-outs of a whole catalogue: order all, then see how each of them ended."""

import os
from collections.abc import Iterable, Iterator, Sequence

from imgserve.client import Client, Job, Order


def cut_outs(photos: Sequence[str]) -> Iterator[Job]:
    """Give the job of each photo when it has ended."""
    with Client(os.environ["IMAGES_URL"], api_key=os.environ["IMAGES_API_KEY"]) as client:
        ids = [job.id for orders in hundreds(photos) for job in client.submit_many(orders)]
        for id in ids:
            yield client.wait(id, timeout_s=600)


def hundreds(photos: Sequence[str]) -> Iterable[list[Order]]:
    """A request may have up to 100 orders."""
    orders = [Order(source=photo, presets=["bg-removed"]) for photo in photos]
    return (orders[at : at + 100] for at in range(0, len(orders), 100))
