# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
# shellcheck disable=SC2034 # used where it is sourced
# The Debian packages that scripts install, and how, to be sourced.  A list's
# elements are "package|command": it need not be installed where the command
# succeeds.

packages_to_build=(
	'gcc|command -v cc'
	'libc6-dev|test -f /usr/include/stdio.h'
	'meson|command -v meson'
	'ninja-build|command -v ninja'
	# tells meson, on Debian, where ld.so and pkg-config look for libraries
	'dpkg-dev|! command -v dpkg || command -v dpkg-architecture'
	'python3|command -v python3'
	'pkg-config|command -v pkg-config'
	'liburing-dev|pkg-config --exists "liburing >= 2.3"'
	'libcap-dev|pkg-config --exists "libcap >= 2.66"'
	'libncurses-dev|pkg-config --exists ncurses'
)
packages_to_test=(
	"${packages_to_build[@]}"
	'binutils|command -v nm'
	'make|command -v make'
)
# without these, tests skip
packages_to_test_all=(
	'g++|command -v c++'
	'git|command -v git'
	'golang-go|command -v go'
	'rustc|command -v rustc'
	'libjson-c-dev|pkg-config --exists json-c'
	'util-linux|command -v unshare'
	'crun|command -v crun'
	'bubblewrap|command -v bwrap'
	'conmon|command -v conmon'
	'mandoc|command -v mandoc'
	'zsh|command -v zsh'
	'fish|command -v fish'
	'spin|command -v spin'
	'libsystemd-dev|pkg-config --exists libsystemd'
	'libglib2.0-dev|pkg-config --exists glib-2.0'
	'libuv1-dev|pkg-config --exists libuv'
	'libev-dev|test -f /usr/include/ev.h'
	# for Debian's python3, which need not be the first one in PATH
	'python3-prometheus-client|/usr/bin/python3 -c "import prometheus_client.openmetrics"'
	'systemtap-sdt-dev|echo "#include <sys/sdt.h>" | cc -E -'
	'valgrind|command -v valgrind'
	'busybox-static|busybox --list'
	'qemu-system-x86|command -v qemu-system-x86_64'
	'e2fsprogs|test -x /usr/sbin/mkfs.ext4'
)
# the peers of benchmarks, and to see what they came to
packages_to_bench=(
	"${packages_to_build[@]}"
	'libsystemd-dev|pkg-config --exists libsystemd'
	'libglib2.0-dev|pkg-config --exists glib-2.0'
	'libuv1-dev|pkg-config --exists libuv'
	'libev-dev|test -f /usr/include/ev.h'
	'gnuplot-nox|command -v gnuplot'
)
packages_to_check=(
	"${packages_to_test[@]}"
	'gcc|command -v gcc'
	'g++|command -v g++'
	'clang|command -v clang'
	'clang-format|command -v clang-format'
	'clang-tidy|command -v clang-tidy'
	'abigail-tools|command -v abidiff'
	'debhelper|command -v dh'
	'dpkg-dev|command -v dpkg-buildpackage'
	'lintian|command -v lintian'
	'systemtap-sdt-dev|echo "#include <sys/sdt.h>" | cc -E -'
	'golang-go|command -v gofmt'
	'rustfmt|command -v rustfmt'
	'git|command -v git'
)
# to build in the sources of a kernel, in which .ci/kernel-tree places us
packages_to_place=(
	'bc|command -v bc'
	'bison|command -v bison'
	'flex|command -v flex'
	'libelf-dev|test -f /usr/include/libelf.h'
	'rsync|command -v rsync'
	'xz-utils|command -v xz'
)
# for the kernels of selftests/kernels, on an amd64 machine
packages_to_boot_amd64=(
	'qemu-system-x86|command -v qemu-system-x86_64'
)
packages_to_boot_arm64=(
	'qemu-system-arm|command -v qemu-system-aarch64'
	'gcc-aarch64-linux-gnu|command -v aarch64-linux-gnu-gcc'
	'libc6-dev-arm64-cross|test -f /usr/aarch64-linux-gnu/include/stdio.h'
)
packages_to_boot_s390x=(
	'qemu-system-misc|command -v qemu-system-s390x'
	'gcc-s390x-linux-gnu|command -v s390x-linux-gnu-gcc'
	'libc6-dev-s390x-cross|test -f /usr/s390x-linux-gnu/include/stdio.h'
)
# not gcc-multilib, for which apt removes the cross compilers
packages_to_boot_i386=(
	'gcc-i686-linux-gnu|command -v i686-linux-gnu-gcc'
	'libc6-dev-i386-cross|test -f /usr/i686-linux-gnu/include/stdio.h'
)

packages_missing()
{
	local line

	for line in "$@"; do
		sh -c "${line#*|}" >/dev/null 2>&1 </dev/null ||
			echo "${line%%|*}"
	done | xargs
}

# Mirrors in the middle of an update are common, so it tries three times.
packages_install()
{
	local log try

	if ! command -v apt-get >/dev/null; then
		echo "== please install what Debian calls: $*"
		return 1
	fi
	if [ "$(id -u)" != 0 ]; then
		echo "== not root; as root: apt-get install $*"
		return 1
	fi
	echo "== installing: $*"
	log=$(mktemp)
	for try in 1 2 3; do
		if apt-get -qq -o Acquire::Retries=3 update >"$log" 2>&1 &&
			DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
				-o Acquire::Retries=3 --no-install-recommends \
				install "$@" >>"$log" 2>&1 </dev/null; then
			rm -f "$log"
			return 0
		fi
		echo "== apt-get failed, $((3 - try)) tries left"
	done
	tail -n 20 "$log"
	rm -f "$log"
	return 1
}
