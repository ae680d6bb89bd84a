"""JSON answers and the one place where a refusal becomes a status: `{"error": CODE}` (protocol section 10).

Only codes go out; what an error says in words stays here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from agent.core.errors import RefusedError, TroubleError
from agent.page import rules

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request


def json_answer(body: Any, status: int = 200) -> Response:  # noqa: ANN401 any JSON value of the vault
    """Return `body` as JSON that nobody may store."""
    return JSONResponse(body, status_code=status, headers={"cache-control": "no-store"})


async def _refused(_request: Request, exc: Exception) -> Response:
    code = exc.code if isinstance(exc, RefusedError) else "E_BUG"
    return json_answer({"error": code}, rules.status_of(code))


async def _trouble(_request: Request, _exc: Exception) -> Response:
    return json_answer({"error": "E_VAULT"}, 503)


async def _http_error(_request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    return json_answer({"error": {404: "NOT_FOUND", 405: "E_METHOD"}.get(status, "E_HTTP")}, status)


async def _bug(_request: Request, _exc: Exception) -> Response:
    return json_answer({"error": "E_BUG"}, 500)


ERROR_HANDLERS: Final[Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]]] = {
    RefusedError: _refused,
    TroubleError: _trouble,
    HTTPException: _http_error,
    500: _bug,
}
