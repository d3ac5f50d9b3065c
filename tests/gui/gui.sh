#!/usr/bin/env bash
# gui.sh - real GUI Blender under Xvfb + Mesa software GL in a Debian chroot.
#
#   gui.sh setup   SUITE                      make / complete the chroot (idempotent, cached)
#   gui.sh info    SUITE                      versions, disk size
#   gui.sh blender SUITE ARGS...              blender in the chroot, no display (-b, --command ...)
#   gui.sh install SUITE X.zip                install + enable an extension zip in user_default
#   gui.sh build   SUITE SRCDIR OUTDIR        `extension build` + `extension validate`
#   gui.sh run     SUITE [opts] SCRIPT.py [-- args]     script in a GUI session; its files come back
#   gui.sh shot    SUITE [opts] EDITOR OUT.png          EDITOR: view3d | sequencer | prefs
#   gui.sh clean   SUITE profile|all          forget the user profile / remove the chroot
#
# SUITE: sid (Blender 5.2) | trixie (Blender 4.3)
# opts:  --size WxH (1600x1000)   --timeout S (180)   --out DIR (run: where files of $PB_OUT go)
#        --blend F.blend          --zip X.zip (install first)   --factory (no add-ons, factory prefs)
#        --tab NAME (N-panel tab) --addon NAME (prefs: search text)  --module M (prefs: bl_ext.user_default.M)
#        --pre SCRIPT.py (shot: run before the picture)   --scale F (ui scale)   --full (maximise the area)
#        --mode MODE (shot: object mode, e.g. PAINT_GREASE_PENCIL)
# engine: this repository (with .venv/engine) and the Python that its environment is made of are mounted read-only at their own paths
# env:   PB_ROOT (~/.cache/pegbar-gui)  PB_MIRROR (the Debian archive that this machine's apt uses)
#        PB_PROFILE (the user's folder: profile)  PB_ENV (more variables for Blender, A=b C=d)  PB_MOUNT (more folders to mount)
# Exit:  the script's own; 124 when it ran past --timeout.
set -euo pipefail
# mounts of our own: they end with this script and can never be left behind, or be removed through
if [ "${PB_UNSHARED:-}" != 1 ] && [ "${1:-help}" != help ]; then exec env PB_UNSHARED=1 unshare --mount "$0" "$@"; fi
XP=""; trap 'if [ -n "$XP" ]; then kill "$XP" 2>/dev/null || true; fi' EXIT
trap "exit 130" INT TERM
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPOSITORY=$(cd "$HERE/../.." && pwd)
ROOT=${PB_ROOT:-$HOME/.cache/pegbar-gui}
MIRROR=${PB_MIRROR:-$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | awk '/^(URIs:|deb )/{for(i=2;i<=NF;i++) if($i ~ /\/debian\/?$/){sub(/\/$/,"",$i); print $i; exit}}' || true)}
PKGS_COMMON="blender xvfb xauth libgl1-mesa-dri libegl1 xdotool imagemagick ffmpeg fonts-dejavu-core python3-venv python3-cattr python3-requests python3-numpy"
say() { printf '[gui] %s\n' "$*" >&2; }
die() { say "$*"; exit 2; }
now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN{printf "%.1f", b-a}'; }

need_suite() { case "${1:-}" in sid|trixie) SUITE=$1; CH=$ROOT/$1;; *) die "SUITE must be sid or trixie";; esac; }

