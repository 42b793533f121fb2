"""Measurements leave nothing where version control looks."""

import tempfile

from benchmarks import scratch

ROOT = scratch.BASE.parent


def test_files_of_measurements_are_ignored_and_removed(monkeypatch, tmp_path):
    monkeypatch.setattr(scratch, "BASE", tmp_path / "scratch")
    for kind, base in (("ext4", tmp_path), ("tmpfs", tmp_path / "scratch")):
        monkeypatch.setattr(scratch, "filesystem_of", lambda _path, kind=kind: kind)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with scratch.scratch() as folder:
            (folder / "x").write_bytes(b"x")
            assert folder.parent == base
        assert not folder.exists()


def test_the_directory_beside_the_sources_is_ignored():
    assert f"/{scratch.BASE.name}/" in (ROOT / ".gitignore").read_text().splitlines()


def test_file_systems_are_told_by_the_innermost_mount():
    assert scratch.filesystem_of(ROOT / "benchmarks") not in ("proc", "sysfs")
    assert scratch.filesystem_of(scratch.Path("/proc/self")) == "proc"
