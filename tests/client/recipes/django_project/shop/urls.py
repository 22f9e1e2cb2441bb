"""The two paths of the shop."""

from django.urls import path

from shop import views

urlpatterns = [
    path("products/<int:id>", views.product),
    path("hooks/images", views.heard, name="heard"),
]
