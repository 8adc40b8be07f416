.DEFAULT_GOAL := help
SHELL := /bin/sh
.DELETE_ON_ERROR:

BIN := .venv/bin
STAMP := .build/stamp
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/scripts/bin:$(PATH)
export SOLCX_BINARY_PATH := $(CURDIR)/scripts
export APE_SILENCE_WARNINGS := 1

CONTRACTS := $(shell find contracts -name '*.sol')

.PHONY: help setup demo test test-contracts test-bot test-long chaos check-deploy lint format slither prove mutants fuzz node deploy keeper bench-domain bench-gas bench-risk bench-ablation bench-keeper abi lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)/python $(STAMP)/node $(STAMP)/contracts ## install what is pinned and compile the contracts

$(STAMP)/python: requirements.lock pyproject.toml
	@mkdir -p $(STAMP)
	@python=$$(scripts/doctor) && { [ -x $(BIN)/python ] || "$$python" -m venv .venv; }
	@echo "installing the pinned Python packages"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(STAMP)/node: package-lock.json
	@mkdir -p $(STAMP)
	@scripts/doctor >/dev/null
	@echo "installing the pinned Node packages"
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(STAMP)/contracts: $(STAMP)/python $(STAMP)/node $(CONTRACTS) foundry.toml scripts/solc-v0.8.37
	@echo "compiling the contracts"
	@forge build --quiet
	@touch $@

demo: setup ## replay twelve hours of Black Thursday: contracts, real pools, keeper, report
	@sluice replay --scenario black-thursday --start 2020-03-12T20:00 --end 2020-03-13T08:00 --accounts 200 --out reports/demo

test: test-contracts test-bot ## every test that runs in minutes

test-contracts: setup ## contracts: forge fuzz and invariants, flows in ape
	@forge test
	@APE_FOUNDRY_HOST=auto ape test tests/contracts -c tests/contracts/pytest.ini --network ethereum:local:foundry -q

test-bot: setup ## keeper, laboratory and mathematics: pytest, two files at a time
	@python -m pytest -q -n 2 --dist loadfile

test-long: setup ## the long campaigns: 10,000 states of the engine, 100,000 quotes, 10,000 networks, large simulations
	@python -m pytest -q -m slow

chaos: setup ## keepers through node faults, reorgs, kills, gas spikes and a rival; memory over 10,000 blocks
	@python -m pytest -q -s -m '' tests/unit/chaos tests/integration/test_keeper_chaos.py

check-deploy: setup ## image, unit, rules and dashboard: each by its own tool, the image's commands in a clean environment
	@python -m pytest -q -rs -m '' tests/unit/keeper/ops/test_ops_files.py tests/unit/keeper/ops/test_ops_tools.py tests/integration/test_image_build.py

lint: setup ## ruff, mypy, import-linter, forge fmt, solhint
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports
	@forge fmt --check contracts tests
	@npx --no-install solhint --disc --noPoster --max-warnings 0 'contracts/**/*.sol'

slither: $(STAMP)/python $(STAMP)/node ## static analysis of the contracts, held against slither.toml
	@python scripts/slither_check.py

prove: $(STAMP)/python $(STAMP)/node ## machine proofs of the pure mathematics: z3 on syntax trees, halmos on bytecode
	@scripts/prove

mutants: setup ## changes of the code that each invariant's test must notice; goes on where it stopped
	@python scripts/mutants.py

fuzz: setup ## the invariants over ten million calls, in rounds; goes on where it stopped
	@python scripts/fuzz.py $(if $(CALLS),--calls $(CALLS))

format: setup ## rewrite the sources in the house's format
	@ruff check --fix .
	@ruff format .
	@forge fmt contracts tests

node: setup ## a local node on 127.0.0.1:8545, until interrupted
	@exec anvil --host 127.0.0.1 --port 8545 --hardfork prague

deploy: setup ## deploy to the local node and write deployments/local.json
	@ape run deploy --network http://127.0.0.1:8545 --manifest deployments/local.json

keeper: setup ## run the keeper with sluice.toml
	@exec sluice keeper run --config sluice.toml

bench-domain: setup ## speed of the mathematics, each a ratio in one run
	@benchmarks/peers/install-degenbot
	@python -m benchmarks.domain_health
	@python -m benchmarks.domain_risk
	@python -m benchmarks.domain_amm

bench-gas: setup ## gas of whole transactions, beside Aave V3 and Morpho Blue
	@python -m benchmarks.gas

bench-risk: setup ## calibration of the probabilities on recorded prices, walk forward
	@python -m benchmarks.risk_calibration
	@python -m benchmarks.live_forecast

bench-ablation: setup ## parts of Sluice and a fixed bonus over three crashes; goes on where it was interrupted
	@python -m benchmarks.ablation

bench-keeper: setup ## from the block that moves the oracle to the transaction, beside Silverback and viem
	@python -m benchmarks.keeper

abi: setup ## rewrite bot/abi from the compiled contracts
	@python scripts/export_abi.py

lock: ## resolve requirements.lock anew from pyproject.toml (needs uv)
	@uv pip compile --quiet --no-emit-index-url --no-header --all-extras --generate-hashes --python-version 3.11 \
	    --universal pyproject.toml --output-file requirements.lock

clean: ## remove what set-up and runs have made
	@rm -rf .venv node_modules .build reports deployments .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
