"""Settings of a shop; all that is said of imgserve is at the end."""

import os

SECRET_KEY = "only-for-this-example"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["shop"]
ROOT_URLCONF = "shop.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["SHOP_DATABASE"]}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
# Where imgserve reaches this shop.
SHOP_URL = os.environ["SHOP_URL"]

# Where browsers find pictures, and the key and salt that sign their URLs: those of the server.
IMAGES_URL = os.environ["IMAGES_URL"]
IMGSERVE_KEY = os.environ["IMGSERVE_KEY"]
IMGSERVE_SALT = os.environ["IMGSERVE_SALT"]
# For orders, and for what is heard of them.
IMAGES_API_KEY = os.environ["IMAGES_API_KEY"]
IMGSERVE_WEBHOOK_SECRET = os.environ["IMGSERVE_WEBHOOK_SECRET"]
