# imgserve as an image:  docker build -t imgserve .   then docs/deploy.md
# deploy/prove-dockerfile carries these steps out without Docker and asks the result for pictures.

FROM python:3.11.15-slim-bookworm AS builder

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    UV_NO_CACHE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /build

COPY deploy/build-requirements.txt ./
RUN python -m pip install --quiet --root-user-action=ignore --require-hashes -r build-requirements.txt

# A layer of its own: what is locked changes less often than the server.
COPY pyproject.toml uv.lock ./
RUN uv export --quiet --frozen --no-dev --extra ai --no-emit-project --output-file locked.txt \
    && uv venv --quiet /opt/imgserve \
    && uv pip install --quiet --python /opt/imgserve --require-hashes --build-constraints build-requirements.txt \
        --compile-bytecode -r locked.txt

COPY README.md ./
COPY presets presets
COPY imgserve imgserve
RUN uv pip install --quiet --python /opt/imgserve --build-constraints build-requirements.txt --no-deps \
    --compile-bytecode .


FROM python:3.11.15-slim-bookworm

LABEL org.opencontainers.image.title="imgserve" \
      org.opencontainers.image.description="On-the-fly image transformation server: signed URLs become images"

# Fonts for text in SVG; jemalloc gives memory back that glibc would keep (docs/operations.md); Tesseract reads text for AI
# steps (docs/ai.md). The ids are fixed so that the owner of a volume's files is the same in every image; above 10000 they
# are nobody on the host.
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends fontconfig-config fonts-dejavu-core libjemalloc2 tesseract-ocr \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
    && groupadd --gid 10001 imgserve \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin imgserve \
    && install -d -o imgserve -g imgserve -m 0750 /var/cache/imgserve

COPY --from=builder /opt/imgserve /opt/imgserve

# Everything is compiled already, and the user may write nowhere but into the cache.
ENV PATH=/opt/imgserve/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    LD_PRELOAD=libjemalloc.so.2 \
    XDG_CACHE_HOME=/tmp \
    IMGSERVE_BIND=:8080 \
    IMGSERVE_CACHE_PATH=/var/cache/imgserve \
    IMGSERVE_LOG_FORMAT=json

WORKDIR /var/cache/imgserve
VOLUME /var/cache/imgserve
EXPOSE 8080
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["imgserve", "health"]
ENTRYPOINT ["imgserve"]
CMD ["serve"]
