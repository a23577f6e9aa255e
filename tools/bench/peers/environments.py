"""Where the peers are: throw-away virtual environments, outside the repository and made once, or this Python."""

import os
import pathlib
import shutil
import subprocess
import sys

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "tessera" / "peers"


class Unavailable(Exception):
    """A peer that cannot be installed: the comparison goes on without it and says so."""


def environment(name, requirements):
    """A virtual environment with `requirements`, anything that pip installs; returns its Python."""
    folder = CACHE / name
    python, done = folder / "bin" / "python", folder / "requirements"
    wanted = "\n".join(requirements)
    if done.exists() and done.read_text() == wanted:
        return python
    print(f"making {folder}: {', '.join(requirements)}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    installed = subprocess.run([*pip, *requirements], stderr=subprocess.PIPE, text=True)
    if installed.returncode != 0:
        shutil.rmtree(folder)
        raise Unavailable(installed.stderr.strip().splitlines()[-1])
    done.write_text(wanted)
    return python


def own_python(modules):
    """The Python that runs this, if it has `modules`."""
    imported = subprocess.run(
        [sys.executable, "-c", f"import {', '.join(modules)}"], stderr=subprocess.PIPE, text=True
    )
    if imported.returncode != 0:
        raise Unavailable(imported.stderr.strip().splitlines()[-1])
    return pathlib.Path(sys.executable)


def mpiexec(python):
    """The launcher of the environment's own MPI, else the machine's."""
    own = python.parent / "mpiexec"
    found = own if own.exists() else shutil.which("mpiexec")
    if not found:
        raise Unavailable("no mpiexec in the environment or on the PATH")
    return found
