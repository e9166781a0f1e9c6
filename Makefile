# Everything sets itself up: the first run says what it installs, later ones find it there.
PYTHON := .venv/bin/python
LAB := $(PYTHON) lab/lab

.PHONY: help setup setup-test demo shell demo-down lab-images

.DEFAULT_GOAL := help
help: ## Show what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

setup: ## Install what the lab and the playbooks need
	@lab/setup

setup-test: ## Install what the tests need
	@lab/setup test

demo: setup ## Show both stories: a hand-written file mended in place, then a site of the role's
	@$(LAB) demo

shell: setup ## Log in to the demo's host
	@$(LAB) shell demo

demo-down: ## Remove the demo's containers; stop the docker engine if it was started for them
	@$(or $(wildcard $(PYTHON)),python3) lab/lab down demo browser --engine

lab-images: setup ## Build all images of the lab
	@$(LAB) images --suite all --browser

.PHONY: pyz
pyz: ## Build nginx-websocket.pyz: one file for a host without Ansible
	@python3 -m release.pyz

.PHONY: test lint unit pythons differential integration security cores connections molecule

test: setup-test ## Run all tests
	@tests/run

lint: setup-test ## Run the linters, and render the modules' documentation
	@tests/run lint

unit: setup-test ## Run the unit tests
	@tests/run unit

pythons: setup-test ## Run the unit tests under every Python from 3.8 on that this machine and the lab have
	@$(PYTHON) tests/pythons.py --whole

differential: setup-test ## Compare with real nginx on random inputs: SEED=… CONFIGS=… CASES=… for longer runs
	@tests/run differential

.PHONY: fuzz
fuzz: setup-test ## Hostile values for every variable, judged by real nginx: SEED=… EXAMPLES=…
	@lab/lab images --suite bookworm >/dev/null
	@$(PYTHON) -m tests.fuzz.values --seed $(or $(SEED),1) --examples $(or $(EXAMPLES),100000)

.PHONY: faults
faults: setup-test ## Kill, fill, cut and edit under real transactions: KILLS=200 SEED=1
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m tests.faults.run --kills $(or $(KILLS),200) --seed $(or $(SEED),1)

.PHONY: fixing
fixing: setup-test ## Mend configurations of real-life shape, broken in many ways, on the nginx of four Debians
	@FIX_ALL=1 .venv/bin/pytest tests/integration/fix/test_fix_corpus.py -q -s

.PHONY: mutations
mutations: setup-test ## Put known faults into the code on purpose: a unit test must find each
	@$(PYTHON) -m tests.mutations.named

.PHONY: mutants
mutants: setup-test ## Draw faults at random and list what no unit test finds: ROOM=diagnosis NUMBER=100 SEED=1
	@$(PYTHON) -m tests.mutations.sampled --seed $(or $(SEED),1) --number $(or $(NUMBER),100) $(ROOM)

.PHONY: coverage
coverage: setup-test ## Measure how much of each room the unit tests run through: MISSING=1 shows the lines
	@$(PYTHON) -m tests.room_coverage

integration: setup-test ## Run the integration tests on hosts of the lab
	@tests/run integration

cores: setup-test ## Run the main job under the oldest, the usual, the newest and the coming ansible-core
	@tests/run cores

connections: setup-test ## Deploy and verify through docker, podman, doas and sudo-rs; needs the network
	@tests/run connections

security: setup-test ## Attack hosts of the lab as their local users could, and the controller as hosts could
	@NGINX_WEBSOCKET_SECURITY=1 tests/run security

molecule: setup-test ## Run the molecule scenarios on hosts of the lab
	@tests/run molecule

.PHONY: sanity
sanity: setup-test ## Run ansible-test's sanity tests on the collection; needs the network
	@$(PYTHON) tests/sanity.py

.PHONY: importer
importer: setup-test ## Import the collection as Ansible Galaxy does; needs the network
	@$(PYTHON) tests/importer.py

NAMESPACE ?= proven
.PHONY: collection
collection: setup ## Build the collection NAMESPACE.nginx_websocket: out/NAMESPACE-nginx_websocket-VERSION.tar.gz
	@rm -rf out/collection
	@$(PYTHON) collection/build.py out/collection --namespace $(NAMESPACE)
	@.venv/bin/ansible-galaxy collection build --force out/collection --output-path out
