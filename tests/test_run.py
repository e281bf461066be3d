"""The runner of all tests: a process a file, and no failure is lost."""

import re
import subprocess

import pytest
import run


@pytest.fixture
def folder(tmp_path):
    """Three files of tests, one of them in tests/fuzz."""
    (tmp_path / "fuzz").mkdir()
    (tmp_path / "test_a.py").write_text("")
    (tmp_path / "test_b.py").write_text("@pytest.mark.slow\n")
    (tmp_path / "fuzz/test_c.py").write_text("")
    (tmp_path / "toys.py").write_text("")
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """What pytest is asked for, in order; a file ends with the status that its letter has."""
    calls, statuses = [], {}

    def answer(module, *words, timeout, **variables):
        calls.append((module, *words))
        status = next((statuses[k] for k in statuses if f"test_{k}.py" in words[-1]), 0)
        return subprocess.CompletedProcess(words, status, f"said of {words[-1]}", "")

    monkeypatch.setattr(run.commands, "run", answer)
    monkeypatch.setattr(run.os, "cpu_count", lambda: 1)
    return calls, statuses


def test_a_folder_is_each_of_its_files_the_slow_ones_first(folder, asked, capsys):
    assert run.main([str(folder), "-m", "not slow"]) == 0
    files = [words[-1] for words in asked[0]]
    assert files == [str(folder / name) for name in ("test_b.py", "test_a.py", "fuzz/test_c.py")]
    assert all(words[:-1] == ("pytest", "-q", "-m", "not slow") for words in asked[0])
    printed = capsys.readouterr().out
    assert all(f"said of {file}" in printed for file in files)
    assert "3 of 3 files passed" in printed


def test_without_files_all_are_run(asked):
    assert run.main(["-x"]) == 0
    files = {run.ROOT / words[-1] for words in asked[0]}
    assert files == {*run.ROOT.glob("tests/test_*.py"), *run.ROOT.glob("tests/fuzz/test_*.py")}
    first = [words[-1].rpartition("/")[2] for words in asked[0][: len(run.LONG)]]
    assert set(first) == set(run.LONG)


def test_a_file_that_does_not_exist_is_told_once(folder, asked):
    with pytest.raises(SystemExit, match="expected a file of tests; received .*test_d.py::test_0"):
        run.main([str(folder / "test_a.py"), str(folder / "test_d.py::test_0")])
    assert not asked[0]


def test_tests_of_one_file_share_its_process(folder, asked):
    of_a = [f"{folder / 'test_a.py'}::test_{number}" for number in range(2)]
    assert run.main([*of_a, str(folder / "test_b.py")]) == 0
    assert [words[2:] for words in asked[0]] == [(str(folder / "test_b.py"),), tuple(of_a)]


def test_seconds_of_processor_time_are_those_of_a_file_and_of_its_commands(tmp_path, capsys):
    """Of those that it waits for, and of those that the server of commands waits for."""
    burn = "end = time.process_time() + {}\nwhile time.process_time() < end:\n    pass\n"
    (tmp_path / "burn.py").write_text("import time\n" + burn.format(0.5))
    (tmp_path / "test_a.py").write_text(
        "import subprocess, sys, time, commands\n" + burn.format(0.5) + "def test_a():\n"
        f"    commands.run({str(tmp_path / 'burn.py')!r})\n"
        f"    subprocess.run([sys.executable, {str(tmp_path / 'burn.py')!r}])\n"
    )
    (tmp_path / "test_b.py").write_text("def test_b():\n    pass\n")
    assert run.main([str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    longest = re.findall(r"^ +([0-9.]+) s .*(test_.)\.py$", printed, flags=re.MULTILINE)
    assert [name for _, name in longest] == ["test_a", "test_b"]
    assert float(longest[0][0]) >= 1.5
    assert f"{longest[0][0]} s of processor time in " in printed


@pytest.mark.parametrize(("status", "said"), [(1, "status 1"), (2, "status 2"), (-9, "signal 9")])
def test_a_file_that_fails_or_is_killed_is_named(folder, asked, capsys, status, said):
    asked[1].update(a=status)
    assert run.main([str(folder)]) == 1
    printed = capsys.readouterr().out
    assert f"FAILED {folder / 'test_a.py'}: {said}" in printed
    assert "2 of 3 files passed" in printed and len(asked[0]) == 3


def test_files_of_which_no_test_is_asked_for_are_no_failure_unless_all_are_such(folder, asked):
    asked[1].update(a=run.NO_TESTS, b=run.NO_TESTS)
    assert run.main([str(folder)]) == 0
    asked[1].update(c=run.NO_TESTS)
    assert run.main([str(folder)]) == 1
