# The project's commands. `make help` lists them.
SHELL := /bin/sh
NODE := node_modules/.bin/node
INSTALLED := node_modules/.installed

.PHONY: up dev test bench build format help clean

up: build ## Start everything on this machine, until Ctrl-C
	@exec $(NODE) src/main.ts up

dev: $(INSTALLED) ## The same from the sources, starting again when one changes
	@rm -rf dist
	@exec $(NODE) --watch-path=src --watch-path=controllers --watch-path=specs --watch-path=mcp-servers --watch-preserve-output src/main.ts up

test: $(INSTALLED) ## Every check and every test
	@$(NODE) test/suite.ts

bench: build ## The performance table, each row beside its baseline
	@$(NODE) test/bench/main.ts

build: $(INSTALLED) ## Bundle the host and the command
	@$(NODE) build.ts

format: $(INSTALLED) ## Format the sources
	@node_modules/.bin/oxfmt

clean: ## Remove what was built or installed; data stays
	rm -rf node_modules dist

# Node 26 comes as a package, so the first step is any npm there is. Warnings of that npm are about the
# machine's own Node, which runs nothing of this. Not `npm ci`: it refuses a lock file without the optional
# packages of other platforms, and not every registry has them all.
$(INSTALLED): package.json package-lock.json .npmrc
	@npm install --no-save --loglevel=error --no-update-notifier
	@touch $@

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done
