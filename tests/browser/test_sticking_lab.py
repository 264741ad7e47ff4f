"""The equivariance lab as a visitor uses it: move, draw the lines over time."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
Open = Callable[..., Page]


def test_move_and_draw_on_a_phone(open_page: Open, server: str) -> None:
    page = open_page(f"{server}/equivariance", width=390, height=844)
    picture = page.locator("#sticking-stylegan2-picture img")
    expect(picture).to_be_visible(timeout=60000)
    before = picture.get_attribute("src") or ""
    right = page.get_by_label("number input for Right (widths)")
    right.fill("0.2")
    right.press("Tab")
    expect(picture).not_to_have_attribute("src", before, timeout=60000)
    page.locator("#sticking-draw").click()
    expect(page.locator("#sticking-progress progress")).to_be_visible(timeout=20000)
    expect(page.locator("#sticking-stylegan3-line img")).to_be_visible(timeout=120000)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