mounts() {   # /proc and /dev are all Blender needs; a PRIVATE bind so that nothing leaks to the host
  local m; for m in proc dev; do   # make-private: else a later umount can travel back to the host's /dev/pts
    mountpoint -q "$CH/$m" || { mount --bind "/$m" "$CH/$m"; mount --make-private "$CH/$m"; }
  done
  mkdir -p "$CH/dev/shm" 2>/dev/null || true
  [ -n "${PEGBAR_ENGINE_PYTHON:-}" ] || return 0
  local d; for d in "$REPOSITORY" $("$PEGBAR_ENGINE_PYTHON" -c 'import sys; print(sys.base_prefix)') ${PB_MOUNT:-}; do
    mountpoint -q "$CH/$d" || { mkdir -p "$CH/$d"; mount --bind "$d" "$CH/$d"; mount -o remount,bind,ro "$CH/$d"; }
  done
}
inch() { mounts; chroot "$CH" /usr/bin/env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
           LIBGL_ALWAYS_SOFTWARE=1 GALLIUM_DRIVER=llvmpipe LP_NUM_THREADS="${LP_NUM_THREADS:-2}" \
           XDG_RUNTIME_DIR=/tmp BLENDER_USER_RESOURCES="/pb/${PB_PROFILE:-profile}" \
           OMP_NUM_THREADS=2 PYTHONDONTWRITEBYTECODE=1 "$@"; }

