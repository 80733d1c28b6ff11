# docker build -t srllm . && docker run --rm -p 7860:7860 -v srllm-data:/data srllm
# With a GPU: docker build --build-arg TORCH=cuda -t srllm . && docker run --rm --gpus all -p 7860:7860 -v srllm-data:/data srllm
FROM python:3.12-slim

ARG TORCH=cpu
WORKDIR /app
COPY requirements.txt requirements-gpu.txt ./
# uv finds PyTorch's CPU builds; pip alone would bring CUDA into the CPU image.
RUN pip install --no-cache-dir uv \
    && if [ "$TORCH" = cpu ]; then \
         uv pip install --system --no-cache --torch-backend=cpu -r requirements.txt; \
       else \
         uv pip install --system --no-cache -r requirements-gpu.txt; \
       fi
COPY app.py ./
COPY srllm ./srllm
COPY human_eval ./human_eval
COPY train ./train
COPY eval ./eval
COPY data ./data

RUN useradd --create-home --uid 1000 srllm && mkdir /data && chown srllm /data
USER srllm
VOLUME /data
ENV SRLLM_HOST=0.0.0.0 SRLLM_PORT=7860 SRLLM_DATA_DIR=/data PYTHONUNBUFFERED=1
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=4)"]
CMD ["python", "app.py"]
