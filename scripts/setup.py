#!/usr/bin/env python3
"""Set Scriba up in `.venv`: check the machine, install the locked packages, put `scriba` beside them.

    python3 scripts/setup.py            what `scriba serve` needs
    python3 scripts/setup.py --dev      what `make test` needs as well

What follows `--` are the options that `scriba serve` is going to get. Needs nothing but Python 3.11; the file itself
can be read by older ones from 3.7 on, so that they can say what is missing. What is installed already is left alone,
so that a second run takes a moment and no network.
"""

import argparse
import errno
import hashlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "installed.txt"

RUN_LOCK = "requirements.lock"
DEV_LOCK = "requirements-dev.lock"
OLDEST = (3, 11)
PYTHONS = ("python3.14", "python3.13", "python3.12", "python3.11")
MEGABYTES = {RUN_LOCK: 400, DEV_LOCK: 1200}


class SetupError(Exception):
    """Something that the person at the keyboard has to mend: what is wrong, and the remedy."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what + "\n  " + remedy)


def main() -> int:
    """Set up, or say in two lines why not."""
    parser = argparse.ArgumentParser(description="Set Scriba up in .venv.")
    parser.add_argument("--dev", action="store_true", help="also what the tests need")
    parser.add_argument("serve", nargs="*", metavar="OPTION", help="after --: the options that `scriba serve` gets")
    given = parser.parse_args()
    lock = DEV_LOCK if given.dev else RUN_LOCK
    try:
        find_python()
        check_venv()
        check_writable()
        check_disk(MEGABYTES[lock])
        if lock == RUN_LOCK:
            check_port(*address(given.serve))
        make_venv()
        install(lock)
        write_launcher()
    except SetupError as error:
        print(f"Scriba cannot be set up: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on.", file=sys.stderr)
        return 130
    return 0


def find_python() -> None:
    """Go on under a Python that is new enough, if this one is not."""
    if sys.version_info >= OLDEST:
        return
    for name in PYTHONS:
        path = shutil.which(name)
        if path and works(path):
            os.execv(path, [path, str(Path(__file__).resolve()), *sys.argv[1:]])
    raise SetupError(
        f"it needs Python 3.11 or newer; this is {sys.version_info[0]}.{sys.version_info[1]}.",
        "Install one, e.g. `apt-get install python3.11`, `brew install python` or from python.org.",
    )


def works(python: str) -> bool:
    """Whether this is a Python that starts and is new enough; a version manager's stand-in may not."""
    probe = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    return subprocess.call([python, "-c", probe], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def check_venv() -> None:
    """Debian ships `venv` without what it needs, in a package of its own."""
    if PYTHON.exists() or shutil.which("uv"):
        return
    try:
        import ensurepip  # noqa: F401, PLC0415  # only a try tells
        import venv  # noqa: F401, PLC0415
    except ImportError:
        raise SetupError(
            "this Python cannot make virtual environments.",
            f"On Debian and Ubuntu: apt-get install python{sys.version_info[0]}.{sys.version_info[1]}-venv",
        ) from None


def check_writable() -> None:
    """Make sure that the environment can be put into the project's folder, which may belong to somebody else."""
    folder = VENV if VENV.exists() else ROOT
    if not os.access(str(folder), os.W_OK | os.X_OK):
        raise SetupError(
            f"{folder} cannot be written to.",
            "Let the user who runs this write there, or copy the project to a folder of its own.",
        )


def check_disk(megabytes: int) -> None:
    """Make sure that the packages and a first log fit."""
    free = shutil.disk_usage(str(ROOT)).free // 2**20
    if free < megabytes and not STAMP.exists():
        raise SetupError(
            f"{ROOT} has {free} MB free; setting up takes {megabytes} MB.",
            "Make room there, or move the folder to a larger disk.",
        )


def check_port(host: str, port: int) -> None:
    """Make sure that the port is free before anything is downloaded."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(os.name == "posix"))
            listener.bind((host, port))
            listener.listen()
    except OSError as error:
        raise SetupError(
            f"it cannot listen on {host} port {port} ({error.strerror}).", remedy_for(error.errno)
        ) from error


def remedy_for(number: "int | None") -> str:
    """Say what to do about a port that cannot be had."""
    if number == errno.EADDRINUSE:
        return "Stop what uses it (is Scriba running already?), or choose another: SCRIBA_PORT=2729 make run"
    if number == errno.EACCES:
        return "Ports below 1024 need root. Choose another: SCRIBA_PORT=2729 make run"
    return "Set `host` in scriba.toml or SCRIBA_HOST to an address of this machine, e.g. 127.0.0.1."


def address(arguments: "list[str]") -> "tuple[str, int]":
    """Return host and port as `scriba serve` will have them with these options; what is malformed, it explains."""
    import tomllib  # noqa: PLC0415  # not in the Pythons that can read this file

    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--host", default=os.environ.get("SCRIBA_HOST"))
    options.add_argument("--port", default=os.environ.get("SCRIBA_PORT"))
    options.add_argument("--config", default=os.environ.get("SCRIBA_CONFIG") or "scriba.toml")
    given, _ = options.parse_known_args(arguments)
    found = {}
    for path in (ROOT / "src/scriba/settings/defaults.toml", Path(given.config)):
        try:
            found.update(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    port = given.port or str(found["port"])
    return given.host or str(found["host"]), int(port) if port.isdecimal() else 0


def make_venv() -> None:
    """Make `.venv`, unless there is one that starts and is new enough."""
    if PYTHON.exists() and works(str(PYTHON)):
        return
    say(f"Making .venv with Python {sys.version_info[0]}.{sys.version_info[1]} ...")
    uv = shutil.which("uv")
    command = [uv, "venv", "--quiet", "--clear", "--python"] if uv else [sys.executable, "-m", "venv", "--clear"]
    run(
        [*command, *([sys.executable] if uv else []), str(VENV)],
        "Remove the folder .venv if it is there, and run this again.",
    )


def install(lock: str) -> None:
    """Install what the lock names, with its hashes, unless this very lock is installed already."""
    wanted = fingerprint(lock)
    installed = STAMP.read_text(encoding="utf-8").split("\n") if STAMP.exists() else []
    if wanted in installed:
        return
    count = sum(1 for line in (ROOT / lock).read_text(encoding="utf-8").split("\n") if line[:1].isalpha())
    say(f"Installing up to {count} packages of {lock} into .venv, once ...")
    STAMP.unlink(missing_ok=True)  # an install that is interrupted must be done again
    uv = shutil.which("uv")
    if uv:
        command = [uv, "pip", "install", "--python", str(PYTHON), "--require-hashes", "-r", str(ROOT / lock)]
        run(command, "Is the network there? Run this again.")
    else:
        install_by_pip(lock, count)
    # The lock for tests holds the one for running (a test sees to it).
    locks = [RUN_LOCK, DEV_LOCK] if lock == DEV_LOCK else [RUN_LOCK]
    STAMP.write_text("\n".join(fingerprint(name) for name in locks) + "\n", encoding="utf-8")


def fingerprint(lock: str) -> str:
    """Return a line that changes with the lock."""
    return f"{hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()}  {lock}"


def install_by_pip(lock: str, count: int) -> None:
    """Install by the environment's own pip, counting packages as it goes."""
    if subprocess.call([str(PYTHON), "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        run([str(PYTHON), "-m", "ensurepip"], "Remove the folder .venv and run this again.")
    command = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
    ]
    command += ["--require-hashes", "-r", str(ROOT / lock)]
    said = []
    done = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        for line in pip.stdout or ():
            said.append(line.rstrip())
            if line.startswith("Collecting "):
                done += 1
                show(f"  {done} of {count}: {line.split()[1]}")
            elif line.startswith("Installing "):
                show(f"  unpacking {done} packages")
    show("", last=True)
    if pip.returncode:
        raise SetupError("pip stopped with:\n    " + "\n    ".join(said[-6:]), "Is the network there? Run this again.")


def write_launcher() -> None:
    """Let the environment find `src`, and make `scriba` a command of it.

    No build and no network: a path file and a line of shell do what an editable install would.
    """
    for folder in (VENV / "Lib", *(VENV / "lib").glob("python3*")):
        packages = folder / "site-packages"
        if packages.is_dir():
            write_if_changed(packages / "scriba-source.pth", f"{ROOT / 'src'}\n")
    if os.name == "nt":
        write_if_changed(BIN / "scriba.cmd", f'@"{PYTHON}" -m scriba %*\r\n')
        return
    launcher = BIN / "scriba"
    write_if_changed(launcher, f'#!/bin/sh\nexec {shlex.quote(str(PYTHON))} -m scriba "$@"\n')
    launcher.chmod(0o755)


def write_if_changed(path: Path, text: str) -> None:
    """Write a file, unless it is so already."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def run(command: "list[str]", remedy: str) -> None:
    """Run a program that must succeed. Ctrl-C is for us alone, since its traceback would be of no use to anybody."""
    with subprocess.Popen(command, cwd=str(ROOT), start_new_session=True) as program:
        try:
            code = program.wait()
        except KeyboardInterrupt:
            stop(program)
            raise
    if code:
        raise SetupError(f"{Path(command[0]).name} ended with code {code}.", remedy)


def stop(program: "subprocess.Popen[bytes]") -> None:
    """Stop a program and those that it started."""
    if os.name == "nt":
        program.terminate()
    else:
        os.killpg(program.pid, signal.SIGTERM)


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def show(text: str, *, last: bool = False) -> None:
    """Show progress: over the same line on a terminal, line by line elsewhere."""
    if not sys.stdout.isatty():
        if text:
            say(text)
        return
    width = shutil.get_terminal_size().columns - 1
    print("\r" + text[:width].ljust(width), end="\n" if last else "", flush=True)


if __name__ == "__main__":
    sys.exit(main())
