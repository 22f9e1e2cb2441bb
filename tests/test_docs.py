from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from imgserve.app.grammar import shipped_presets
from imgserve.cli.docs import PAGES
from imgserve.cli.main import COMMANDS
from imgserve.ops.catalog import CATALOG
from imgserve.settings import rows

ROOT = Path(__file__).parent.parent
PROSE = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("name", [name for name, _ in PAGES])
def test_generated_pages_are_current(name: str) -> None:
    assert read(f"docs/{name}") == dict(PAGES)[name](), "run scripts/docs"


def test_every_option_is_documented_with_all_its_names() -> None:
    page = read("docs/options.md")
    for name in CATALOG.by_name:
        assert f"`{name}`" in page


def test_every_setting_is_documented() -> None:
    page = read("docs/settings.md")
    assert [variable for _, variable, _ in rows() if f"`{variable}`" not in page] == []


def test_the_readme_has_every_preset() -> None:
    readme = read("README.md")
    assert [path.stem for path in shipped_presets().glob("*.toml") if f"`{path.stem}`" not in readme] == []


def test_the_commands_of_the_readme_exist() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", read("README.md"), re.DOTALL)
    scripts = re.findall(r"^scripts/[a-z]+", "\n".join(blocks), re.MULTILINE)
    assert scripts == ["scripts/serve", "scripts/test"]
    assert all((ROOT / script).stat().st_mode & 0o111 for script in scripts)
    used = re.findall(r"bin/imgserve ([a-z]+)", "\n".join(blocks))
    assert used
    assert set(used) <= set(COMMANDS)


def test_every_script_is_on_the_map() -> None:
    page = read("docs/architecture.md")
    scripts = [path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and path.stat().st_mode & 0o111]
    assert [name for name in scripts if f"`scripts/{name}`" not in page] == []


def test_every_dependency_has_its_line() -> None:
    page = read("docs/dependencies.md")
    project = tomllib.loads(read("pyproject.toml"))
    extras = [one for extra in project["project"]["optional-dependencies"].values() for one in extra]
    wanted = [*project["project"]["dependencies"], *extras, *project["dependency-groups"]["dev"]]
    names = [re.split(r"[\[<>=;! ]", requirement)[0] for requirement in wanted]
    assert [name for name in names if not re.search(rf"`{re.escape(name)}(\[[a-z]+\])?`", page)] == []


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text("utf-8")):
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_settings_that_prose_names_exist(page: Path) -> None:
    known = {variable for _, variable, _ in rows()}
    named = set(re.findall(r"IMGSERVE_[A-Z0-9_]*[A-Z0-9]", page.read_text("utf-8")))
    assert {name for name in named if name not in known} == set()


def test_the_lock_file_names_the_public_registry_only() -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", read("uv.lock")))
    assert hosts <= {"pypi.org", "files.pythonhosted.org"}
