"""Publishing on the command line, and the page about it: what it shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from armillary.demo.cubes import make_cubes
from armillary.demo.svo import Fault, Kind, Svo, User, a_dataset, running
from armillary.settings import SvoSettings
from tests.support.command import ENVIRONMENT, PATIENCE_S, Commands, Said, awake
from tests.support.svo import KEY, OWNER, a_world

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "svo.md").read_text()
SESSIONS = re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SETTINGS = re.findall(r"^`(archive/armillary\.toml)`\n```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
URL = "http://127.0.0.1:8765/service/api/svo"
README = (DOCS.parent / "README.md").read_text()


def parts(session: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a session with what they print."""
    for part in session.removeprefix("$ ").split("\n$ "):
        command, _, shown = part.rstrip("\n").partition("\n")
        yield command, shown


def agrees(out: str, shown: str) -> bool:
    """Tell whether a page shows what was printed; a line of three dots stands for lines that it leaves out."""
    pattern = "".join(
        "(?:.+\n)+" if line == "...\n" else re.escape(line) for line in shown.splitlines(keepends=True)
    )
    return re.fullmatch(pattern, out) is not None


class Player:
    """A directory in which the page is followed, with the server at another port."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.environment = directory, dict(ENVIRONMENT)
        self.server: subprocess.Popen[str] | None = None
        self.url = ""

    def play(self, session: str) -> None:
        """Do what a session says and compare what is printed."""
        for command, shown in parts(session):
            if command.endswith("&"):
                self._serve(command.removesuffix("&").split(), shown)
            elif command.startswith("export "):
                said = dict(word.split("=", 1) for word in command.split()[1:])
                self.environment |= {name: value.replace(URL, self.url) for name, value in said.items()}
            else:
                said = self.said(command)
                assert agrees(said.out, f"{shown}\n" if shown else ""), (command, said)

    def said(self, command: str) -> Said:
        """Run a command of the page."""
        words = [sys.executable, *command.split()[1:]]
        if command.startswith("armillary "):
            words[1:1] = ["-m", "armillary"]
        done = subprocess.run(
            words,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Said(done.stdout, done.stderr, done.returncode)

    def _serve(self, words: list[str], shown: str) -> None:
        words[words.index("--port") + 1] = "0"
        self.server = subprocess.Popen(
            [sys.executable, *words[1:]], cwd=self.directory, stdout=subprocess.PIPE, text=True
        )
        assert self.server.stdout is not None
        ready, self.url = self.server.stdout.readline().split()
        assert (ready, self.url.rpartition("127.0.0.1:")[2].partition("/")[2]) == ("ready", "service/api/svo")
        assert shown == f"ready {URL}"


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    one = Player(tmp_path_factory.mktemp("page"))
    yield one
    if one.server is not None:
        one.server.terminate()
        one.server.communicate(timeout=PATIENCE_S)


def test_the_page_leads_to_records_and_back(player: Player) -> None:
    first, *others, last = SESSIONS
    player.play(first)
    ((place, text),) = SETTINGS
    (player.directory / place).parent.mkdir()
    (player.directory / place).write_text(text)
    for session in others:
        player.play(session)
    (player.directory / place).write_text(text.replace('CRISP = "CRISP"', 'NOBODY = "CRISP"'))
    player.play(last)
    key = (player.directory / "svo.key").read_text().strip().partition(":")[2]
    assert len(key) == 40
    assert key not in PAGE


def test_the_overview_shows_what_the_page_shows() -> None:
    section = README.partition("## Publish to the SOLARNET Virtual Observatory\n")[2].partition("\n## ")[0]
    shown = [
        part for one in re.findall(r"^```console\n(.*?)^```", section, re.M | re.S) for part in parts(one)
    ]
    known = [part for session in SESSIONS for part in parts(session)]
    assert len(shown) >= 2
    assert [one for one in shown if one not in known] == []


def test_the_page_names_every_option_and_setting() -> None:
    missing = [
        name for name in SvoSettings.model_fields if f"svo.{name}" not in PAGE and f"{name} = " not in PAGE
    ]
    assert missing == ["timeout_s", "retry_first_s", "retry_last_s"]


@dataclass
class Shell:
    """Commands on an archive that publishes, and the server."""

    commands: Commands
    svo: Svo

    def run(self, *words: str, code: int = 0, **environment: str) -> Said:
        """Run a command; no key may ever be in what it says."""
        env = {**ENVIRONMENT, **self.commands.environment, **environment}
        said = self.commands.run(*words, code=code, env=env)
        assert self.svo.keys_in(said.out, said.err) == []
        return said


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """Return an archive with the cubes of a day."""
    top = tmp_path_factory.mktemp("archive")
    make_cubes(top / "day")
    commands = Commands(top / "data")
    with awake(commands.data):
        commands.run("ingest", top / "day")
        _configure(commands)
        yield commands


def _configure(commands: Commands) -> None:
    (commands.data / "armillary.toml").write_text(
        '[svo]\ndatasets = { CHROMIS = "CHROMIS", CRISP = "CRISP" }\npublic_url = "https://archive.example"\n'
        "retry_first_s = 0.01\nretry_last_s = 0.1\n"
    )


@pytest.fixture
def shell(archive: Commands) -> Iterator[Shell]:
    with running(a_world(a_dataset("CHROMIS"), a_dataset("CRISP"))) as svo:
        told = {"SVO_API_URL": svo.url, "SVO_USERNAME": OWNER.name, "SVO_API_KEY": KEY}
        yield Shell(Commands(archive.data, told), svo)


def test_every_name_of_the_commands_does_the_same(shell: Shell) -> None:
    answers = [
        shell.run("publish", "svo", "sync", "--dry-run").out,
        shell.run("sync_with_svo", "--dry-run").out,
    ]
    script = [
        str(Path(sys.executable).with_name("sync_with_svo")),
        "--dry-run",
        "--data",
        str(shell.commands.data),
    ]
    done = subprocess.run(
        script,
        env=ENVIRONMENT | shell.commands.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    answers.append(done.stdout)
    assert len(set(answers)) == 1, done.stderr
    assert "3 created" in answers[0]
    assert set(shell.svo.counts()) == {"GET"}
    assert shell.run("submit_to_svo", "--all", "--json").json()["totals"]["created"] == 3
    other = subprocess.run(
        [script[0].replace("sync_with", "submit_to"), "--all", "--data", str(shell.commands.data)],
        env=ENVIRONMENT | shell.commands.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert "3 unchanged" in other.stdout, other.stderr


def test_json_holds_everything(shell: Shell) -> None:
    dry = shell.run("publish", "svo", "sync", "--dry-run", "--json").json()
    assert set(dry) == {"dry_run", "totals", "datasets"}
    names = ["created", "updated", "deleted", "unchanged", "skipped", "failed"]
    assert (dry["dry_run"], sorted(dry["totals"])) == (True, sorted(names))
    assert shell.svo.writes == []
    wet = shell.run("publish", "svo", "sync", "--json").json()
    assert (wet["dry_run"], wet["totals"]) == (False, dry["totals"])
    (one,) = wet["datasets"][1]["steps"]
    assert (one["action"], one["outcome"], one["oid"]) == (
        "create",
        "created",
        "2026-06-21T08:10:00_6563_0-1",
    )


def test_exit_codes_say_how_it_went(shell: Shell) -> None:
    sync = ("publish", "svo", "sync")
    assert "svo_key_missing" in shell.run(*sync, code=2, SVO_API_KEY="").err
    assert "svo_not_configured" in shell.run(*sync, code=2, SVO_API_URL="").err
    assert "svo_away" in shell.run(*sync, code=2, SVO_API_URL="http://127.0.0.1:9/api").err
    refused = shell.run(*sync, code=2, SVO_API_KEY="not-the-key")
    assert all(word in refused.err for word in ("key", "permission", "group"))
    assert refused.err.count("(401)") == 1, "one message for all datasets"
    assert "not-the-key" not in refused.out + refused.err
    assert shell.run(*sync, "--max-deletes", "many", code=2)
    assert shell.run("publish", "svo", "submit", code=2)
    assert shell.svo.world.records == {"CHROMIS": {}, "CRISP": {}}
    assert "no product here" in shell.run("publish", "svo", "submit", "nothing", code=1).err
    shell.svo.fail(Fault(Kind.STATUS, "POST", status=400))
    assert "1 failed" in shell.run(*sync, code=1).out
    shell.run(*sync)
    shell.svo.world.seed("CRISP", [f"n{at}" for at in range(11)])
    assert "deletions refused: 11 records" in shell.run(*sync, code=1).err
    assert "11 deleted" in shell.run(*sync, "--max-deletes", "11").out
    assert shell.run(*sync, "--dataset", "NONE", code=2)


def test_a_key_is_read_from_a_file_of_its_own(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "svo.key"
    file.write_text(f"{OWNER.name}:{KEY}\n")
    file.chmod(0o640)
    told = {"SVO_API_KEY": "", "SVO_USERNAME": "", "SVO_API_KEY_FILE": str(file)}
    assert "chmod 600" in shell.run("publish", "svo", "sync", code=2, **told).err
    assert "chmod 600" in shell.run("publish", "svo", "sync", "--dry-run", code=2, **told).err
    file.chmod(0o600)
    assert "3 created" in shell.run("publish", "svo", "sync", **told).out


def test_keys_stand_in_no_log(shell: Shell) -> None:
    shell.svo.fail(Fault(Kind.DROP_AFTER, "POST"))
    shell.svo.fail(Fault(Kind.STATUS, "PATCH", status=503))
    said = shell.run("publish", "svo", "sync", ARMILLARY_LOG="DEBUG", PYTHONASYNCIODEBUG="0")
    assert "3 created" in said.out


def test_a_user_of_another_group_is_told_what_may_be_wrong(shell: Shell) -> None:
    shell.svo.world.users[OWNER.name] = User(OWNER.name, KEY, groups=frozenset())
    assert "group of the dataset" in shell.run("publish", "svo", "sync", code=2).err


def holders_of(secret: str, *, below: int) -> set[str]:
    """Return the commands among the children of a process that have a secret in their environment."""
    children = Path(f"/proc/{below}/task/{below}/children").read_text().split()
    found = {}
    for child in children:
        words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
        if "armillary" in words:
            name = words[words.index("armillary") + 1]
            found[name] = secret in Path(f"/proc/{child}/environ").read_text()
    assert {"serve", "worker"} <= set(found)
    return {name for name, has in found.items() if has}


def test_a_worker_syncs_by_itself_and_status_tells_of_a_failure(archive: Commands) -> None:
    with running(a_world(a_dataset("CHROMIS"), a_dataset("CRISP"))) as svo:
        told = {
            "SVO_API_URL": svo.url,
            "SVO_USERNAME": OWNER.name,
            "SVO_API_KEY": KEY,
            "ARMILLARY_SVO__SYNC_EVERY": "1",
        }
        svo.fail(Fault(Kind.STATUS, "POST", status=400))
        commands = Commands(archive.data, told)
        with commands.up() as (process, _):
            assert holders_of(KEY, below=process.pid) == {"worker"}
            end = time.monotonic() + PATIENCE_S
            while sum(map(len, svo.world.records.values())) < 3 and time.monotonic() < end:
                time.sleep(0.1)
            failures = commands.run("status", "--json").json()["failures"]
        assert sum(map(len, svo.world.records.values())) == 3
        assert [one["kind"] for one in failures] == ["svo_sync"]
