"""A file of anybody's in the folder that somebody works in is never imported by what is started there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.daemon import Daemon

# The way of the console script: no working folder in the path of its own process.
CONSOLE = "import sys; from kubeai_notebook.local.__main__ import main; sys.exit(main())"
SESSION = "from kubeai_notebook.session.session import Session; print(len(Session(context='local').models()))"
MAGICS = ("%load_ext kubeai_notebook", "%config KubeAI.context = 'local'", "%kubeai_models")
PLANTED = ("yaml", "secrets", "queue", "aiohttp", "sitecustomize", "trustme", "kubeai_notebook")


@pytest.fixture
def planted(tmp_path):
    """A folder with modules of somebody else's, and the file in which they tell that they ran."""
    folder, trace = tmp_path / "shared", tmp_path / "trace"
    folder.mkdir()

    def plant(*names):
        for name in names:
            text = f"open({str(trace)!r}, 'a').write({name!r} + ' ran as uid ' + str(__import__('os').getuid()))\n"
            (folder / f"{name}.py").write_text(f"{text}raise ImportError('planted')\n")
        return folder, trace

    return plant


@pytest.fixture
def home(tmp_path):
    running = Daemon(tmp_path / "home")
    yield running.home
    running.stop()


def run(*command, folder, home):
    environment = {**os.environ, "KUBEAI_LOCAL_HOME": str(home), "IPYTHONDIR": str(home.parent / "ipython")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.finding("H1")
def test_starts_from_its_installation_only(planted, home):
    folder, trace = planted(*PLANTED)
    done = run(sys.executable, "-P", "-c", CONSOLE, "start", folder=folder, home=home)
    assert not trace.exists(), trace.read_text()
    assert (done.returncode, done.stdout) == (0, f"{home / 'kubeconfig'}\n"), done.stderr


@pytest.mark.finding("H1")
def test_is_started_by_a_script_from_its_installation_only(planted, home, tmp_path):
    folder, trace = planted(*PLANTED)
    script = tmp_path / "elsewhere.py"
    script.write_text(SESSION)
    done = run(sys.executable, str(script), folder=folder, home=home)
    assert not trace.exists(), trace.read_text()
    assert done.stdout == "0\n", done.stderr


@pytest.mark.finding("H1")
def test_is_started_by_a_magic_line_from_its_installation_only(planted, home):
    # A kernel has its folder in its own path, as every Python program's user expects; what it starts has not.
    folder, trace = planted("aiohttp", "trustme", "xllamacpp", "jsonpatch")
    done = run(sys.executable, "-m", "IPython", "--colors=nocolor", "-c", "\n".join(MAGICS), folder=folder, home=home)
    assert not trace.exists(), trace.read_text()
    assert (home / "kubeconfig").exists(), done.stdout + done.stderr
