"""Who may talk to our own routes, and how much they may send."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

REFUSED = 4000  # close code: do not try again
FOREIGN = "This request comes from another site."


def foreign(headers: Headers) -> bool:
    """Whether a page of another site sent this: browsers let any page open sockets to any server."""
    origin = headers.get("origin")
    hosts = {headers.get("host"), headers.get("x-forwarded-host")}
    return origin is not None and urlsplit(origin).netloc not in hosts


async def read_body(request: Request, most: int) -> bytes | None:
    """The body, or None as soon as it is longer than `most`."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                return None
    except ClientDisconnect:  # also how `serve.BodyLimit` ends one that is far too long
        return None
    return bytes(body)
