"""The house rules that no linter knows."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("srllm", "human_eval", "train", "eval")
SOURCES = [ROOT / "app.py", *(f for p in PACKAGES for f in sorted((ROOT / p).rglob("*.py")))]


def imported_names(tree: ast.Module) -> set[str]:
    """Every module that a file imports, at any depth."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def plain_eval_imports(tree: ast.Module) -> list[str]:
    return [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.split(".")[0] == "eval" and alias.asname is None
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_module_shadows_the_builtin_eval(path: Path) -> None:
    # `import eval.x` rebinds the builtin; `from eval.x import name` does not.
    assert plain_eval_imports(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_the_shadowing_check_sees_a_shadowing_import() -> None:
    assert plain_eval_imports(ast.parse("import eval.metrics")) == ["eval.metrics"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_app_imports_a_screen(path: Path) -> None:
    if path == ROOT / "app.py" or path.parent.name == "ui":
        return
    names = imported_names(ast.parse(path.read_text(encoding="utf-8")))
    assert not [name for name in names if "ui" in name.split(".")]


def test_no_package_among_the_tests() -> None:
    # tests/eval/__init__.py would make a second package named `eval`.
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_no_screen_is_needed_to_import_a_package() -> None:
    for path in SOURCES:
        if path == ROOT / "app.py" or path.parent.name == "ui":
            continue
        names = imported_names(ast.parse(path.read_text(encoding="utf-8")))
        assert "gradio" not in {name.split(".")[0] for name in names}, path
