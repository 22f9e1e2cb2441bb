"""A product's page, and where imgserve says that a cut-out is there."""

from django.conf import settings
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from imgserve.client import WebhookRefused, verify_webhook
from shop.models import Product


def product(request, id):
    return render(request, "product.html", {"product": get_object_or_404(Product, id=id)})


@csrf_exempt  # the signature says who it is
@require_POST
def heard(request):
    try:
        end = verify_webhook(request.body, request.headers, settings.IMGSERVE_WEBHOOK_SECRET)
    except WebhookRefused as wrong:
        return HttpResponseBadRequest(str(wrong))
    if end.job.done:
        Product.objects.filter(photo=end.job.source).update(has_cut_out=True)
    return HttpResponse(status=204)
