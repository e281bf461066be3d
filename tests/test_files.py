"""Files are whole or as they were, folders belong to one process, and errors name their path."""

import errno
import io
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from mine import reporting
from mine.reporting import commands, files

ROOT = pathlib.Path(__file__).parent.parent


def run(code, *arguments, **options):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, text=True, **options)


def hidden(folder):
    return sorted(path.name for path in folder.glob(".*"))


def test_a_file_is_replaced_when_the_block_ends_without_error(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), reporting.replacing(path) as temporary:
        temporary.write_text("new")
        raise ZeroDivisionError
    assert path.read_text() == "old" and not hidden(tmp_path)
    with reporting.replacing(path) as temporary:
        temporary.write_text("new")
        assert temporary.name.startswith(".") and ".tmp" in temporary.name
        assert path.read_text() == "old"
    assert path.read_text() == "new" and not hidden(tmp_path)


def test_a_new_file_has_the_permissions_that_others_have(tmp_path):
    before = os.umask(0o027)
    try:
        reporting.write(b"", tmp_path / "file")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_nothing_is_written_through_a_link(tmp_path):
    """Nor can a temporary name be guessed, and a link be laid in its place."""
    (tmp_path / "others").write_text("theirs")
    (tmp_path / "file").symlink_to("others")
    names = set()
    for _ in range(3):
        with reporting.replacing(tmp_path / "file") as temporary:
            names.add(temporary.name)
            temporary.write_text("mine")
    assert len(names) == 3 and not (tmp_path / "file").is_symlink()
    assert (tmp_path / "others").read_text() == "theirs"


@pytest.mark.parametrize("name", ["x" * 250, "ü" * 120, "[a]*?", "-x"])
def test_every_name_that_a_file_may_have_can_be_written(tmp_path, name):
    reporting.write(b"1", tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


LEAVE = """
import sys, time
from mine import reporting
with reporting.replacing(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("ready", flush=True)
    time.sleep(100)
"""


def test_what_a_dead_process_left_is_removed_and_that_of_a_living_one_is_not(tmp_path):
    path = tmp_path / "file"
    with run(LEAVE, path, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        (left,) = hidden(tmp_path)
        reporting.write(b"whole", path)
        assert hidden(tmp_path) == [left], "it is being written"
        process.kill()
    reporting.write(b"other", tmp_path / "file2")
    assert hidden(tmp_path) == [left], "it is of another file"
    reporting.write(b"new", path)
    assert not hidden(tmp_path) and path.read_bytes() == b"new"


@pytest.mark.parametrize("call", ["write_bytes", "fsync", "replace"])
@pytest.mark.parametrize("number", files.FULL)
def test_a_full_disk_is_told_with_the_path_and_leaves_what_was_there(
    tmp_path, monkeypatch, call, number
):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(pathlib.Path if call == "write_bytes" else os, call, fail)
    with pytest.raises(OSError, match=str(path)) as told:
        reporting.write_json({"new": 1}, path)
    monkeypatch.undo()
    assert told.value.errno == number and told.value.filename == str(path)
    said = commands.sentence(told.value)
    assert said.startswith(f"Cannot write {path}: ") and said.count(".") == str(path).count(".") + 1
    assert "files that were complete are unchanged" in said
    assert path.read_text() == "old" and not hidden(tmp_path)


def test_errors_of_other_files_keep_their_names(tmp_path):
    with pytest.raises(FileNotFoundError) as told, reporting.replacing(tmp_path / "file"):
        (tmp_path / "nowhere").read_bytes()
    assert told.value.filename == str(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError) as told:
        reporting.write(b"", tmp_path / "nowhere/file")
    assert "nowhere" in commands.sentence(told.value)
    # Our own sentences say all.
    assert commands.sentence(FileNotFoundError("No models.")) == "No models."
    assert "output" in commands.sentence(OSError(errno.ENOSPC, "No space left on device"))


# -- folders --------------------------------------------------------------------------------------

HOLD = """
import sys
from mine import reporting
with reporting.claim(sys.argv[1], sys.argv[2]):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("file", ["", "file.npz"])
def test_one_process_at_a_time_works_in_a_folder_or_on_a_file(tmp_path, file):
    folder = tmp_path / "runs"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with run(HOLD, folder, file, **pipes) as process:
        process.stdout.readline()
        told = rf"Another process works in {folder / file} \(process {process.pid}\): wait until"
        with pytest.raises(FileExistsError, match=told), reporting.claim(folder, file):
            pass
        with reporting.claim(folder, "another"):
            pass
        with reporting.claim(tmp_path / "other", file):
            pass
        process.stdin.close()
    assert not list(tmp_path.iterdir()), "folders that were made for nothing are gone"
    with reporting.claim(folder, file):
        (folder / "result").write_text("kept")
    assert [path.name for path in folder.iterdir()] == ["result"]


def test_a_process_that_was_killed_blocks_no_folder(tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with run(HOLD, tmp_path, "", **pipes) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert hidden(tmp_path) == [".lock"]
    with reporting.claim(tmp_path):
        pass
    assert not hidden(tmp_path)


def test_of_many_processes_one_has_a_folder(tmp_path):
    """They try until they had it; each finds the others' work whole."""
    code = (
        "import pathlib, sys, time\n"
        "from mine import reporting\n"
        "path = pathlib.Path(sys.argv[1], 'count')\n"
        "done = 0\n"
        "while done < 20:\n"
        "    try:\n"
        "        with reporting.claim(path.parent):\n"
        "            count = int(path.read_text()) if path.exists() else 0\n"
        "            time.sleep(0.001)\n"
        "            path.write_text(str(count + 1))\n"
        "            done += 1\n"
        "    except FileExistsError:\n"
        "        time.sleep(0.001)\n"
    )
    processes = [run(code, tmp_path / "of", stderr=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told
    assert (tmp_path / "of/count").read_text() == "80"


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path):
    (tmp_path / "others").write_text("theirs")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / ".lock").symlink_to("../others")
    with pytest.raises(OSError, match="lock"), reporting.claim(folder):
        pass
    assert (tmp_path / "others").read_text() == "theirs"


def test_errors_in_a_block_are_named_where_they_name_nothing(tmp_path):
    with pytest.raises(OSError) as told, reporting.named(tmp_path):
        raise OSError(errno.ENOSPC, "No space")
    assert told.value.filename == str(tmp_path)
    with pytest.raises(OSError) as told, reporting.named(tmp_path):
        raise io.UnsupportedOperation("Not a file.")
    assert told.value.filename is None


def test_a_folder_that_cannot_be_written_to_is_named_and_no_temporary_file(tmp_path, monkeypatch):
    def refuse(path, flags, *mode):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), os.fspath(path))

    monkeypatch.setattr(os, "open", refuse)
    for work, place in ((reporting.replacing(tmp_path / "x.png"), tmp_path / "x.png"),
                        (reporting.claim(tmp_path), tmp_path),
                        (reporting.claim(tmp_path, "x.npz"), tmp_path / "x.npz")):  # fmt: skip
        with pytest.raises(OSError, match="Read-only") as error, work:
            pass
        assert error.value.filename == str(place)
