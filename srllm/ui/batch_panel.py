"""Many texts at once: lines or a file in, progress, a preview, and two files out."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import gradio as gr

from srllm.batches import BatchRow, csv_header, csv_row
from srllm.errors import InputError, SrllmError
from srllm.rewriter import Rewriter
from srllm.texts import MAX_TEXTS, load_texts, write_csv, write_jsonl
from srllm.ui import render
from srllm.ui.advanced import AdvancedPanel
from srllm.ui.model import ModelLoader
from srllm.ui.runs import Runs

_LOG = logging.getLogger(__name__)
_PREVIEW_ROWS = 20
_SECONDS_BETWEEN_UPDATES = 0.4
_UNEXPECTED = "Something went wrong on the server; its log has the details. Try again."
Values = Mapping[Any, Any]  # component -> what the browser sent
Update = dict[Any, Any]  # component -> its new value


def build_batch_panel(
    rewriter: Rewriter, loader: ModelLoader, runs: Runs, advanced: AdvancedPanel
) -> None:
    with gr.Accordion("Many texts at once", open=False, elem_classes="sr-fold"):
        _Batch(rewriter, loader, runs, advanced).wire()


def _visitor(request: gr.Request) -> str:
    return f"{request.session_hash or ''}:batch"


class _Batch:
    """The components of the panel and what they do."""

    def __init__(
        self, rewriter: Rewriter, loader: ModelLoader, runs: Runs, advanced: AdvancedPanel
    ) -> None:
        self._rewriter, self._loader, self._runs = rewriter, loader, runs
        self._advanced = advanced
        with gr.Row():
            with gr.Column(scale=3, min_width=280):
                self.lines = gr.Textbox(
                    label="Texts, one a line", lines=6, max_lines=12, elem_id="sr-lines"
                )
            with gr.Column(scale=2, min_width=260):
                self.file = gr.File(
                    label="Or a file: CSV, TSV, TXT, JSONL", height=132, elem_id="sr-file"
                )
                self.column = gr.Textbox(
                    "text", label="Column of the texts", max_lines=1, max_length=200
                )
        with gr.Row(elem_classes="sr-buttons"):
            self.go = gr.Button("Rewrite all", elem_classes="sr-second")
            self.cancel = gr.Button(
                "Cancel batch", interactive=False, elem_classes=["sr-second", "sr-cancel"]
            )
            self.csv = gr.DownloadButton(
                "Download CSV", interactive=False, elem_classes="sr-second"
            )
            self.jsonl = gr.DownloadButton(
                "Download JSONL", interactive=False, elem_classes="sr-second"
            )
        self.status = gr.HTML(
            f'<p class="sr-help">Up to {MAX_TEXTS:,} texts, with the variants chosen under '
            "Advanced. An uploaded file is deleted as soon as it is read; results are deleted "
            "within the hour.</p>",
            elem_id="sr-batch-status",
            js_on_load=None,
            apply_default_css=False,
        )
        self.preview = gr.HTML("", js_on_load=None, apply_default_css=False)

    def wire(self) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        outputs = [self.status, self.preview, self.cancel, self.csv, self.jsonl]
        self.go.click(
            self._rewrite_all,
            {self.lines, self.file, self.column} | self._advanced.inputs,
            outputs,
            concurrency_limit=8,
            **quiet,
        )
        self.cancel.click(self._cancel, None, None, queue=False, **quiet)

    def _cancel(self, request: gr.Request) -> None:
        self._runs.cancel(_visitor(request))

    def _rewrite_all(self, values: Values, request: gr.Request) -> Iterator[Update]:
        with self._runs.run(_visitor(request)) as cancel:
            try:
                yield from self._run(values, cancel)
            except SrllmError as error:
                yield self._failed(str(error))
            except Exception:
                _LOG.exception("a batch failed")
                yield self._failed(_UNEXPECTED)

    def _failed(self, sentence: str) -> Update:
        return {
            self.status: render.message(sentence, tone="unsafe"),
            self.cancel: gr.Button(interactive=False),
        }

    def _read_texts(self, values: Values) -> list[str]:
        lines, upload = values[self.lines] or "", values[self.file]
        if upload is not None and lines.strip():
            raise InputError("There are both lines and a file. Clear one of the two.")
        if upload is not None:
            path = Path(upload)
            try:
                return load_texts(path, (values[self.column] or "text").strip())
            finally:
                path.unlink(missing_ok=True)
        texts = [line.strip() for line in render.clean_text(lines).split("\n") if line.strip()]
        if not texts:
            raise InputError("There is no text. Type one a line, or choose a file.")
        if len(texts) > MAX_TEXTS:
            raise InputError(
                f"There are {len(texts):,} lines, the limit is {MAX_TEXTS:,}. Split them."
            )
        return texts

    def _run(self, values: Values, cancel: Any) -> Iterator[Update]:
        options = self._advanced.read(values)
        texts = self._read_texts(values)
        yield {
            self.status: render.message("Loading the model ...")
            if not self._loader.is_ready
            else render.progress(0, len(texts), 0.0),
            self.preview: "",
            self.cancel: gr.Button(interactive=True),
            self.csv: gr.DownloadButton(interactive=False),
            self.jsonl: gr.DownloadButton(interactive=False),
        }
        rows: list[BatchRow] = []
        if self._loader.wait(cancel):
            started = last = time.perf_counter()
            results = self._rewriter.rewrite_many(
                texts,
                options.variants,
                prompt=options.prompt,
                decoding=options.decoding,
                guided=options.guided,
                cancel=cancel,
            )
            with closing(results):  # type: ignore[type-var]  # an Iterator that is a generator
                for index, result in results:
                    rows.append(BatchRow(index, texts[index], result))
                    now = time.perf_counter()
                    if now - last >= _SECONDS_BETWEEN_UPDATES:
                        last = now
                        yield self._progress(rows, len(texts), options.variants, now - started)
        yield from self._finished(rows, len(texts), options.variants, cancel.is_set())

    def _progress(
        self, rows: Sequence[BatchRow], n_all: int, variants: Sequence[str], elapsed_s: float
    ) -> Update:
        n_failed = sum(row.error is not None for row in rows)
        return {
            self.status: render.progress(len(rows), n_all, elapsed_s, n_failed),
            self.preview: self._preview(rows, n_all, variants),
        }

    def _preview(self, rows: Sequence[BatchRow], n_all: int, variants: Sequence[str]) -> str:
        labels = [self._rewriter.profile.variants[name].label for name in variants]
        shown = [(row.text, row.error or row.rewrites) for row in rows[:_PREVIEW_ROWS]]
        return render.preview(shown, labels, n_all)

    def _finished(
        self, rows: list[BatchRow], n_all: int, variants: Sequence[str], cancelled: bool
    ) -> Iterator[Update]:
        n_failed = sum(row.error is not None for row in rows)
        status = render.progress(len(rows), n_all, 0.0, n_failed)
        if cancelled:
            status = render.message(
                f"Cancelled after {len(rows):,} of {n_all:,} texts; the files hold those."
                if rows
                else "Cancelled."
            )
        update: Update = {
            self.status: status,
            self.preview: self._preview(rows, n_all, variants),
            self.cancel: gr.Button(interactive=False),
        }
        if not rows:
            yield update
            return
        # Gradio copies the files to its cache, which it empties (delete_cache of the page).
        with tempfile.TemporaryDirectory(prefix="sr-batch-") as folder:
            csv_path, jsonl_path = Path(folder, "rewrites.csv"), Path(folder, "rewrites.jsonl")
            write_csv(csv_path, csv_header(variants), (csv_row(row, variants) for row in rows))
            write_jsonl(jsonl_path, (row.to_json() for row in rows))
            update[self.csv] = gr.DownloadButton(value=str(csv_path), interactive=True)
            update[self.jsonl] = gr.DownloadButton(value=str(jsonl_path), interactive=True)
            yield update
