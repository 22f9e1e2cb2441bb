"""Products; the cut-out of a photo is ordered when a product is saved."""

import logging
from functools import partial

from django.conf import settings
from django.db import models, transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.urls import reverse

from imgserve.client import ClientError
from shop.images import client

logger = logging.getLogger(__name__)


class Product(models.Model):
    name = models.CharField(max_length=100)
    photo = models.CharField(max_length=500)
    has_cut_out = models.BooleanField(default=False)


@receiver(post_save, sender=Product)
def order_cut_out(instance, **_):
    # The same photo again is the same job, so it does not matter how often a product is saved.
    transaction.on_commit(partial(_order, instance.photo))


def _order(photo):
    try:
        [job] = client.submit(photo, presets=["bg-removed"], webhook=settings.SHOP_URL + reverse("heard"))
    except ClientError:
        # The product is saved all the same; its picture's URL begins the job when somebody looks at it.
        logger.exception("no cut-out is ordered of %s", photo)
        return
    if job.done:
        Product.objects.filter(photo=photo).update(has_cut_out=True)
