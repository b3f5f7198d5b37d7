# What a developer types. `make` alone prints what there is.

# The newest Python the wheels of the embedded servers are made for.
PYTHONS := python3.14 python3.13 python3.12 python3.11 python3
BIN := .venv/bin
ARGS :=
MINUTES := 20
SETUP := embedded
SEED :=

.DEFAULT_GOAL := help
.PHONY: help run test check bench soak clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile

run: .venv/run.stamp ## start everything on this machine: http://127.0.0.1:8000 (Ctrl-C stops it)
	@exec $(BIN)/python -m bridge up

test: .venv/dev.stamp ## run the tests (ARGS="-k holds -x")
	@exec $(BIN)/python -m pytest $(ARGS)

check: .venv/dev.stamp ## lint, formatting, types, who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/dev.stamp ## measure how fast it is
	@exec $(BIN)/python -m benchmarks $(ARGS)

soak: .venv/dev.stamp ## break everything at random for MINUTES=20, SETUP=embedded|rabbitmq|redis, SEED= to repeat
	@exec $(BIN)/python -m tests.faults.soak --minutes $(MINUTES) --setup $(SETUP) $(if $(SEED),--seed $(SEED))

clean: ## remove .venv and caches; keeps var/, which holds the data
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is older than its requirements exactly when there is something to install.
.venv/run.stamp: requirements.txt
	@$(find-python); $(make-venv)
	@echo "installing requirements.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt .venv/run.stamp
	@echo "installing requirements-dev.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# The first that fits and can make environments; Debian's cannot without a package of its own.
define find-python
python=; unable=; \
for name in $(PYTHONS); do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || continue; \
	if $$name -c 'import ensurepip, venv' 2>/dev/null; then python=$$name; break; fi; \
	unable=$$name; \
done; \
if [ -z "$$python" ] && [ -n "$$unable" ]; then \
	echo "$$unable cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
elif [ -z "$$python" ]; then \
	echo "The bridge needs Python 3.11 to 3.14; none of these is one: $(PYTHONS)" >&2; exit 1; \
fi
endef

# A .venv whose Python is gone or too old, or that was half made, is made anew.
define make-venv
if ! $(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	echo "making .venv with $$python"; \
	$$python -m venv --clear .venv || exit 1; \
fi
endef
