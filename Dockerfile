# One image for the five services; compose.yaml says which one a container is.
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends tesseract-ocr tesseract-ocr-eng tesseract-ocr-deu \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY requirements/uv.txt requirements/services.txt requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/uv.txt \
    && uv pip install --system --no-cache --no-deps --require-hashes -r requirements/services.txt
COPY shared/ shared/
COPY services/ services/
# For `docker compose exec gateway python -m cli keys add`; the stack's programs themselves are not in here.
COPY stack/ stack/
COPY pagestream/ pagestream/
COPY cli/ cli/

# Uploaded files are read here: nothing of this container is worth having, and it is not root.
RUN useradd --create-home --uid 1000 pagestream && mkdir /data && chown pagestream /data
USER pagestream
ENV PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=1 PAGESTREAM_STORE=file:///data/blobs PAGESTREAM_CACHE=/data/cache \
    PAGESTREAM_CORES_FOLDER=/data/cores PAGESTREAM_SLOTS_FOLDER=/data/slots
VOLUME /data
