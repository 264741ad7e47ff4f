"""The folder of a study, and where Optuna keeps its draws: a journal in the folder, or a database."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganlab import files
from ganlab.config import JSON_LIMIT, InvalidInput
from ganlab.studies.settings import Range, StudyConfig
from ganlab.training.folder import AnyRun

STUDY, JOURNAL, LOCKS = "study.json", "journal.log", "workers"
PATIENCE = 60.0  # seconds that another process may take to open the same folder
KEPT = ("the study in this folder is kept there, not in a database", "give the address of this study's database again")
NO_OPTUNA = 'needs Optuna: pip install "ganlab[study]"'


@dataclass(frozen=True)
class Book:
    """An open study: its folder and settings; for each preset its run, what is drawn of it, and Optuna's study."""

    folder: Path
    config: StudyConfig
    runs: dict[str, AnyRun]
    spaces: dict[str, tuple[Range, ...]]
    studies: dict[str, Any]


def opened(folder: Path, config: StudyConfig | None = None, storage: str | None = None) -> Book:
    """The study in `folder`, which is begun if it is new.

    `config` None takes what the folder holds. Without `storage`, the address of a database, Optuna keeps a journal in
    the folder. Raises `InvalidInput` where the folder or the database holds another study, or Optuna is missing.
    """
    optuna = the_optuna()
    if config is not None:
        _plans(config)  # a wrong range leaves no folder behind
    elif not (folder / STUDY).exists():
        raise InvalidInput("out", f"{folder} holds no study")
    with _alone(folder):
        held = read_study(folder) if (folder / STUDY).exists() else None
        if held and held.database != (storage is not None):
            raise InvalidInput("storage", KEPT[held.database])
        config = replace(config or held or StudyConfig(), database=storage is not None)
        if held not in (None, config):
            raise InvalidInput("out", f"{folder} holds another study; choose a new folder")
        plans = _plans(config)
        kept = _storage(folder, storage)
        pruner = {
            "none": optuna.pruners.NopPruner,
            "median": optuna.pruners.MedianPruner,
            "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=1),
        }[config.pruner]()
        studies = {
            preset: optuna.create_study(
                storage=kept, study_name=f"ganlab-{preset}", direction="minimize", load_if_exists=True, pruner=pruner
            )
            for preset in config.presets
        }
        for study in studies.values():
            _claim(study, config)
        if held is None:
            files.write_atomic(folder / STUDY, json.dumps(config.to_dict(full=True), indent=1).encode() + b"\n")
    return Book(folder, config, *plans, studies)


def read_study(folder: Path) -> StudyConfig:
    """The settings of the study in a folder; `InvalidInput` if its file is broken."""
    with open(folder / STUDY, "rb") as file:
        return StudyConfig.from_json(file.read(JSON_LIMIT + 1).decode(errors="replace"))


def the_optuna() -> Any:
    """The library Optuna; imported late, for it is slow, and other commands do without it."""
    try:
        import optuna
    except ModuleNotFoundError:
        raise InvalidInput("study", NO_OPTUNA) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # we say ourselves what happens
    return optuna


def _plans(config: StudyConfig) -> tuple[dict[str, AnyRun], dict[str, tuple[Range, ...]]]:
    """The run of each preset, and what is drawn of it."""
    runs = {preset: config.base(preset) for preset in config.presets}
    return runs, {preset: config.space(preset) for preset in config.presets}


def _claim(study: Any, config: StudyConfig) -> None:
    """Notes whose study this is; `InvalidInput` where it is that of other settings."""
    ours = config.to_dict(full=True)
    if study.user_attrs.get("settings", ours) != ours:
        raise InvalidInput("storage", f"holds another study named {study.study_name}")
    study.set_user_attr("settings", ours)


def _storage(folder: Path, address: str | None) -> Any:
    """Optuna's storage: a journal in the folder, or the database at that address."""
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
    from sqlalchemy.exc import SQLAlchemyError

    if address is None:
        path = str(folder / JOURNAL)
        return JournalStorage(JournalFileBackend(path, JournalFileOpenLock(path)))
    wait = {"connect_args": {"timeout": PATIENCE}} if address.startswith("sqlite") else {}
    try:
        return RDBStorage(address, engine_kwargs=wait)
    except (SQLAlchemyError, ImportError, ValueError) as error:  # whose texts may hold the password
        raise InvalidInput("storage", f"this database cannot be opened ({type(error).__name__})") from None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until no other process opens the folder."""
    deadline = time.monotonic() + PATIENCE
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(files.only_writer(folder / LOCKS / "opening"))
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise InvalidInput("out", f"another process has been opening {folder} for a minute") from None
                time.sleep(0.05)
        yield
