"""The zoo page's own route beside Gradio's: pictures of the presets, which ship with the app."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from ganlab.config import InvalidInput
from ganlab.presets.zoo_results import sheet_path

RESULTS = Path(__file__).parent / "web" / "zoo"  # what `benchmarks/zoo.py --out` has written
SHEET = "/ganlab/zoo/sheet"


def routes(folder: Path = RESULTS) -> list[BaseRoute]:
    """The page's routes."""

    async def sheet(request: Request) -> Response:
        """The pictures of a preset, side by side."""
        try:
            path = sheet_path(folder, request.query_params.get("preset", ""))
        except InvalidInput as error:
            return PlainTextResponse(f"{error}.", 404)
        if not path.is_file():
            return PlainTextResponse("not found", 404)
        return FileResponse(path, media_type="image/png", headers={"cache-control": "max-age=3600"})

    return [Route(SHEET, sheet)]
