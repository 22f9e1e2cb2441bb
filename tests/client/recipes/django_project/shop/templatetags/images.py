"""Pictures in templates: {% load images %}."""

from django import template
from django.forms.utils import flatatt
from django.utils.html import format_html

from imgserve.client import image_props
from shop.images import signer

register = template.Library()


@register.simple_tag
def signed_img(source, *options, **arguments):
    """{% signed_img product.photo "format:webp" width=600 height=400 alt=product.name loading="lazy" %}"""
    return format_html("<img{}>", flatatt(image_props(signer, source, *options, **arguments)))


@register.simple_tag
def signed_url(source, *options, **named):
    """{% signed_url product.photo width=32 format="png" %}"""
    return signer.url(source, *options, **named)
