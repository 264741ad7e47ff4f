"""The zoo page: from a preset to the training lab with it chosen."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(200)]


def test_train_this_opens_the_training_lab_with_the_preset(open_page: Callable[..., Page], server: str) -> None:
    page = open_page(f"{server}/zoo", width=390, height=844)
    row = page.locator("#zoo-table tr", has_text="DCGAN").first
    expect(row).to_contain_text("Radford")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    row.get_by_role("link", name="Train this").click()
    page.wait_for_url("**/train?preset=dcgan")
    expect(page.locator("[data-tr=preset]")).to_have_value("dcgan")
    expect(page.locator("[data-tr=preset-text]")).to_contain_text("Radford")
