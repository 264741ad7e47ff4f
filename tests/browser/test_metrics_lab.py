"""The metrics lab as a visitor uses it: a report with its warning, cancelling, the curve, disturbed pictures."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
Open = Callable[..., Page]


def choose(page: Page, model: str, data: str) -> None:
    """Takes a model and data from the menus, and the fewest pictures."""
    for menu, title in (("#metrics-model", model), ("#metrics-data", data)):
        box = page.locator(f"{menu} input")
        expect(box).not_to_have_value("", timeout=30000)
        box.click()
        page.get_by_role("option", name=title).first.click()
    count = page.get_by_label("number input for Pictures of each side")
    count.fill("50")
    count.press("Tab")


def test_a_report_then_a_curve(open_page: Open, server: str) -> None:
    page = open_page(f"{server}/metrics")
    choose(page, "mnist32", "Handwritten digits, 8 px")
    page.locator("#report-go").click()
    expect(page.locator("#report-table")).to_contain_text("FD-pyramid", timeout=60000)
    expect(page.locator("#report-table")).not_to_contain_text("FID")
    expect(page.locator("#report-status .warning")).to_contain_text("too few")
    page.get_by_role("tab", name="Truncation curve").click()
    page.locator("#curve-go").click()
    expect(page.locator("#curve-plot .plot-container").first).to_be_visible(timeout=90000)
    expect(page.locator("#curve-plot")).to_contain_text("ψ 0.3")


def test_cancelling_says_so(open_page: Open, server: str) -> None:
    page = open_page(f"{server}/metrics")
    expect(page.locator("#metrics-model input")).not_to_have_value("", timeout=30000)
    page.locator("#report-go").click()
    expect(page.locator("#report-status progress")).to_be_visible(timeout=20000)
    page.locator("#report-cancel").click()
    expect(page.locator("#report-status")).to_contain_text("Cancelled", timeout=30000)
    expect(page.locator("#report-table table")).to_have_count(0)


def test_disturbed_pictures_and_their_distance_on_a_phone(open_page: Open, server: str) -> None:
    page = open_page(f"{server}/metrics", width=390, height=844)
    expect(page.locator("#metrics-model input")).not_to_have_value("", timeout=30000)
    page.get_by_role("tab", name="Disturbances").click()
    expect(page.locator("#disturbance-plot .plot-container").first).to_be_visible(timeout=60000)
    before = page.locator("#disturbance-worse img").get_attribute("src")
    page.get_by_label("Black rectangles").click()
    expect(page.locator("#disturbance-plot")).to_contain_text("Black rectangles", timeout=60000)
    assert page.locator("#disturbance-worse img").get_attribute("src") != before
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
