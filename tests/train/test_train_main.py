import subprocess
import sys

from train.__main__ import main


def test_an_explained_error_is_one_sentence_and_status_2(capsys):
    assert main(["sft", "--recipe", "nowhere.yaml"]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("No recipe at 'nowhere.yaml'")
    assert captured.err.count("\n") == 1


def test_help_is_given_without_loading_torch():
    code = (
        "import sys; from train.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert "python -m train base" in finished.stdout
