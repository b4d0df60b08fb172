# The server on a CPU (docs/serving.md): docker build -t roseq .
# Its commands are those of README.md. The archive, the directory of a run, is mounted at /archive.
FROM python:3.12.11-slim-bookworm

WORKDIR /roseq
COPY . .
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch==2.14.1 torchvision==0.29.1 \
    && pip install --no-cache-dir -c requirements.txt -c tests/requirements.txt '.[serve]' \
    && pip install --no-cache-dir --no-deps allennlp==2.10.1 \
    && useradd --create-home --uid 10001 --no-log-init roseq

ENV OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1
WORKDIR /home/roseq
USER roseq
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=2m --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["roseq", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["/archive"]
