"""The application: paths, what they take and give, and errors in one sentence."""

import contextlib
import reprlib
from collections.abc import AsyncIterator, Mapping
from functools import partial
from importlib import resources
from typing import Any, Optional

from allennlp.common.checks import ConfigurationError
from fastapi import FastAPI, HTTPException, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException as StarletteHTTPException

from roseq_allennlp._serving import label_studio
from roseq_allennlp._serving.batching import Batcher, Failed, QueueFull
from roseq_allennlp._serving.limits import Limits
from roseq_allennlp._serving.metrics import CONTENT_TYPE, Metrics
from roseq_allennlp._serving.schema import (
    BODIES,
    ModelInfo,
    ModelsResponse,
    Problem,
    TagRequest,
    TagResponse,
    what_is_wrong,
)
from roseq_allennlp._serving.settings import Settings
from roseq_allennlp._serving.tagging import Options, as_item, characters, tag_inputs
from roseq_allennlp.models.description import OVERALL
from roseq_allennlp.predictors import NerTagger
from roseq_allennlp.text import shown
from roseq_allennlp.version import VERSION

_PROBLEMS: dict[int, str] = {
    401: "The token is missing or wrong",
    404: "There is no such tagger",
    413: "The body or a text is too large",
    422: "The body is not what is expected",
    503: "Too many requests wait; `Retry-After` says when to come again",
    504: "The answer was not ready in time",
}
_PAGE_MAY = (  # nothing from elsewhere
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Served:
    """
    A tagger with its name and its queue.

    # Parameters

    name : `str`
    tagger : `NerTagger`
    settings : `Settings`
    metrics : `Metrics`
    """

    def __init__(self, name: str, tagger: NerTagger, settings: Settings, metrics: Metrics) -> None:
        self.name, self.tagger, self._max_text = name, tagger, settings.max_text
        observe = metrics.of_model(name, lambda: len(self.batcher))
        self.batcher = Batcher(partial(tag_inputs, tagger), settings.wait, settings.queue, observe)

    async def answers(self, values: list[dict[str, Any]], options: Options) -> list[dict[str, Any]]:
        """The answers to inputs. Raises `HTTPException`."""
        for number, value in enumerate(values, 1):
            if characters(value) > self._max_text:
                which = f"text {number} of {len(values)}" if len(values) > 1 else "the text"
                raise HTTPException(413, f"{which} has more than {self._max_text} characters: split it")
        try:
            return await self.batcher.submit([as_item(value, options) for value in values])
        except QueueFull as error:
            detail = f"{len(self.batcher)} requests wait already: try again in a second"
            raise HTTPException(503, detail, {"Retry-After": "1"}) from error
        except Failed as error:
            raise HTTPException(500, "the tagger has failed; the server's log says where") from error

    def options(self, body: TagRequest) -> Options:
        """How the answers shall be. Raises `HTTPException`."""
        if isinstance(body.min_probability, Mapping):
            for label in body.min_probability:
                if label not in self.tagger.labels:
                    types = ", ".join(self.tagger.labels)
                    raise HTTPException(422, f"the tagger has no type {_brief(label)}; its types are {types}")
        try:
            if body.alternatives:
                self.tagger.crf_model()
            return Options(self.tagger.thresholds(body.min_probability), body.review, body.alternatives)
        except (ValueError, ConfigurationError) as error:
            raise HTTPException(422, str(error)) from error

    def info(self) -> ModelInfo:
        """What the archive says of itself."""
        description = self.tagger.description
        overall = {} if description is None else description.metrics.get("development", {}).get(OVERALL, {})
        is_known = description is not None and description.language != "xx"
        return ModelInfo(
            name=self.name,
            language=description.language if description is not None and is_known else None,
            labels=list(self.tagger.labels),
            thresholds=dict(getattr(self.tagger._model, "thresholds", {})),
            development_f1=100 * overall["f1"] if "f1" in overall else None,
            calibrated=description is not None and description.temperature != 1,
        )


def create_app(taggers: Mapping[str, NerTagger], settings: Optional[Settings] = None) -> FastAPI:
    """
    # Parameters

    taggers : `Mapping[str, NerTagger]`
        By name; the first is the default.
    settings : `Settings`, optional

    # Returns

    `FastAPI`
        For one event loop, as its queues belong to that.
    """
    settings = settings or Settings()
    metrics = Metrics(_PATHS)
    served = {name: Served(name, tagger, settings, metrics) for name, tagger in taggers.items()}
    default = next(iter(served.values()))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        for one in served.values():
            one.batcher.start()
        yield
        for one in served.values():
            await one.batcher.stop()

    app = FastAPI(
        title="roseq serve",
        version=VERSION,
        description='Tags named entities. Errors are `{"detail": "one sentence"}`.',
        docs_url=None,  # these pages are loaded from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(Limits, settings=settings, observe=metrics.of_request)
    app.add_exception_handler(StarletteHTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_wrong_body)
    secured = [Security(HTTPBearer(auto_error=False, description="If the server has a token"))]
    problems: Any = {status: {"model": Problem, "description": text} for status, text in _PROBLEMS.items()}

    @app.post("/v1/tag", response_model=TagResponse, responses=problems, dependencies=secured)
    async def tag(body: TagRequest) -> Response:
        """Tags texts, documents or lists of tokens."""
        one = default if body.model is None else served.get(body.model)
        if one is None:
            raise HTTPException(404, f"there is no tagger {_brief(body.model)}; there are {', '.join(served)}")
        options = one.options(body)
        answers = await one.answers(body.items(), options)
        for answer in answers:
            if "error" in answer:
                answer["error"] = body.in_own_keys(answer["error"])
        if not body.is_list() and "error" in answers[0]:
            raise HTTPException(422, answers[0]["error"])
        return JSONResponse({"model": one.name, "answers": answers})

    @app.get("/v1/models", dependencies=secured)
    async def models() -> ModelsResponse:
        """The taggers, the default first."""
        return ModelsResponse(models=[one.info() for one in served.values()])

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether requests are answered."""
        if not all(one.batcher.is_running() for one in served.values()):
            raise HTTPException(503, "the server does not tag", {"Retry-After": "1"})
        return {"status": "ok"}

    @app.get("/metrics", response_class=PlainTextResponse, dependencies=secured)
    async def show_metrics() -> Response:
        """For Prometheus."""
        return Response(metrics.page(), media_type=CONTENT_TYPE)

    page = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def show_page() -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": _PAGE_MAY, "Referrer-Policy": "no-referrer"})

    app.include_router(label_studio.router(default.name, default.tagger.labels, default.answers), dependencies=secured)
    return app


_PATHS = ("/", "/v1/tag", "/v1/models", "/healthz", "/metrics", "/openapi.json", "/predict", "/setup", "/health")


def _brief(name: Any) -> str:
    """A name that a client has sent, for an error."""
    return shown(reprlib.repr(name))


async def _on_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    detail = {404: "there is no such path", 405: "the path does not take this method", 400: "the body is not JSON"}
    own = error.detail if isinstance(error, HTTPException) and error.status_code != 400 else None
    return JSONResponse(
        {"detail": own or detail.get(error.status_code, str(error.detail))}, error.status_code, error.headers
    )


async def _on_wrong_body(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return JSONResponse({"detail": what_is_wrong(error.errors(), BODIES[request.url.path])}, 422)
