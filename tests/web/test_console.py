"""The console in a real browser on a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.web.browser import API_KEY, Console, chromium, looking, served
from tests.web.playground.playing import ALL_SEEN, FAINT_EDGES

WRONG_KEY = "not-a-key"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("console")) as url:
        yield url


@pytest.fixture
def console(browser: Browser, server: str) -> Iterator[Console]:
    with looking(browser, server) as made:
        made.tell("clear")
        yield made


def ago(seconds: float) -> float:
    return time.time() - seconds


def row(console: Console, id: str) -> str:
    return console.page.locator(f'[data-id="{id}"]').inner_text()


def test_a_key_opens_it_and_is_forgotten_when_asked(console: Console) -> None:
    page = console.page
    console.job("one", created_at=ago(60))
    console.open()
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    assert not [one for one in console.asked if "/v1/" in one.url]
    console.enter(API_KEY)
    expect(page.locator("#rows .row")).to_have_count(1)
    page.reload()
    expect(page.locator("#rows .row")).to_have_count(1)
    assert page.evaluate("[Object.values(sessionStorage), localStorage.length, document.cookie]") == [[API_KEY], 0, ""]
    page.get_by_role("button", name="Forget key").click()
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    assert page.evaluate("sessionStorage.length") == 0
    assert "Remove background" not in page.content()


def test_a_wrong_key_is_told_in_the_servers_words(console: Console) -> None:
    page = console.page
    console.open()
    page.get_by_label("Key", exact=True).fill(WRONG_KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="This key is not among IMGSERVE_API_KEYS")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
    assert set(console.statuses) == {403}
    page.get_by_label("Key", exact=True).fill("schlüssel")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="ASCII")).to_be_visible()


def test_tabs_count_jobs_and_show_those_of_one_state(console: Console) -> None:
    page = console.page
    for at, state in enumerate(("queued", "queued", "running", "done", "failed")):
        console.job(f"{state}{at}", state=state, created_at=ago(60 - at), started_at=ago(30))
    console.enter(API_KEY)
    for name, count in {"All": 5, "Queued": 2, "Running": 1, "Done": 1, "Failed": 1, "Cancelled": 0}.items():
        expect(page.get_by_role("button", name=f"{name} {count}", exact=True)).to_be_visible()
    page.get_by_role("button", name="Queued 2").click()
    expect(page.locator("#rows .row")).to_have_count(2)
    page.get_by_role("button", name="Cancelled 0").click()
    expect(page.get_by_text("No job is cancelled.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Cancelled 0")).to_have_attribute("aria-pressed", "true")


def test_an_empty_queue_is_explained(console: Console) -> None:
    console.enter(API_KEY)
    expect(console.page.get_by_text("No jobs yet.")).to_be_visible()


def test_progress_and_ends_are_shown_as_they_come_and_keep_the_focus(console: Console) -> None:
    page = console.page
    id = console.job("live", state="running", progress=0.1, task="background", created_at=ago(5), started_at=ago(4))
    other = console.job("other", created_at=ago(3))
    console.enter(API_KEY)
    opener = page.locator(f'[data-id="{id}"] .opener')
    opener.focus()
    place = opener.bounding_box()
    expect(page.locator(f'[data-id="{id}"]')).to_contain_text("10 %")
    console.tell("change", id=id, progress=0.57)
    expect(page.locator(f'[data-id="{id}"]')).to_contain_text("57 %")
    assert page.locator(f'[data-id="{id}"] progress').evaluate("bar => bar.value") == pytest.approx(0.57)
    console.tell("change", id=id, state="done", progress=1, ended_at=ago(0))
    expect(page.locator(f'[data-id="{id}"]')).to_contain_text("Done")
    expect(page.get_by_role("button", name="Done 1", exact=True)).to_be_visible()
    expect(page.locator("#news")).to_have_text("Remove background: done.")
    expect(opener).to_be_focused()
    assert opener.bounding_box() == place
    # Those that nobody follows are told of by the next poll.
    console.tell("change", id=other, state="failed", error={"code": "image_refused", "message": "Too large."})
    expect(page.locator(f'[data-id="{other}"]')).to_contain_text("image refused")


def test_the_events_of_the_opened_job_come_sooner_than_polls(console: Console) -> None:
    page = console.page
    id = console.job("followed", state="running", progress=0.1, task="background", created_at=ago(5), started_at=ago(4))
    console.enter(API_KEY, f"#job={id}")
    panel = page.get_by_role("complementary")
    expect(panel).to_contain_text("Remove background · 10 %")
    polls = sum("/v1/jobs?" in one.url for one in console.asked)
    for share in (0.2, 0.4, 0.6, 0.8):
        console.tell("change", id=id, progress=share)
        expect(panel).to_contain_text(f"{share * 100:.0f} %")
    assert sum("/v1/jobs?" in one.url for one in console.asked) - polls < 4


def test_a_waiting_job_is_cancelled_at_once_and_one_that_runs_when_asked_twice(console: Console) -> None:
    page = console.page
    waiting = console.job("waiting", created_at=ago(9))
    running = console.job("running", state="running", created_at=ago(8), started_at=ago(7))
    console.enter(API_KEY)
    page.locator(f'[data-id="{waiting}"]').get_by_role("button", name="Cancel:").click()
    expect(page.locator(f'[data-id="{waiting}"]')).to_contain_text("Cancelled")
    button = page.locator(f'[data-id="{running}"] .action')
    button.click()
    expect(button).to_have_text("Sure?")
    assert "Running" in row(console, running)
    button.click()
    expect(page.locator(f'[data-id="{running}"]')).to_contain_text("Cancelled")
    expect(button).to_be_focused()


def test_a_failed_job_says_why_and_is_begun_anew(console: Console) -> None:
    page = console.page
    id = console.job(
        "failed",
        state="failed",
        attempts=3,
        error={"code": "source_timeout", "message": "The source paused for 5 seconds."},
        created_at=ago(90),
        started_at=ago(80),
        ended_at=ago(70),
    )
    console.enter(API_KEY)
    page.locator(f'[data-id="{id}"]').click()
    panel = page.get_by_role("complementary")
    expect(panel).to_contain_text("The source paused for 5 seconds.")
    expect(panel).to_contain_text("There is no result.")
    panel.get_by_role("button", name="Retry").click()
    expect(page.locator(f'[data-id="{id}"]')).to_contain_text("Queued")
    expect(panel.get_by_role("button", name="Cancel:")).to_be_focused()


def test_before_and_after_lie_under_a_slider_that_keys_move(console: Console) -> None:
    page = console.page
    path = console.tell("keep", source="local:///cut.png", options="remove_background:1", result="cut.png")["path"]
    facts = {"providers": "grabcut", "width": 30, "height": 30, "bytes": 1500}
    id = console.job("pictures", state="done", source="local:///cut.png", path=path, facts=facts, created_at=ago(9))
    console.enter(API_KEY)
    assert not [one for one in console.asked if one.resource_type == "image" and "/plain/" in one.url]
    page.locator(f'[data-id="{id}"] .opener').click()
    panel = page.get_by_role("complementary")
    slider = panel.get_by_role("slider", name="Compare before and after")
    expect(slider).to_be_visible()
    expect(panel.get_by_text("Result: 30 × 30 pixels")).to_be_visible()
    expect(panel).to_contain_text("grabcut")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "51 % before, 49 % after")
    assert panel.locator(".frame").evaluate("frame => frame.style.getPropertyValue('--at')") == "51%"
    assert panel.get_by_role("link", name="Open result").get_attribute("href") == console.url + path
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel.get_by_role("button", name="Copy URL").click()
    expect(panel.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == console.url + path


def test_a_job_that_is_not_there_is_asked_for_once(console: Console) -> None:
    page = console.page
    console.enter(API_KEY, f"#job={'0' * 64}")
    panel = page.get_by_role("complementary")
    expect(panel.get_by_role("heading", name="There is no such job")).to_be_visible()
    expect(panel.get_by_role("alert")).to_contain_text("There is no job with this id")
    page.get_by_role("button", name="Done 0").click()
    expect(page.get_by_text("No job is done.")).to_be_visible()
    assert set(console.statuses) == {404}
    assert sum("/v1/jobs/000" in one.url for one in console.asked) <= 2


def test_while_it_is_pending_the_picture_before_is_shown_alone(console: Console) -> None:
    page = console.page
    id = console.job("pending", state="running", path="/x/plain/local:///a.jpg", created_at=ago(5), started_at=ago(4))
    console.enter(API_KEY, f"#job={id}")
    expect(page.get_by_alt_text("Before: the source")).to_be_visible()
    expect(page.get_by_text("Before. The result is being made.")).to_be_visible()
    expect(page.get_by_alt_text("After: the result")).to_be_hidden()


def test_a_picture_that_does_not_come_is_explained(console: Console) -> None:
    id = console.job("gone", state="failed", source="local:///gone.jpg", created_at=ago(5))
    console.enter(API_KEY, f"#job={id}")
    expect(console.page.get_by_text("The source cannot be shown:")).to_be_visible()
    assert set(console.statuses) == {404}


def test_a_job_is_ordered_and_a_mistake_is_told_at_its_field(console: Console) -> None:
    page = console.page
    console.enter(API_KEY)
    source = page.get_by_label("Source")
    source.fill("local:///a.jpg")
    expect(page.get_by_label("Options")).to_have_value("remove_background:1")
    page.get_by_label("Options").fill("remove_background:maybe")
    page.get_by_role("button", name="Order the job").click()
    expect(page.get_by_role("complementary").get_by_role("alert")).to_contain_text("maybe")
    page.get_by_label("Options").fill("upscale:2")
    page.get_by_role("button", name="Remove background", exact=True).click()
    expect(page.get_by_label("Options")).to_have_value("upscale:2 remove_background:1")
    page.get_by_label("Priority").fill("7")
    page.get_by_role("button", name="Order the job").click()
    panel = page.get_by_role("complementary")
    expect(panel.get_by_role("heading")).to_be_focused()
    expect(panel).to_contain_text("local:///a.jpg")
    expect(panel).to_contain_text("Priority7", use_inner_text=False)
    expect(page.locator("#rows .row")).to_have_count(1)


def test_basic_providers_and_missing_ones_are_named(console: Console) -> None:
    console.enter(API_KEY)
    expect(console.page.get_by_text("Basic providers are in use: Background (grabcut)")).to_be_visible()
    expect(console.page.get_by_role("listitem").filter(has_text="NSFW")).to_contain_text("Not set up")


def test_more_jobs_are_loaded_when_asked(console: Console) -> None:
    page = console.page
    for at in range(60):
        console.job(f"many{at}", created_at=ago(600 - at))
    console.enter(API_KEY)
    expect(page.locator("#rows .row")).to_have_count(50)
    page.get_by_role("button", name="Load more").click()
    expect(page.locator("#rows .row")).to_have_count(60)
    expect(page.get_by_role("button", name="Load more")).to_be_hidden()


def test_troubles_are_told_and_pass(console: Console) -> None:
    page = console.page
    id = console.job("kept", created_at=ago(60))
    console.enter(API_KEY)
    console.tell("broken", broken=True)
    trouble = page.get_by_role("alert").filter(has_text="The queue of jobs cannot be used now")
    expect(trouble).to_contain_text("What you see is from before.")
    assert "Remove background" in row(console, id)
    console.tell("broken", broken=False)
    page.get_by_role("button", name="Try now").click()
    expect(trouble).to_be_hidden()
    console.tell("spend", count=10**9)
    expect(page.get_by_role("alert").filter(has_text="wait 60 seconds")).to_be_visible()
    expect(page.locator("#pulse")).to_contain_text("Again in")
    console.tell("spend", count=0)
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#pulse")).to_have_text("Live")
    page.context.set_offline(True)
    expect(page.get_by_role("alert").filter(has_text="The server does not answer.")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#pulse")).to_have_text("Live")
    assert {429, 503} <= set(console.statuses)
    # The browser's own word for being offline.
    console.complaints = [one for one in console.complaints if "ERR_INTERNET_DISCONNECTED" not in one]


def test_all_of_it_can_be_done_with_keys(console: Console) -> None:
    page = console.page
    ids = [console.job(f"keys{at}", created_at=ago(60 - at)) for at in range(3)]
    console.enter(API_KEY)
    page.locator(f'[data-id="{ids[2]}"] .opener').focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(f'[data-id="{ids[1]}"] .opener')).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("complementary").get_by_role("heading")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(f'[data-id="{ids[1]}"] .opener')).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(f'[data-id="{ids[1]}"]')).to_contain_text("Cancelled")
    expect(page.locator(f'[data-id="{ids[1]}"] .action')).to_be_focused()


def test_a_narrow_window_has_all_of_it_and_nothing_to_scroll_sideways(browser: Browser, server: str) -> None:
    with looking(browser, server, width=360, height=740) as console:
        console.tell("clear")
        source = f"local:///{'very-long-' * 20}name.jpg"
        id = console.job("narrow", source=source, tasks=["background", "upscale:2", "faces"], created_at=ago(60))
        console.enter(API_KEY)
        page = console.page
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator(f'[data-id="{id}"] .opener').click()
        expect(page.get_by_role("dialog")).to_contain_text("name.jpg")
        # What is covered cannot be reached by keys either.
        expect(page.locator(".top")).to_have_js_property("inert", True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("button", name="Close the job").click()
        expect(page.locator(f'[data-id="{id}"] .opener')).to_be_focused()
        console.statuses.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_edges_of_what_can_be_used_are_seen_in_both_themes(browser: Browser, server: str, scheme: str) -> None:
    with looking(browser, server, color_scheme=scheme) as console:
        console.tell("clear")
        id = console.job("edges", created_at=ago(60))
        console.open()
        assert console.page.evaluate(FAINT_EDGES) == ALL_SEEN
        console.enter(API_KEY, f"#job={id}")
        expect(console.page.get_by_role("complementary")).to_be_visible()
        assert console.page.evaluate(FAINT_EDGES) == ALL_SEEN


def test_it_works_below_a_path_prefix(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path, "/img") as url, looking(browser, url, prefix="/img") as console:
        id = console.job("prefixed", created_at=ago(60))
        console.enter(API_KEY, f"#job={id}")
        expect(console.page.locator("#rows .row")).to_have_count(1)
        expect(console.page.get_by_alt_text("Before: the source")).to_be_visible()
        paths = {one.url.removeprefix(url) for one in console.asked if one.url.startswith(url)}
        assert all(path.startswith("/img/") for path in paths)


def test_texts_of_jobs_never_become_markup(console: Console) -> None:
    evil = "<img src=x onerror=alert(1)>"
    error = {"code": evil, "message": evil}
    id = console.job("evil", state="failed", source=f"local:///{evil}", owner=evil, error=error, facts={evil: evil})
    console.enter(API_KEY, f"#job={id}")
    panel = console.page.get_by_role("complementary")
    expect(panel).to_contain_text(evil)
    assert console.page.locator("img:not([alt])").count() == 0
    console.statuses.clear()
