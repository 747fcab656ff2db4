"""The demo's way to the service: its own HTTP API, as any client would use it."""

from typing import Any

import httpx

from app.demo.post import Call


class DemoFailed(RuntimeError):  # noqa: N818 - what the user is told
    """The service did not answer as the demo needs it."""


class Paceline:
    """Calls of the API with a key; everything but a 2xx is an error."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self.client = client
        self._headers = {"Authorization": f"Bearer {token}"}

    # Any: JSON as it comes and goes.
    async def get(self, path: str, **parameters: Any) -> Any:
        """The answer of a GET."""
        return await self._call("GET", path, params=parameters)

    async def post(self, path: str, body: Any = None) -> Any:
        """The answer of a POST."""
        return await self._call("POST", path, json=body)

    async def put(self, path: str, body: Any) -> Any:
        """The answer of a PUT."""
        return await self._call("PUT", path, json=body)

    async def patch(self, path: str, body: Any) -> Any:
        """The answer of a PATCH."""
        return await self._call("PATCH", path, json=body)

    async def every(self, path: str, **parameters: Any) -> list[Any]:
        """The items of all pages of a list."""
        items: list[Any] = []
        cursor: dict[str, Any] = {}
        while True:
            page = await self.get(path, limit=200, **cursor, **parameters)
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = {"cursor": page["next_cursor"]}

    async def webhook(self, url: str, call: Call, headers: dict[str, str]) -> None:
        """Post what a CRM posts; the service takes it or the demo fails."""
        answer = await self.client.post(url, content=call.body, headers=headers)
        if answer.status_code != 200:
            raise DemoFailed(f"POST {url} of {call.system}: {answer.status_code} {answer.text[:500]}")

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        answer = await self.client.request(method, f"/v1{path}", headers=self._headers, **options)
        if not answer.is_success:
            raise DemoFailed(f"{method} {path}: {answer.status_code} {answer.text[:1000]}")
        return answer.json() if answer.content else None
