# shellcheck shell=sh
# debian.sh - what sevq needs of Debian 12, installed where it is missing, and how it is built. Read by run, check and bench.

need_to_build() {
	need gcc libc6-dev meson ninja-build pkg-config \
		libevent-dev libsqlite3-dev libcjson-dev libunistring-dev libsodium-dev libcurl4-openssl-dev libssl-dev
	need_llhttp
}

need_to_test() {
	need libcmocka-dev python3-pytest python3-hypothesis python3-jsonschema valgrind libc6-dbg \
		clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 shellcheck mandoc zsh fish strace curl sqlite3 openssl
	command -v node >/dev/null || need nodejs # of Node, whoever's is there will do
	command -v promtool >/dev/null || (need prometheus) || say "Going on without promtool."
}

# What the tests of the packages need.
need_to_package() {
	(need debhelper lintian debootstrap) || say "Going on without the packages."
}

# The peers are started by the benchmark itself, in directories of its own; what Debian starts on installing them is left alone.
# Without them, or without the right to install them, there is less to measure.
need_to_bench() {
	(need redis-server beanstalkd postgresql python3-matplotlib) || say "Going on without."
}

# OpenClaw's gateway and the Node that it needs, for the tests of the bridge: 850 MB from npm, in build/openclaw. Debian has neither;
# where npm is not there or installs nothing, those tests are skipped.
need_openclaw() {
	need_from_npm openclaw tests/bridge "a gateway of OpenClaw" || say "The tests with a real gateway are skipped."
}

# A browser from Debian, and from npm what drives it and what looks for what people cannot use: 15 MB, in build/page.
need_browser() {
	if ! (need chromium) || ! need_from_npm page tests/page "playwright-core and axe-core"; then
		say "The tests of the page in a browser are skipped."
	fi
}

# need_from_npm NAME FOLDER WHAT installs in build/NAME what the lock file in the folder names, once.
need_from_npm() {
	into=build/$1 lock=$2/package-lock.json
	cmp -s "$lock" "$into/installed.json" && return 0
	say "Installing from npm into $into: $3"
	rm -rf "$into"
	mkdir -p "$into"
	cp "$2/package.json" "$lock" "$into"
	if (cd "$into" && npm ci --ignore-scripts --no-audit --no-fund) >"$into.log" 2>&1; then
		cp "$lock" "$into/installed.json"
	else
		say "npm did not install it ($into.log)."
		return 1
	fi
}

say() {
	printf '%s\n' "$*" >&2
}

die() {
	say "$*"
	exit 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "Neither root nor sudo here. As root, run: $*"
	fi
}

# Prints those of the packages that are not installed.
missing() {
	there=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^.i  *//p') || :
	for package in "$@"; do
		printf '%s\n' "$there" | grep -qxF "$package" || printf '%s ' "$package"
	done
}

# Installs what is missing of the packages. The package index is fetched only where there is none, or it is stale.
need() {
	command -v apt-get >/dev/null || die "This is not Debian. sevq needs what Debian calls: $*"
	wanted=$(missing "$@")
	[ -n "$wanted" ] || return 0
	say "Installing from Debian: $wanted"
	# shellcheck disable=SC2086 # a list of words
	install_now $wanted || { fetch_index; install_now $wanted; } || die "They could not be installed; what apt-get says stands above."
}

install_now() {
	apt-get install -qq --simulate --no-install-recommends "$@" >/dev/null 2>&1 &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

fetch_index() {
	say "Fetching the package index"
	as_root apt-get update -qq
}

# llhttp reads HTTP. Debian 12 has no library of it, only its C sources in the package node-llhttp, which would bring Node along.
# So that package is unpacked instead of installed, and only the sources and their header are kept, in .deps.
need_llhttp() {
	if pkg-config --exists libllhttp || [ -f /usr/share/llhttp/llhttp.c ] || [ -f .deps/usr/share/llhttp/llhttp.c ]; then
		return 0
	fi
	say "Unpacking into .deps, from Debian's node-llhttp: the C sources of the HTTP parser"
	scratch=$(mktemp -d)
	download_llhttp 2>/dev/null || { fetch_index; download_llhttp; } || die "node-llhttp could not be downloaded."
	mkdir "$scratch/deps"
	dpkg-deb --fsys-tarfile "$scratch"/node-llhttp_*.deb | tar -x -C "$scratch/deps" ./usr/share/llhttp ./usr/share/include/llhttp
	rm -rf .deps
	mv "$scratch/deps" .deps
	rm -r "$scratch"
}

download_llhttp() {
	(cd "$scratch" && apt-get download -qq -o APT::Sandbox::User=root node-llhttp >&2)
}

# build KIND OPTION... configures build/KIND with these options where that was not done yet, and builds it.
build() {
	kind=$1
	shift
	mkdir -p build
	{ [ -f "build/$kind/build.ninja" ] || quietly /usr/bin/meson setup "build/$kind" "$@"; } && quietly /usr/bin/ninja -C "build/$kind"
}

quietly() {
	"$@" >"build/$kind.log" 2>&1 && return 0
	tail -n 40 "build/$kind.log" >&2
	say "Building failed. The whole log: build/$kind.log"
	return 1
}