setup() {
  local t0 t; t0=$(now)
  [ "$(id -u)" = 0 ] || die "root needed (chroot)"
  local want; want=$(printf '%s' "$PKGS_COMMON" | md5sum | cut -c1-12)
  if [ "$(cat "$CH/.pb_ready" 2>/dev/null)" = "$want" ]; then say "$SUITE ready (cached)"; mounts; return; fi
  if ! command -v debootstrap >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap debian-archive-keyring >/dev/null
  fi
  if [ ! -x "$CH/usr/bin/apt-get" ] || [ -d "$CH/debootstrap" ]; then
    t=$(now); rm -rf --one-file-system "$CH"; mkdir -p "$ROOT"
    debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$CH" "$MIRROR" >"$ROOT/$SUITE.log" 2>&1 || { tail -5 "$ROOT/$SUITE.log" >&2; die "debootstrap failed"; }
    say "debootstrap $(since "$t") s"
  fi
  mkdir -p "$CH/pb/profile" "$CH/pb/run"
  [ -e /etc/resolv.conf ] && cp -L /etc/resolv.conf "$CH/etc/resolv.conf" || true
  for f in /etc/apt/apt.conf.d/*proxy* ; do [ -e "$f" ] && cp "$f" "$CH/etc/apt/apt.conf.d/" || true; done
  mounts; t=$(now)
  printf '#!/bin/sh\nexit 101\n' > "$CH/usr/sbin/policy-rc.d"; chmod +x "$CH/usr/sbin/policy-rc.d"
  echo 'Acquire::Check-Valid-Until "false"; Acquire::Retries "3";' > "$CH/etc/apt/apt.conf.d/90pb"   # a stale mirror must not stop us
  printf 'path-exclude=/usr/share/man/*\npath-exclude=/usr/share/doc/*\n' > "$CH/etc/dpkg/dpkg.cfg.d/pb"
  # shellcheck disable=SC2086
  { chroot "$CH" apt-get update &&
    chroot "$CH" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $PKGS_COMMON &&
    chroot "$CH" apt-get clean; } >>"$ROOT/$SUITE.log" 2>&1 || { tail -15 "$ROOT/$SUITE.log" >&2; die "apt failed"; }
  say "apt $(since "$t") s"
  inch blender --version | head -1 >&2
  echo "$want" > "$CH/.pb_ready"
  say "setup of $SUITE: $(since "$t0") s, $(du -smx "$CH" | cut -f1) MB"
}

quiet() { grep -vE 'list of mounted file-systems|session recovery|^Blender quit$|^$|XDG_RUNTIME_DIR' || true; }

xrun() {  # xrun SIZE TIMEOUT cmd... : own Xvfb, own pid, closed at the end
  local size=$1 to=$2; shift 2
  mounts
  # -displayfd lets Xvfb choose a free display: no race between parallel runs
  local fifo; fifo=$(mktemp -u /tmp/pbx.XXXXXX); mkfifo "$fifo"
  # not through a function: $! must be Xvfb itself (chroot and env exec), else the kill below misses it
  chroot "$CH" /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin LIBGL_ALWAYS_SOFTWARE=1 GALLIUM_DRIVER=llvmpipe \
    Xvfb -displayfd 5 -screen 0 "${size}x24" -nolisten tcp -noreset +extension GLX 5>"$fifo" >/dev/null 2>&1 &
  local xp=$!; XP=$xp; local d=""; read -r -t 20 d <"$fifo" || true; rm -f "$fifo"
  [ -n "$d" ] || { kill "$xp" 2>/dev/null || true; die "Xvfb did not start"; }
  local rc=0
  timeout -k 5 "$to" chroot "$CH" /usr/bin/env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
     DISPLAY=":$d" LIBGL_ALWAYS_SOFTWARE=1 GALLIUM_DRIVER=llvmpipe LP_NUM_THREADS="${LP_NUM_THREADS:-2}" XDG_RUNTIME_DIR=/tmp \
     BLENDER_USER_RESOURCES="/pb/${PB_PROFILE:-profile}" OMP_NUM_THREADS=2 PYTHONDONTWRITEBYTECODE=1 PEGBAR_ENGINE_PYTHON="${PEGBAR_ENGINE_PYTHON:-}" PB_REPOSITORY="$REPOSITORY" \
     "${XENV[@]}" "$@" || rc=$?
  kill "$xp" 2>/dev/null || true; wait "$xp" 2>/dev/null || true; XP=""
  return $rc
}

cmd=${1:-help}; shift || true
case "$cmd" in
  help|-h|--help) sed -n '2,20p' "$0"; exit 0;;
esac
need_suite "${1:-}"; shift
SIZE=1600x1000 TO=180 OUT="" BLEND="" ZIP="" FACTORY=0 TAB="" ADDON="" MODULE="" PRE="" SCALE=1.0 FULL=0 MODE=""
XENV=(PB=1)
POS=(); ARGS=()
parse() { while [ $# -gt 0 ]; do case "$1" in
  --size) SIZE=$2; shift 2;; --timeout) TO=$2; shift 2;; --out) OUT=$2; shift 2;; --blend) BLEND=$2; shift 2;;
  --zip) ZIP=$2; shift 2;; --factory) FACTORY=1; shift;; --tab) TAB=$2; shift 2;; --addon) ADDON=$2; shift 2;;
  --module) MODULE=$2; shift 2;; --pre) PRE=$2; shift 2;; --scale) SCALE=$2; shift 2;; --full) FULL=1; shift;; --mode) MODE=$2; shift 2;;
  --) shift; ARGS=("$@"); return;; *) POS+=("$1"); shift;; esac; done; }

install_zip() {
  local z; z=$(basename "$1"); mkdir -p "$CH/pb/run"; cp "$1" "$CH/pb/run/$z"
  local t; t=$(now); local log; log=$(mktemp); local rc=0
  inch blender -b --command extension install-file -r user_default --enable "/pb/run/$z" >"$log" 2>&1 || rc=$?
  quiet <"$log" >&2
  # install-file answers 0 even when enabling raised: look for a traceback
  if [ $rc -ne 0 ] || grep -qE '^Traceback|Error:|^ERROR |Exception in module register|should have been installed' "$log"; then rm -f "$log"; say "install FAILED"; return 1; fi
  rm -f "$log"; say "installed $z in $(since "$t") s"
}

gui() {   # gui SCRIPT.py ARGS...
  local t; t=$(now); local rd="run.$$.$RANDOM"; local R="$CH/pb/run/$rd"; mkdir -p "$R/out"
  cp "$HERE"/*.py "$R/"; cp "$1" "$R/main.py"; shift
  [ -n "$PRE" ] && cp "$PRE" "$R/pre.py"
  a=(blender --window-geometry 0 0 "${SIZE%x*}" "${SIZE#*x}")
  [ $FACTORY = 1 ] && a+=(--factory-startup)
  [ -n "$BLEND" ] && { cp "$BLEND" "$R/in.blend"; a+=("/pb/run/$rd/in.blend"); }
  XENV=(PB_OUT="/pb/run/$rd/out" PB_TIMEOUT="$TO" PB_PRE="${PRE:+/pb/run/$rd/pre.py}" PB_TAB="$TAB" PB_ADDON="$ADDON" PB_MODULE="$MODULE" PB_SCALE="$SCALE" PB_FULL="$FULL" PB_MODE="$MODE" PB_SIZE="$SIZE" ${PB_ENV:-})
  local rc=0
  xrun "$SIZE" $((TO+15)) "${a[@]}" --python-exit-code 3 --python "/pb/run/$rd/pbgui.py" -- "/pb/run/$rd/main.py" "$@" >"$R/log.txt" 2>&1 || rc=$?
  quiet <"$R/log.txt" >&2
  LASTRUN=$R
  if [ -n "$OUT" ]; then mkdir -p "$OUT"; cp -r "$R/out/." "$OUT/"; cp "$R/log.txt" "$OUT/log.txt"; fi
  say "gui run: rc=$rc, $(since "$t") s"
  return $rc
}

case "$cmd" in
  setup) setup;;
  info) setup; inch blender --version | head -1; du -smx "$CH" | cut -f1 | sed 's/$/ MB/'; du -sm "$CH/pb/profile" | cut -f1 | sed 's/$/ MB profile/';;
  blender) setup; inch blender "$@" 2>&1 | quiet; exit "${PIPESTATUS[0]}";;
  install) setup; [ $# -ge 1 ] || die "install SUITE X.zip"; install_zip "$1";;
  build) setup; [ $# -ge 2 ] || die "build SUITE SRC OUT"; b="$CH/pb/run/build.$$"; mkdir -p "$b/src" "$b/out" "$2"; cp -r "$1/." "$b/src/"
     inch blender --command extension validate "/pb/run/build.$$/src" 2>&1 | quiet
     inch blender --command extension build --source-dir "/pb/run/build.$$/src" --output-dir "/pb/run/build.$$/out" 2>&1 | quiet
     rc=0; for z in "$b"/out/*.zip; do inch blender --command extension validate "/pb/run/build.$$/out/$(basename "$z")" 2>&1 | quiet; cp "$z" "$2/"; done; rm -rf "$b"; exit $rc;;
  run) parse "$@"; setup; [ -n "$ZIP" ] && install_zip "$ZIP"; rc=0; gui "${POS[0]}" "${ARGS[@]}" || rc=$?; rm -rf "$LASTRUN"; exit $rc;;
  shot) parse "$@"; setup; [ -n "$ZIP" ] && install_zip "$ZIP"; [ ${#POS[@]} = 2 ] || die "shot SUITE EDITOR OUT.png"
     printf 'import pbgui\npbgui.play(pbgui.shot_editor(%s))\n' "'${POS[0]}'" > /tmp/pbshot.$$.py
     rc=0; gui "/tmp/pbshot.$$.py" || rc=$?; rm -f "/tmp/pbshot.$$.py"
     if [ $rc = 0 ]; then mkdir -p "$(dirname "${POS[1]}")"; cp "$LASTRUN/out/shot.png" "${POS[1]}"; say "-> ${POS[1]}"; fi; rm -rf "$LASTRUN"; exit $rc;;
  clean) case "${1:-}" in profile) rm -rf "$CH/pb/${PB_PROFILE:-profile}"/*;; all) for m in dev proc; do while mountpoint -q "$CH/$m"; do umount -l "$CH/$m"; done; done
       rm -rf --one-file-system "$CH";; *) die "clean SUITE profile|all";; esac;;
  *) die "unknown command $cmd";;
esac
