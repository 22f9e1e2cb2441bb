"""Cut-outs ordered and heard of, with FastAPI."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request

from imgserve.client import ApiError, AsyncClient, WebhookRefused, verify_webhook


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncClient(os.environ["IMAGES_URL"], api_key=os.environ["IMAGES_API_KEY"]) as client:
        app.state.images = client
        app.state.cut_out = {}  # of a shop, this is a table
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/cut-outs", status_code=202)
async def order(request: Request, photo: str) -> dict[str, str]:
    images: AsyncClient = request.app.state.images
    hook = os.environ["SHOP_URL"] + "/hooks/images"
    try:
        [job] = await images.submit(photo, "remove_background:1", webhook=hook)
    except ApiError as refused:
        # It says what was wrong and what was expected: of the photo, or of the webhook.
        raise HTTPException(502, refused.message) from None
    request.app.state.cut_out[photo] = job.state
    return {"job": job.id, "state": job.state}


@app.post("/hooks/images", status_code=204)
async def heard(request: Request) -> None:
    try:
        # The body as it came: what FastAPI has parsed is not what was signed.
        end = verify_webhook(await request.body(), request.headers, os.environ["IMGSERVE_WEBHOOK_SECRET"])
    except WebhookRefused as wrong:
        raise HTTPException(400, str(wrong)) from None
    request.app.state.cut_out[end.job.source] = end.job.state
